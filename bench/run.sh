#!/bin/sh
# Our own measurements: a table of each program, and all figures as JSON.
#   bench/run.sh BUILD_DIR     (a release build; writes BUILD_DIR/bench.json)
set -eu
build=${1:?usage: bench/run.sh BUILD_DIR}
programs="op pool task executor sandbox load"
for name in $programs start; do
  test -x "$build/bench_$name" || { echo "bench: $build/bench_$name is missing; run: make" >&2; exit 2; }
done
load=$(cut -d' ' -f1 /proc/loadavg)
cores=$(nproc)
echo "$cores cores, load $load before the start (figures want an idle machine)"
partial=$build/bench.json.partial
printf '{"cores":%s,"load_before":%s' "$cores" "$load" >"$partial"
for name in $programs; do
  echo
  "$build/bench_$name" --json-file "$build/bench_$name.json"
  { printf ',"%s":' "$name"; cat "$build/bench_$name.json"; } >>"$partial"
  rm "$build/bench_$name.json"
done
echo
python3 "$(dirname "$0")/host.py" "$build/vow" >"$build/bench_host.txt"
sed '$d' "$build/bench_host.txt"
{ printf ',"host":'; tail -1 "$build/bench_host.txt"; } >>"$partial"
rm "$build/bench_host.txt"
echo
echo "An empty program, from start to end, and an empty script (starts, ms, peak KiB):"
empty=$(mktemp)
trap 'rm -f "$empty"' EXIT
"$build/bench_start" 100 "$build/vow" run "$empty" -- "$build/vow" eval "$empty" >"$build/bench_start.txt"
cat "$build/bench_start.txt"
{ printf ',"start":['; paste -sd, "$build/bench_start.txt"; printf ']'; } >>"$partial"
rm "$build/bench_start.txt"
printf '}\n' >>"$partial"
mv "$partial" "$build/bench.json"
echo
echo "written: $build/bench.json"
