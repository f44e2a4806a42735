#!/bin/sh
# Installs the peers into BUILD_DIR/peers (the first time only) and measures
# Vow and them in one run.
#   bench/peers/run.sh BUILD_DIR [ROUNDS]     (writes BUILD_DIR/bench-peers.json)
set -eu
build=$(cd "${1:?usage: bench/peers/run.sh BUILD_DIR [ROUNDS]}" && pwd)
here=$(cd "$(dirname "$0")" && pwd)
peers=$build/peers

fail() {
  echo "bench-peers: $*" >&2
  exit 2
}

command -v node >/dev/null && command -v npm >/dev/null || fail "needs node and npm (apt-get install nodejs npm)"
for program in vow bench_sandbox bench_start; do
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

mkdir -p "$peers/isolated-vm"
if ! is_current .; then
  echo "installing the peers into $peers"
  install . >"$peers/install.log" 2>&1 || fail "npm ci failed; see $peers/install.log"
  cp "$here/package-lock.json" "$peers/installed"
fi

# isolated-vm is compiled here: that needs the headers that came with node, for
# fetching others would go past the registry.
prefix=$(dirname "$(dirname "$(readlink -f "$(command -v node)")")")
if ! is_current isolated-vm; then
  rm -f "$peers/isolated-vm/installed"
  if ! test -e "$prefix/include/node/node.h"; then
    echo "its compiler needs node's headers, and $prefix/include/node has none" >"$peers/isolated-vm/why"
  else
    echo "compiling isolated-vm (a few minutes, once)"
    if npm_config_nodedir=$prefix npm_config_build_from_source=true \
         install isolated-vm >"$peers/isolated-vm/install.log" 2>&1 &&
       (cd "$peers/isolated-vm" && node -e "require('isolated-vm')") >>"$peers/isolated-vm/install.log" 2>&1
    then
      cp "$here/isolated-vm/package-lock.json" "$peers/isolated-vm/installed"
    else
      echo "it does not build; see $peers/isolated-vm/install.log" >"$peers/isolated-vm/why"
    fi
  fi
fi

cp "$here/quickjs.mjs" "$here/work.mjs" "$peers"
cp "$here/isolated.mjs" "$here/work.mjs" "$peers/isolated-vm"
exec node "$here/compare.mjs" "$build/release" "$peers" "$build/bench-peers.json" "${2:-5}"
