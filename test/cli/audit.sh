#!/bin/sh
# End-to-end checks of --audit and `vow audit verify`.
# Usage: test/cli/audit.sh PATH_TO_VOW
set -u
vow=$(realpath "$1") || exit 2
. "$(dirname "$(realpath "$0")")/checks.sh"

field() { # report field: a number or a string of "audit"
  sed -n 's/.*"audit":{.*"'"$2"'":"\{0,1\}\([0-9a-f]*\).*/\1/p' "$1"
}
whole() { # name file lines
  check "$1" 0 "~$3 lines are whole, the last hash is *" '' -- "$vow" audit verify "$2"
}

echo '40 + 2' >script.js
echo 'await notes.get("none").catch(() => 0); 1' >calls.js
for engine in wasm native; do
  rm -f a
  check "first run ($engine)" 0 1 '' -- "$vow" eval --engine $engine --allow 'notes.*' --vault mine \
    --audit a --report r1 calls.js
  whole "one run ($engine)" a 5
  same "lines in the report ($engine)" 5 "$(field r1 lines)"
  same "nothing dropped ($engine)" 0 "$(field r1 dropped)"
  same "events ($engine)" 'opened created started settled ended ' \
    "$(sed 's/.*"event":"\([a-z_]*\)".*/\1/' a | tr '\n' ' ')"
  same "tenant ($engine)" 5 "$(grep -c '"tenant":"mine"' a)"
  check "second run ($engine)" 0 42 '' -- "$vow" eval --engine $engine --audit a --report r2 script.js
  whole "two runs ($engine)" a 7
  same "lines in the second report ($engine)" 7 "$(field r2 lines)"
  same "run ids ($engine)" 2 "$(sed 's/.*"run":"\([0-9a-f]*\)".*/\1/' a | sort -u | wc -l)"
done
check 'the first end' 0 "~7 lines are whole, *, 2 lines behind the one of --last" '' -- \
  "$vow" audit verify --last "$(field r1 last)" a
check 'the last end' 0 "7 lines are whole, the last hash is $(field r2 last)" '' -- \
  "$vow" audit verify --last "$(field r2 last)" a
check 'standard input' 0 '~7 lines are whole, *' '' -- "$vow" audit verify - <a

# What was done to a file is named, with the line.
sed '3s/notes.get/notes.put/' a >b
check 'altered' 1 'line 3: altered: its text does not fit its hash' '' -- "$vow" audit verify b
sed 3d a >b
check 'removed' 1 'line 3: removed: 1 line before it is missing' '' -- "$vow" audit verify b
sed '3{h;d};5G' a >b
check 'reordered' 1 '~line 5: reordered: *' '' -- "$vow" audit verify b
head -n 5 a >b
check 'a cut end' 1 '~line 5: cut end: *' '' -- "$vow" audit verify --last "$(field r2 last)" b
check 'a cut end is continued' 0 42 '' -- "$vow" eval --audit b script.js
check 'a cut end that was continued' 1 '~line 7: cut end: *' '' -- \
  "$vow" audit verify --last "$(field r2 last)" b
head -c 700 a >b
check 'a cut line' 1 '~line *: cut end: it has no end' '' -- "$vow" audit verify b
check 'a cut line is cut off' 0 42 '' -- "$vow" eval --audit b script.js
check 'a cut line was cut off' 0 '~*' '' -- "$vow" audit verify b
for other in 'half a line' "$(printf 'text\nhalf a line')"; do
  printf %s "$other" >b
  cp b before
  check 'a file that is no audit' 2 '' '~vow eval: --audit b: it does not end with a line *' -- \
    "$vow" eval --audit b script.js
  cmp -s b before || fail 'a file that is no audit: it was changed'
done
check 'an empty file' 1 'line 0: cut end: the file is empty' '' -- "$vow" audit verify /dev/null
head -c 100000 /dev/zero | tr '\0' x >b
check 'a long line' 1 'line 1: altered: it is longer than any line of an audit file' '' -- \
  "$vow" audit verify b
check 'no file' 2 '' 'vow audit verify: nowhere: cannot be read: No such file or directory' -- \
  "$vow" audit verify nowhere
check 'a folder' 2 '' '~vow audit verify: .: cannot be read: *' -- "$vow" audit verify .
check 'no hash' 2 '' '~vow audit verify: --last: *' -- "$vow" audit verify --last 12 a
check 'no verb' 2 '' '~vow audit: needs `verify FILE`*' -- "$vow" audit check a

# Somebody else writes to it.
(
  flock 9
  check 'locked' 2 '' 'vow eval: --audit a: another process writes to it' -- \
    "$vow" eval --audit a script.js
  [ $failed -eq 0 ]
) 9<>a || failed=$((failed + 1))

# Security events.
echo 'await sleep(60000)' >slow.js
check 'a limit' 3 '' '~*timeout*' -- "$vow" eval --wall-ms 50 --audit c slow.js
same 'a limit: security' 'limit ended ' \
  "$(grep '"security":true' c | sed 's/.*"event":"\([a-z_]*\)".*/\1/' | tr '\n' ' ')"
echo 'throw new RangeError("x")' >throws.js
check 'an exception' 1 '' '~*RangeError*' -- "$vow" eval --audit d throws.js
same 'an exception: security' 1 \
  "$(grep -c '"event":"ended","error":"RangeError","outcome":"error","kind":"script","security":true' d)"

# Places that take no line: the run goes on, what is lacking is counted.
check 'a full device' 1 1 '~vow eval: --audit /dev/full: 5 events could not be written: *' -- \
  "$vow" eval --allow 'notes.*' --audit /dev/full --report r calls.js
same 'a full device: lines' 0 "$(field r lines)"
same 'a full device: dropped' 5 "$(field r dropped)"
echo 'for (let i = 0; i < 200; i++) await notes.get("none").catch(() => 0); 1' >many.js
# (a limit on the size of a file is met as a full disk is, in the middle of a line)
cp a e
check 'a full disk' 1 1 '~vow eval: --audit e: * events could not be written: File too large' -- \
  sh -c 'trap "" XFSZ; ulimit -f 300; exec "$@"' sh \
  "$vow" eval --allow notes.get --db sqlite:vow.db --audit e --report /dev/null many.js
whole 'a full disk: the chain' e '*'
mkfifo fifo
check 'a pipe without reader' 2 '' 'vow eval: --audit fifo: cannot be written: nobody reads from it' -- \
  "$vow" eval --audit fifo script.js
exec 8<>fifo # read by nobody
sed 's/200/2000/' many.js >more.js
check 'a pipe that nobody reads' 1 1 '~vow eval: --audit fifo: * events *: its reader is too slow' -- \
  "$vow" eval --allow notes.get --audit fifo --report r more.js
# Each gap that could be told of later has a line of its own.
counted=$(($(field r lines) + $(field r dropped)))
same 'a pipe that nobody reads: all is counted' yes \
  "$([ $counted -ge 6002 ] && [ $counted -le 6012 ] && echo yes || echo $counted)"
exec 8>&-

finish audit
