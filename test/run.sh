#!/bin/sh
# Runs the tests of one preset's build:
#   test/run.sh PRESET JOBS [NAME]
# NAME is a regular expression. Script tests run in groups, one process for all
# files whose names begin with the same word; but each also has a name of its
# own, script.FILE.ENGINE, which NAME may mean: script.value-date.wasm
# Without NAME the preset tsan runs only what has threads.
set -eu
cd "$(dirname "$0")/.."
preset=$1 jobs=$2 name=${3:-}
if [ -n "$name" ]; then
  groups=$(for file in test/script/*.js test/script/*.mjs; do
    file=${file##*/}
    printf 'script.%s.wasm\nscript.%s.native\n' "${file%.*}" "${file%.*}"
  done | { grep -E -e "$name" || true; } | sed 's/^script\.\([^-.]*\).*/\1/' | sort -u | tr '\n' '|')
  VOW_TEST_NAME=$name
  export VOW_TEST_NAME
  exec ctest --preset "$preset" -j "$jobs" -R "$name${groups:+|^script\\.(${groups%|})\$}"
elif [ "$preset" = tsan ]; then
  exec ctest --preset "$preset" -j "$jobs" -L '^threads$'
fi
exec ctest --preset "$preset" -j "$jobs"
