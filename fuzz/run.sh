#!/bin/sh
# Runs each fuzz target for a short while: fuzz/run.sh BUILD [SECONDS]
# It begins with what is in seeds/TARGET. What is interesting stays in BUILD/corpus for
# the next time; an input that breaks something goes to BUILD/finds, and the status is 1.
build=$1
seconds=${2:-60}
here=$(dirname "$0")
if [ ! -d "$build" ]; then
  echo "usage: fuzz/run.sh BUILD [SECONDS]" >&2
  exit 2
fi
found=0
mkdir -p "$build/finds"
for source in "$here"/fuzz_*.c; do
  name=$(basename "$source" .c)
  log=$build/$name.log
  [ -x "$build/$name" ] || { echo "$name: not built in $build" >&2; exit 2; }
  mkdir -p "$build/corpus/$name"
  set -- "$build/corpus/$name"
  [ ! -d "$here/seeds/$name" ] || set -- "$@" "$here/seeds/$name"
  if "$build/$name" -max_total_time="$seconds" -timeout=10 -max_len=4096 -print_final_stats=1 \
      -artifact_prefix="$build/finds/$name-" "$@" >"$log" 2>&1; then
    units=$(sed -n 's/^stat::number_of_executed_units: *//p' "$log")
    covered=$(sed -n 's/.* cov: \([0-9]*\) .*/\1/p' "$log" | tail -1)
    echo "$name: nothing found in ${seconds} s ($units inputs, $covered edges)"
  else
    found=1
    echo "$name: FOUND something:"
    grep -E '^(==|SUMMARY|artifact_prefix|Test unit)|ERROR|runtime error|Assert' "$log" | head -5
  fi
done
exit $found
