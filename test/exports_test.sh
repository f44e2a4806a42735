#!/bin/sh
# The libraries export what the headers declare, all of it, and nothing else.
#   exports_test.sh SOURCE LIBRARY.so LIBRARY.a
set -eu
source=$1 shared=$2 static=$3
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
named() { grep -ohE '\bvow_[a-z_]+\(' "$@" | tr -d '(' | sort -u; }
grep -hE '^static inline' "$source"/include/vow/*.h | named > "$temp/inline"
sed '/^typedef/d' "$source"/include/vow/*.h | named | comm -23 - "$temp/inline" > "$temp/declared"
grep -qx vow_eval "$temp/declared"

nm -D --defined-only "$shared" | awk '$2 != "A" { print $3 }' > "$temp/versioned"
sed 's/@@*VOW_.*//' "$temp/versioned" | sort -u > "$temp/shared"
diff -u "$temp/declared" "$temp/shared"
if grep -v '@@VOW_0\.' "$temp/versioned"; then
  echo "FAILED: without a version" >&2
  exit 1
fi
objdump -p "$shared" | grep -qE 'SONAME +libvow\.so\.0$'

nm -g --defined-only "$static" | awk 'NF == 3 { print $3 }' | sort -u > "$temp/static"
diff -u "$temp/declared" "$temp/static"
