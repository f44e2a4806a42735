#!/bin/sh
# End-to-end checks of `vow types`; what TypeScript says of its output is in
# types_test.py.
# Usage: test/cli/types.sh PATH_TO_VOW
set -u
vow=$(realpath "$1") || exit 2
. "$(dirname "$(realpath "$0")")/checks.sh"

check 'no list' 2 '' 'vow types: --allow is missing; usage: vow types --allow LIST' -- "$vow" types
check 'no such operation' 2 '' "~vow types: --allow: there is no operation 'notes.gett'; there are: *" -- \
  "$vow" types --allow notes.gett
check 'an argument' 2 '' 'vow types: takes no arguments; usage: vow types --allow LIST' -- \
  "$vow" types --allow 'notes.*' FILE
check 'an unknown option' 2 '' 'vow types: unknown option --alow; did you mean --allow?' -- \
  "$vow" types --alow x
check 'nowhere to write' 1 '' '~vow types: standard output: *' -- \
  sh -c '"$1" types --allow "*" >/dev/full' sh "$vow"
check 'one operation' 0 '~*declare class ApiError*interface Note {*declare namespace notes {*function get(id: string, options?: CallOptions): Promise<Note>;*}' '' -- \
  "$vow" types --allow notes.get
case $(cat out) in *kv*) fail 'kv is declared though not allowed' ;; esac
check 'none' 0 '~*declare class ApiError*' '' -- "$vow" types --allow ''
case $(cat out) in *'interface Note'*) fail 'Note is declared though nothing needs it' ;; esac
check 'help' 0 '~vow types --allow LIST*' '' -- "$vow" help types
check 'help by option' 0 '~vow types --allow LIST*' '' -- "$vow" types --help
same 'no file was made' 'err out ' "$(ls | tr '\n' ' ')"

finish types
