#!/bin/sh
# deps/system.sh on machines that lack tools: they are installed where that is
# possible, else one exact command is printed.
#   system_test.sh REPO
set -eu
repo=$1
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
fail() { echo "FAILED: $*: $(cat "$temp/out")" >&2; exit 1; }

# Within reach: a shell, and what stands in for the rest of a machine.
mkdir "$temp/bin"
ln -s "$(command -v sh)" "$temp/bin/sh"
stand_in() { # name line
  printf '#!/bin/sh\n%s\n' "$2" > "$temp/bin/$1"
  chmod +x "$temp/bin/$1"
}
set_up() { # status, then the words for deps/system.sh
  wanted=$1 status=0
  shift
  : > "$temp/calls"
  PATH="$temp/bin" "$repo/deps/system.sh" "$@" > "$temp/out" 2>&1 || status=$?
  [ "$status" = "$wanted" ] || fail "status $status"
}
command='apt-get install -y --no-install-recommends cmake ninja-build gcc g++ pkg-config clang lld '

stand_in id 'echo 1000'
set_up 1
grep -q "(Debian names) are missing: cmake ninja-build " "$temp/out" || fail "without apt-get"

stand_in apt-get "echo \"apt-get \$*\" >> '$temp/calls'"
set_up 1
grep -q "^  apt-get update && $command" "$temp/out" || fail "neither root nor sudo"
grep -q libclang-rt-14-dev\$ "$temp/out" && fail "the fuzzer is asked for"
[ ! -s "$temp/calls" ] || fail "it was tried all the same"
set_up 1 fuzz
grep -q "^  apt-get update && $command.* libclang-rt-14-dev\$" "$temp/out" || fail "fuzz"

stand_in sudo 'exit 1'
set_up 1
grep -q "^  apt-get update && $command" "$temp/out" || fail "sudo with a password"
stand_in true :
stand_in sudo 'shift; exec "$@"'
set_up 0
grep -q "^$command" "$temp/calls" || fail "sudo: $(cat "$temp/calls")"

stand_in id 'echo 0'
stand_in sudo 'exit 1'
set_up 0
grep -q "^$command" "$temp/calls" || fail "root: $(cat "$temp/calls")"
stand_in apt-get 'exit 100'
set_up 1
grep -q "run it by hand and then make again: $command" "$temp/out" || fail "apt-get failed"

# ---- only Python's library is missing, which a build can do without ----
rm "$temp/bin/sh"
stand_in sh 'exit 0'
stand_in pkg-config 'exit 1'
set_up 0
grep -q "^vow: libpython3-dev cannot be installed" "$temp/out" || fail "without Python"
stand_in apt-get "echo \"apt-get \$*\" >> '$temp/calls'"
set_up 0
grep -q "^apt-get install .* libpython3-dev\$" "$temp/calls" || fail "Python is not installed"
stand_in id 'echo 1000'
set_up 0
[ ! -s "$temp/calls" ] || fail "neither root nor sudo, and it was tried all the same"
[ ! -s "$temp/out" ] || fail "words about nothing"
stand_in pkg-config 'exit 0'
stand_in id 'echo 0'
set_up 0
[ ! -s "$temp/calls" ] || fail "Python is there and was installed"
echo "system: ok"
