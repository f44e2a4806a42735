#!/bin/sh
# End-to-end checks of `vow notes`.
# Usage: test/cli/notes.sh PATH_TO_VOW
set -u
vow=$(realpath "$1") || exit 2
. "$(dirname "$(realpath "$0")")/checks.sh"
# Everything in the folder but the checks' own files.
files() {
  ls | grep -v -e '^out$' -e '^err$' -e '\.jsonl$' | tr '\n' ' '
}

missing='vow notes get: vow.db: there is no such database'
check 'get without a database' 2 '' "$missing" -- "$vow" notes get a
check 'list without a database' 2 '' '~*there is no such database' -- "$vow" notes list
check 'delete without a database' 2 '' '~*there is no such database' -- "$vow" notes delete a
check 'put of a missing file' 2 '' 'vow notes put: no.jsonl: No such file or directory' -- \
  "$vow" notes put --file no.jsonl
check 'put of a folder' 2 '' 'vow notes put: .: Is a directory' -- "$vow" notes put --file .
same 'no database was made' '' "$(files)"

cat >two.jsonl <<'EOF'
{"id":"a","title":"Größe","body":"line\nline","tags":["x","y"]}

{"title":"made"}
EOF
check 'put' 0 '{"put":2,"created":2,"replaced":0}' '' -- "$vow" notes put --file two.jsonl
same 'one file' 'vow.db ' "$(files)"
check 'get' 0 '~{"id":"a","title":"Größe","body":"line\\nline","tags":\["x","y"\],"created":"20*Z","updated":"20*Z"}' \
  '' -- "$vow" notes get a
created=$(sed 's/.*"created":"\([^"]*\)".*/\1/' out)
check 'get of a missing note' 1 '' "vow notes get: there is no note 'b' in vault 'default'" -- \
  "$vow" notes get b

check 'put replaces as a whole' 0 '{"put":1,"created":0,"replaced":1,"id":"a"}' '' -- \
  "$vow" notes put <<'EOF'
{"id":"a","body":"new"}
EOF
check 'created stays' 0 "~{\"id\":\"a\",\"title\":\"\",\"body\":\"new\",\"tags\":\[\],\"created\":\"$created\",*" '' -- \
  "$vow" notes get a
check 'put of one tells its id' 0 '~{"put":1,"created":1,"replaced":0,"id":"????????-????-7???-????-????????????"}' '' -- \
  "$vow" notes put --file - <<'EOF'
{"title":"one","body":""}
EOF
check 'put of nothing' 0 '{"put":0,"created":0,"replaced":0}' '' -- "$vow" notes put </dev/null

# A bad line: its number, and nothing of the import is kept.
bad() {
  printf '%s\n' '{"id":"half","title":"x"}' "$1" '{"id":"late","title":"x"}' >bad.jsonl
  check "bad line $1" 1 '' "vow notes put: bad.jsonl:2: $2; nothing was put" -- \
    "$vow" notes put --file bad.jsonl
}
bad '{' 'is not JSON (at character 2)'
bad '{title:"x"}' 'is not strict JSON (RFC 8259)'
bad '{"title":"x"} {}' 'is not JSON'
bad '"text"' 'a note must be an object, got text'
bad '[1]' 'a note must be an object, got array'
bad '{}' 'a note needs a title or a body'
bad '{"title":5}' 'title must be a string, got number'
bad '{"title":null}' 'title must be a string, got null'
bad '{"title":"x","body":{"a":1}}' 'body must be a string, got object'
bad '{"title":"x","tags":"t"}' 'tags must be an array of strings, got string'
bad '{"title":"x","tags":["a","b",7]}' 'tags[2] must be a string, got number'
bad '{"title":"x","tags":[["a"]]}' 'tags[0] must be a string, got array'
bad '{"title":"x","titel":"y"}' "unknown key 'titel'; there are: id, title, body, tags, created, updated"
bad '{"title":"x","title":"y"}' "key 'title' is given twice"
bad '{"title":"x","id":""}' 'id must not be empty'
bad '{"title":"x","id":"a\u0000b"}' 'id must not contain control characters'
bad '{"title":"\ud800"}' 'title must be well-formed Unicode, without lone surrogates'
bad '{"title":"x","created":"yesterday"}' \
  "created must be a date like 2026-01-31T12:00:00.000Z, got 'yesterday'"
bad '{"title":"x","created":"2026-02-30T12:00:00.000Z"}' \
  "created must be a date like 2026-01-31T12:00:00.000Z, got '2026-02-30T12:00:00.000Z'"
printf '{"title":"\377"}\n' >bad.jsonl
check 'not UTF-8' 1 '' 'vow notes put: bad.jsonl:1: is not UTF-8 text; nothing was put' -- \
  "$vow" notes put --file bad.jsonl
printf '{"title":"x"}\0\n' >bad.jsonl
check 'a zero byte' 1 '' 'vow notes put: bad.jsonl:1: is not UTF-8 text; nothing was put' -- \
  "$vow" notes put --file bad.jsonl
head -c 9000000 /dev/zero | tr '\0' x >bad.jsonl
check 'an endless line' 1 '' 'vow notes put: bad.jsonl:1: is longer than 8388608 bytes; nothing was put' -- \
  "$vow" notes put --file bad.jsonl
check 'nothing half done' 1 '' "vow notes get: there is no note 'half' in vault 'default'" -- \
  "$vow" notes get half

printf '\357\273\277{"id":"dos","title":"x"}\r\n\r\n{"id":"last","title":"no newline"}' >dos.jsonl
check 'byte order mark, CR, no last newline' 0 '{"put":2,"created":2,"replaced":0}' '' -- \
  "$vow" notes put --vault dos --file dos.jsonl

# Lists, in the order of ids, beyond one page; and a list can be put again.
i=0
while [ $i -lt 1203 ]; do
  printf '{"id":"n%04d","title":"t%d","tags":["a"]}\n' $i $i
  i=$((i + 1))
done >many.jsonl
check 'put of many' 0 '{"put":1203,"created":1203,"replaced":0}' '' -- \
  "$vow" notes put --vault many --file many.jsonl
"$vow" notes list --vault many >all.jsonl || fail 'list'
same 'list has all' 1203 "$(wc -l <all.jsonl)"
same 'list is in order' "$(sort all.jsonl | cksum)" "$(cksum <all.jsonl)"
check 'list --limit --after' 0 '~{"id":"n0011",*}
{"id":"n0012",*}' '' -- "$vow" notes list --vault many --limit 2 --after n0010
same 'list --limit beyond a page' 1001 "$("$vow" notes list --vault many --limit=1001 | wc -l)"
check 'list after the end' 0 '' '' -- "$vow" notes list --vault many --after zzz
check 'put of a list' 0 '{"put":1203,"created":1203,"replaced":0}' '' -- \
  "$vow" notes put --db sqlite:copy.db --file all.jsonl
"$vow" notes list --db sqlite:copy.db >again.jsonl || fail 'list of the copy'
cmp -s all.jsonl again.jsonl || fail 'the copy differs'
same 'list into a pipe that closes' 'n0000' "$("$vow" notes list --vault many | head -n 1 | cut -c 8-12)"

check 'delete is all or none' 1 '' \
  "vow notes delete: there is no note 'nope' in vault 'many'; nothing was deleted" -- \
  "$vow" notes delete --vault many n0001 nope n0002
check 'delete' 0 '{"deleted":2}' '' -- "$vow" notes delete --vault many n0001 n0002
check 'deleted' 1 '' "vow notes delete: there is no note 'n0001' in vault 'many'" -- \
  "$vow" notes delete --vault many n0001
check 'an id like an option' 1 '' "vow notes delete: there is no note '--x' in vault 'default'" -- \
  "$vow" notes delete -- --x

# Usage.
check 'no subcommand' 2 '' \
  'vow notes: say what to do: put, get, list or delete; see: vow help notes' -- "$vow" notes
check 'wrong subcommand' 2 '' "vow notes: there is no 'lsit'; did you mean list?" -- "$vow" notes lsit
check 'get without id' 2 '' 'vow notes get: needs an ID: vow notes get ID' -- "$vow" notes get
check 'get of two' 2 '' \
  "vow notes get: does not know what to do with 'b'; usage: vow notes get ID" -- "$vow" notes get a b
check 'unknown option' 2 '' 'vow notes list: unknown option --vualt; did you mean --vault?' -- \
  "$vow" notes list --vualt x
check 'limit 0' 2 '' 'vow notes list: --limit 0: must be 1 to 4294967295' -- "$vow" notes list --limit 0
check 'bad vault' 2 '' \
  "vow notes list: --vault '': a vault's name is 1 to 100 bytes of UTF-8 without control characters" -- \
  "$vow" notes list --vault=
check 'bad scheme' 2 '' "vow notes list: 'http://x': a database is given as sqlite:FILE" -- \
  "$vow" notes list --db http://x
check 'not a database' 2 '' 'vow notes list: many.jsonl: is not an SQLite database' -- \
  "$vow" notes list --db sqlite:many.jsonl
check 'help' 0 '~*vow notes put*--file FILE*vow notes delete*' '' -- "$vow" notes --help
check 'help of one' 0 '~vow notes get ID*--vault NAME*' '' -- "$vow" notes get --help
if [ -e /dev/full ]; then
  "$vow" notes list --vault many >/dev/full 2>err
  same 'full output: status' 1 $?
  same 'full output' 'vow notes list: cannot write to standard output: No space left on device' "$(cat err)"
fi
same 'only the databases are left' 'copy.db vow.db ' "$(files)"

finish notes
