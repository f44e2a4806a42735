#!/bin/sh
# An installed copy works without the build tree's files beside it.
#   install_test.sh BUILD
set -eu
build=$1
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
cmake --install "$build" --prefix "$temp/prefix" > "$temp/log"
cd "$temp"
mv prefix moved
result=$(echo '[1, 2].map((n) => n * 2)' | moved/bin/vow eval -)
[ "$result" = '[2,4]' ] || { echo "FAILED: the installed vow printed: $result" >&2; exit 1; }
rm moved/lib/vow/*.cwasm
if echo 1 | moved/bin/vow eval - 2> message; then
  echo "FAILED: it ran without its guest" >&2
  exit 1
fi
grep -q "guest" message || { echo "FAILED: unclear: $(cat message)" >&2; exit 1; }
echo "install: ok"
