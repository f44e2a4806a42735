#!/bin/sh
# deps/fetch.sh: a file with a wrong hash stops with a clear line and is removed;
# with the files at hand no network client is needed.
#   deps_test.sh REPO DEPS
set -eu
repo=$1 deps=$2
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
file=libuv-sys2-1.53.1.crate
[ -f "$deps/download/$file" ] || { echo "skipped: libuv comes from the system here"; exit 77; }

fail() { echo "FAILED: $*" >&2; exit 1; }

# No registry client within reach.
mkdir "$temp/bin"
for tool in sh awk sha256sum cut tar gzip mkdir rm touch dirname cat; do
  ln -s "$(command -v $tool)" "$temp/bin/$tool"
done

mkdir -p "$temp/good/download" "$temp/bad/download"
cp "$deps/download/$file" "$temp/good/download/"
PATH="$temp/bin" "$repo/deps/fetch.sh" "$temp/good" libuv || fail "the file at hand was not used"
[ -f "$temp/good/libuv/include/uv.h" ] || fail "nothing was unpacked"

cp "$deps/download/$file" "$temp/bad/download/"
printf x >> "$temp/bad/download/$file"
if PATH="$temp/bin" "$repo/deps/fetch.sh" "$temp/bad" libuv 2> "$temp/message"; then
  fail "a wrong hash was accepted"
fi
grep -q "$file has sha256 .* deps/SHA256SUMS says" "$temp/message" || fail "unclear: $(cat "$temp/message")"
[ ! -e "$temp/bad/download/$file" ] || fail "the bad file was kept"
[ ! -e "$temp/bad/libuv" ] || fail "the bad file was unpacked"

if PATH="$temp/bin" "$repo/deps/fetch.sh" "$temp/bad" libuv 2> "$temp/message"; then
  fail "a package came from nowhere"
fi
grep -q "cargo is needed" "$temp/message" || fail "unclear: $(cat "$temp/message")"
echo "deps: ok"
