#!/bin/sh
# A build where pkg-config does not find Python's library says so, makes no module of it, and
# has the reason in the error of every function of Python.
#   python_off_test.sh REPO BUILD DEPS
set -eu
repo=$1 build=$2 deps=$3
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }
reason="pkg-config finds no python3-embed of version 3.9 or newer (Debian: libpython3-dev)"

cat > "$temp/pkg-config" << EOF
#!/bin/sh
for word; do case \$word in *python3-embed*) exit 1 ;; esac; done
exec "$(command -v pkg-config)" "\$@"
EOF
chmod +x "$temp/pkg-config"
PKG_CONFIG=$temp/pkg-config cmake -S "$repo" -B "$temp/build" -G Ninja -DVOW_DEPS_DIR="$deps" \
  -DVOW_TEMPLATE_DIR="$build/guest" > "$temp/log" 2>&1 || fail "$(cat "$temp/log")"
grep -qxF -e "-- Python is off: $reason" "$temp/log" || fail "it is not told: $(cat "$temp/log")"
ninja -C "$temp/build" -t targets all > "$temp/targets"
! grep -q vow-python "$temp/targets" || fail "the module is made all the same"
object=CMakeFiles/vow_executors.dir/src/executors/python.c.o
# Only its own command: what else it is built after takes long, and does not matter.
ninja -C "$temp/build" -t commands "$object" | tail -n 1 > "$temp/compile"
mkdir -p "$temp/build/${object%/*}"
(cd "$temp/build" && sh -eu "$temp/compile") > "$temp/log" 2>&1 || fail "$(cat "$temp/log")"
grep -qF "Python is not in this build: $reason" "$temp/build/$object" || fail "no reason is given"
echo "python_off: ok"
