#!/bin/sh
# An installed copy works without the build tree's files beside it: the command, and
# the library for programs built outside of the tree, by pkg-config and by CMake.
#   install_test.sh SOURCE BUILD
set -eu
source=$1 build=$2
temp=$(mktemp -d)
fail() {
  echo "FAILED: $*" >&2
  exit 1
}
# The list of a real installation stays what it was.
manifest=$build/install_manifest.txt
if [ -f "$manifest" ]; then cp "$manifest" "$temp/manifest"; fi
clean() {
  rm -f "$manifest"
  if [ -f "$temp/manifest" ]; then cp "$temp/manifest" "$manifest"; fi
  rm -rf "$temp"
}
trap clean EXIT

# ---- what is installed is taken back, and nothing else ----
mkdir -p "$temp/prefix/bin" "$temp/prefix/lib/pkgconfig" "$temp/prefix/lib/cmake" "$temp/prefix/include"
echo other > "$temp/prefix/lib/pkgconfig/other.pc"
(cd "$temp/prefix" && find . | sort) > "$temp/before"
cmake --install "$build" --prefix "$temp/prefix" > "$temp/log"
cmake -DMANIFEST="$manifest" -P "$source/cmake/uninstall.cmake"
(cd "$temp/prefix" && find . | sort) > "$temp/after"
diff -u "$temp/before" "$temp/after" || fail "uninstalling leaves something, or takes too much"
cmake --install "$build" --prefix "$temp/prefix" > "$temp/log"
cd "$temp"
mv prefix moved

# ---- the command ----
result=$(echo '[1, 2].map((n) => n * 2)' | moved/bin/vow eval -)
[ "$result" = '[2,4]' ] || fail "the installed vow printed: $result"
if [ -e "$build/guest/vow-python.so" ]; then
  result=$(moved/bin/vow task run py:json:dumps --arg '[1]')
  [ "$result" = '"[1]"' ] || fail "the installed vow printed: $result"
fi

# ---- the compiled guest asks for no more than the first x86-64 had ----
# (what lies between functions is no code, and a few bytes of it may look like any)
objdump -d --no-show-raw-insn -j .text moved/lib/vow/*.cwasm |
  awk -F '\t' 'NF > 1 { split($2, words, " "); print words[1] }' > instructions
[ "$(wc -l < instructions)" -gt 100000 ] || fail "the compiled guest cannot be looked at"
newer=$(grep -cE '^(v[a-z]+[0-9a-z]*|popcnt|lzcnt|tzcnt|round[sp][sd]|pshufb|pextr.|pinsr.|andn|bls.+|crc32.?|movbe)$' instructions || true)
[ "$newer" -lt 20 ] || fail "the compiled guest has $newer instructions of newer processors"

# ---- the library ----
expected=$source/test/examples/embed.txt
export PKG_CONFIG_PATH="$temp/moved/lib/pkgconfig"
cc "$source/examples/embed.c" $(pkg-config --cflags --libs vow) -lpthread -o shared
LD_LIBRARY_PATH="$temp/moved/lib" ./shared | diff -u "$expected" -
cc "$source/examples/embed.c" $(pkg-config --cflags --libs vow-static) -o static
./static "$temp/moved/lib/vow" | diff -u "$expected" -
if ./static 2> message; then fail "a program that lies elsewhere found the guest"; fi
grep -q guest message || fail "unclear: $(cat message)"
cp static moved/bin/static
moved/bin/static | diff -u "$expected" -

mkdir package
cat > package/CMakeLists.txt << END
cmake_minimum_required(VERSION 3.16)
project(outside C)
find_package(vow 0.1 REQUIRED)
add_executable(by_shared "$source/examples/embed.c")
target_link_libraries(by_shared PRIVATE vow::vow Threads::Threads)
add_executable(by_static "$source/examples/embed.c")
target_link_libraries(by_static PRIVATE vow::static)
END
cmake -S package -B package/build -DCMAKE_PREFIX_PATH="$temp/moved" > log 2>&1 || fail "$(cat log)"
cmake --build package/build > log 2>&1 || fail "$(cat log)"
package/build/by_shared | diff -u "$expected" -
package/build/by_static "$temp/moved/lib/vow" | diff -u "$expected" -

# ---- without its guest it says so ----
rm moved/lib/vow/*.cwasm
if echo 1 | moved/bin/vow eval - 2> message; then fail "it ran without its guest"; fi
grep -q "guest" message || fail "unclear: $(cat message)"
echo "install: ok"
