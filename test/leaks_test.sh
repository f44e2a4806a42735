#!/bin/sh
# examples/leaks.c names everything it leaves, each with the line of its source that
# the offset leads addr2line to. Usage: leaks_test.sh PROGRAM SOURCE
set -eu
program=$(realpath "$1")
source=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# The operations that it never releases are its own, and left on purpose.
export ASAN_OPTIONS="${ASAN_OPTIONS:-}:detect_leaks=0"
"$program" >"$work/out"
line_of() {
  grep -n -F "$1" "$source" | head -n 1 | cut -d : -f 1
}
while IFS= read -r line; do
  case $line in
  "    at $program+0x"*)
    offset=${line#"    at $program+"}
    echo "    at $(addr2line -s -e "$program" "${offset%% *}" | cut -d ' ' -f 1)"
    ;;
  *) printf '%s\n' "$line" ;;
  esac
done <"$work/out" >"$work/places"
name=$(basename "$source")
diff - "$work/places" <<END
value: 21
outlived its run: timer 1
    at <eval> (script.js:2:1)
outlived its run: weather.get 1
    at <eval> (script.js:1:8)
    at $name:$(line_of 'vow_op_retain(op)')
left: run 1
    at $name:$(line_of 'vow_eval(')
left: script 0
    at $name:$(line_of 'vow_script_open(')
left: weather.get 1
    at <eval> (script.js:1:8)
    at $name:$(line_of 'vow_op_retain(op)')
left: weather.get 2
    at <eval> (script.js:3:15)
    at $name:$(line_of 'vow_op_retain(op)')
END
