# Sourced by the end-to-end checks of the command: makes a folder of their own, and
# goes there.
work=$(mktemp -d) || exit 2
trap 'rm -rf "$work"' EXIT
cd "$work" || exit 2
failed=0 checks=0

# check NAME STATUS STDOUT STDERR -- COMMAND...: standard input is the caller's.
# A "~" before an expectation makes it a shell pattern. `vow eval` looks for leaks,
# which it tells on standard error.
check() {
  name=$1 want_status=$2 want_out=$3 want_err=$4
  shift 5
  if [ "$1" = "$vow" ] && [ "$2" = eval ]; then
    shift 2
    set -- "$vow" eval --debug "$@"
  fi
  "$@" >out 2>err
  status=$?
  checks=$((checks + 1))
  same "$name: status" "$want_status" "$status"
  same "$name: stdout" "$want_out" "$(cat out)"
  same "$name: stderr" "$want_err" "$(cat err)"
  [ "$want_status" -ne 2 ] || [ "$(wc -l <err)" -le 1 ] || fail "$name: more than one line on stderr"
}

same() {
  case $2 in
  '~'*) case $3 in ${2#?}) return ;; esac ;;
  "$3") return ;;
  esac
  fail "$1: got '$3', not '$2'"
}

fail() {
  failed=$((failed + 1))
  echo "FAILED: $1" >&2
}

# finish NAME: the last line and the exit status of a script of checks.
finish() {
  [ "$failed" -eq 0 ] && echo "$1: $checks checks passed"
  [ "$failed" -eq 0 ]
}
