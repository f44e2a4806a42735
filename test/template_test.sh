#!/bin/sh
# The compiled guest: a build remakes files of it that are missing, and a guest
# that has more state than the engine puts back is refused.
#   template_test.sh REPO BUILD DEPS
set -eu
repo=$1 build=$2 deps=$3
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
fail() { echo "FAILED: $*" >&2; exit 1; }

# A build of its own takes the guest from BUILD, which others are using now.
remake() { ninja -C "$temp/build" guest/template_name.h > "$temp/log" 2>&1 || fail "$(cat "$temp/log")"; }
cmake -S "$repo" -B "$temp/build" -G Ninja -DVOW_DEPS_DIR="$deps" -DVOW_TEMPLATE_DIR="$build/guest" \
  > "$temp/log" 2>&1 || fail "$(cat "$temp/log")"
remake
for ending in cwasm image; do
  rm "$temp"/build/guest/guest-*."$ending"
  remake
  for file in "$build"/guest/guest-*.cwasm "$build"/guest/guest-*.image; do
    cmp -s "$file" "$temp/build/guest/${file##*/}" || fail "without .$ending, ${file##*/} was not remade"
  done
done
remake
grep -q "no work to do" "$temp/log" || remake
grep -q "no work to do" "$temp/log" || fail "remade although nothing was missing: $(cat "$temp/log")"

# Modules of two i32 globals, the first one exported; $1: whether that one is
# mutable, $2: whether the second one is, $3: the exported name.
module() {
  printf '\000asm\001\000\000\000\006\014\002\177\00'"$1"'\101\000\013\177\00'"$2"'\101\200\001\013'
  printf '\007\023\001\017%s\003\000' "$3"
}
refused() { # what the line says
  if "$build/template_tool" "$temp/guest.wasm" "$temp" 2> "$temp/message"; then
    fail "a guest without an engine was taken"
  fi
  [ "$(wc -l < "$temp/message")" = 1 ] && grep -q "$1" "$temp/message" || fail "unclear: $(cat "$temp/message")"
}
module 1 1 __stack_pointer > "$temp/guest.wasm"
refused "mutable global besides __stack_pointer"
module 1 0 __another_name_ > "$temp/guest.wasm"
refused "does not export __stack_pointer"
module 1 0 __stack_pointer > "$temp/guest.wasm"
refused "lacks an export"
module 1 0 __stack_pointer | head -c 14 > "$temp/guest.wasm"
refused "cut short"
echo "template: ok"
