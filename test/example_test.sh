#!/bin/sh
# An example prints what it should.
#   example_test.sh PROGRAM EXPECTED [ARGUMENTS]
set -eu
program=$1 expected=$2
shift 2
temp=$(mktemp -d)
trap 'rm -rf "$temp"' EXIT
(cd "$temp" && "$program" "$@" > out)
diff -u "$expected" "$temp/out"
