#!/bin/sh
# End-to-end checks of `vow eval`: what set-up errors and output files leave behind.
# Usage: test/cli/eval.sh PATH_TO_VOW
set -u
vow=$(realpath "$1") || exit 2
here=$(dirname "$(realpath "$0")")
. "$here/checks.sh"

mkdir side && cd side || exit 2
# Everything in the folder but the checks' own files.
files() {
  ls -A | grep -v -e '^out$' -e '^err$' | tr '\n' ' '
}
echo '40 + 2' >script.js
echo 'something old, and longer than what is to come: --------------------------' >old
cp old ../old
unharmed() {
  same "$1: files" "$2" "$(files)"
  cmp -s old ../old || fail "$1: the file that was there has changed"
}

# A set-up error leaves every file as it was and makes none, whichever option is wrong.
for option in report audit metrics; do
  for bad in /no/folder/x . ; do
    check "--$option $bad" 2 '' "~vow eval: --$option $bad: cannot be written: *" -- \
      "$vow" eval --allow notes.get --$option $bad script.js
    unharmed "--$option $bad" 'old script.js '
  done
done
check 'a bad last output' 2 '' '~vow eval: --metrics *' -- "$vow" eval --allow notes.get \
  --report old --audit new --metrics /no/folder/x script.js
unharmed 'a bad last output' 'old script.js '
check 'a bad database' 2 '' '~vow eval: old: *' -- "$vow" eval --allow notes.get --db sqlite:old \
  --report new --audit newer script.js
unharmed 'a bad database' 'old script.js '
check 'a bad database, an old report' 2 '' '~vow eval: no/x.db: *' -- "$vow" eval \
  --allow notes.get --db sqlite:no/x.db --report old script.js
unharmed 'a bad database, an old report' 'old script.js '
ln -s made link
check 'a link to nothing' 2 '' '~vow eval: no/x.db: *' -- "$vow" eval --allow notes.get \
  --db sqlite:no/x.db --report link script.js
unharmed 'a link to nothing' 'link old script.js '
check 'a link to nothing, written' 0 42 '' -- "$vow" eval --report link script.js
same 'what the link led to' 1 "$(grep -c '"outcome":"value","value":42' made)"
rm link made
check 'no script' 2 '' 'vow eval: no.js: cannot be read: No such file or directory' -- \
  "$vow" eval --allow notes.get --report old no.js
unharmed 'no script' 'old script.js '
nasty=$(printf 'no\nsuch\033[31m.js')
check 'a message is one line' 2 '' 'vow eval: no?such?[31m.js: cannot be read: No such file or directory' -- \
  "$vow" eval "$nasty"

# Two names for one file.
ln old hard
for pair in '--report new --audit ./new' '--audit old --metrics hard' '--report new --metrics new'; do
  # shellcheck disable=SC2086
  check "$pair" 2 '' '~vow eval: --* and --* name the same file' -- "$vow" eval $pair script.js
  unharmed "$pair" 'hard old script.js '
done
rm hard
check 'the script as report' 2 '' 'vow eval: --report ./script.js and the script name the same file' -- \
  "$vow" eval --report ./script.js script.js
same 'the script is whole' '40 + 2' "$(cat script.js)"
check 'the new database as report' 2 '' 'vow eval: --report new and --db name the same file' -- \
  "$vow" eval --allow notes.get --db sqlite:./new --report new script.js
unharmed 'the new database as report' 'old script.js '
check 'the log of the database as audit' 2 '' 'vow eval: --audit vow.db-wal and --db name the same file' -- \
  "$vow" eval --allow notes.get --audit vow.db-wal script.js
unharmed 'the log of the database as audit' 'old script.js '
cp old ../redirected
"$vow" eval --report ../redirected script.js >>../redirected 2>err
same 'standard output as report: status' 2 $?
same 'standard output as report' \
  'vow eval: --report ../redirected and standard output name the same file' "$(cat err)"
cmp -s ../redirected ../old || fail 'standard output as report: the file has changed'
check 'the null device twice' 0 42 '' -- "$vow" eval --report /dev/null --audit /dev/null script.js
unharmed 'the null device twice' 'old script.js '

# What is written replaces what was there, as a whole.
check 'outputs' 0 42 '' -- "$vow" eval --report old --audit audit --metrics metrics script.js
same 'report' 1 "$(grep -c '^{"version":1,"outcome":"value","value":42,.*}$' old)"
same 'report, alone' 1 "$(wc -l <old)"
same 'audit' 1 "$(grep -c '"event":"ended","outcome":"value",' audit)"
same 'metrics' 1 "$(grep -c '^vow_runs_total{outcome="value",kind="none"} 1$' metrics)"
check 'a report that cannot be written' 1 42 'vow eval: --report /dev/full: cannot be written: No space left on device' -- \
  "$vow" eval --report /dev/full script.js
same 'sandboxes' 'vow_sandboxes_total{memory="recycled"} 1
vow_sandboxes_total{memory="discarded"} 0' "$(grep '^vow_sandboxes_total' metrics)"
cp ../old old
rm audit metrics

# What `make run` shows.
check 'the first notes' 0 '{"put":3,"created":3,"replaced":0}' '' -- \
  "$vow" notes put --db sqlite:../notes.db --file "$here/../../examples/notes.jsonl"
check 'the first example' 0 \
  '{"titles":["Welcome","Ideas"],"found":["ideas","welcome"],"missing":"NotFoundError"}' '' -- \
  "$vow" eval --db sqlite:../notes.db --allow 'notes.*' "$here/../../examples/notes.js"

# Whatever runs out before the script begins: one line, and nothing is made.
descriptors() {
  ulimit -n "$1"
  ASAN_OPTIONS=${ASAN_OPTIONS:-}:detect_leaks=0 exec "$vow" eval --allow 'notes.*' --report report script.js
}
n=30 refused=0
while [ $n -gt 3 ] && (ulimit -n $n && exec "$vow" version) >/dev/null 2>&1; do
  (descriptors $n) >out 2>err
  status=$?
  if [ $status -eq 2 ]; then
    refused=$((refused + 1))
    same "$n descriptors" 1 "$(wc -l <err)"
    unharmed "$n descriptors" 'old script.js '
  elif [ $status -ne 0 ]; then
    fail "$n descriptors: status $status: $(cat err)"
  fi
  rm -f report vow.db*
  n=$((n - 1))
done
[ $refused -gt 5 ] || fail "descriptors: only $refused set-up errors"
if (ulimit -v 3000000 && exec "$vow" version) >/dev/null 2>&1; then
  check 'no address space' 2 '' '~vow eval: no memory or address space *' -- \
    sh -c 'ulimit -v 3000000; exec "$@"' sh "$vow" eval --allow 'notes.*' --report new script.js
  unharmed 'no address space' 'old script.js '
fi

# What a script calls its stack ends its line on standard error, whatever it holds.
echo 'const e = new Error("x"); e.stack = "no newline"; throw e' >stack.js
check 'a stack without newline' 1 '' 'vow eval: error (script): Error: x
no newline' -- "$vow" eval stack.js
same 'a stack without newline: lines' 2 "$(wc -l <err)"

# The environment's time zone and language are not the script's.
echo '[new Date(0).getHours(), new Date(0).getTimezoneOffset(), (1.5).toLocaleString()]' >zone.js
for engine in wasm native; do
  check "the time zone ($engine)" 0 '[0,0,"1.5"]' '' -- \
    env TZ=XYZ+5 LC_ALL=de_DE.UTF-8 "$vow" eval --engine $engine zone.js
done

# A script larger than the memory it may have: a limit, with a report.
{ echo '42'; head -c 12000000 /dev/zero | tr '\0' ' '; } >large.js
for engine in wasm native; do
  check "a large script ($engine)" 3 '' '~vow eval: limit (memory): *--memory-mib*' -- \
    "$vow" eval --engine $engine --memory-mib 8 --report report large.js
  same "a large script ($engine): report" 1 \
    "$(grep -c '"outcome":"limit","error":{"kind":"memory","message":"the script (11[0-9]* KiB)' report)"
  check "a large script that fits ($engine)" 0 42 '' -- "$vow" eval --engine $engine large.js
done

finish eval
