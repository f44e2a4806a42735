#!/bin/sh
# Installs the peers into BUILD_DIR/peers (the first time only) and measures
# Vow and them in one run: first sandboxes, then Deferred.
#   bench/peers/run.sh BUILD_DIR [ROUNDS]
# Writes BUILD_DIR/bench-peers.json and BUILD_DIR/bench-deferred.json.
set -eu
build=$(cd "${1:?usage: bench/peers/run.sh BUILD_DIR [ROUNDS]}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
peers=$build/peers

fail() {
  echo "bench-peers: $*" >&2
  exit 2
}

command -v node >/dev/null && command -v npm >/dev/null || fail "needs node and npm (apt-get install nodejs npm)"
for program in vow bench_sandbox bench_load bench_start; do
  test -x "$build/release/$program" || fail "$build/release/$program is missing; run: make"
done

# npm ci takes exactly what the lock file names and checks its hashes.
install() { # FOLDER
  cp "$here/${1#.}/package.json" "$here/${1#.}/package-lock.json" "$peers/$1"
  (cd "$peers/$1" && npm ci --no-audit --no-fund --loglevel=error)
}

is_current() { # FOLDER
  test -e "$peers/$1/installed" && cmp -s "$here/${1#.}/package-lock.json" "$peers/$1/installed"
}

mkdir -p "$peers/isolated-vm" "$peers/better-sqlite3"
if ! is_current .; then
  echo "installing the peers into $peers"
  install . >"$peers/install.log" 2>&1 || fail "npm ci failed; see $peers/install.log"
  cp "$here/package-lock.json" "$peers/installed"
fi

# These are compiled here: that needs the headers that came with node, for fetching
# others would go past the registry.
prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")

compile() { # NAME
  is_current "$1" && return
  rm -f "$peers/$1/installed"
  if ! test -e "$prefix/include/node/node.h"; then
    echo "its compiler needs node's headers, and $prefix/include/node has none" >"$peers/$1/why"
    return
  fi
  echo "compiling $1 (a few minutes, once)"
  if npm_config_nodedir=$prefix npm_config_build_from_source=true \
       install "$1" >"$peers/$1/install.log" 2>&1 &&
     (cd "$peers/$1" && node -e "require('$1')") >>"$peers/$1/install.log" 2>&1
  then
    cp "$here/$1/package-lock.json" "$peers/$1/installed"
  else
    echo "it does not build; see $peers/$1/install.log" >"$peers/$1/why"
  fi
}
compile isolated-vm
compile better-sqlite3

cp "$here/quickjs.mjs" "$here/work.mjs" "$peers"
cp "$here/isolated.mjs" "$here/work.mjs" "$peers/isolated-vm"
cp "$here/notes.mjs" "$here/work.mjs" "$peers/better-sqlite3"
node "$here/compare.mjs" "$build/release" "$peers" "$build/bench-peers.json" "${2:-5}"
echo
exec node "$here/deferred.mjs" "$build" "${2:-5}"
