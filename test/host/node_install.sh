#!/bin/sh
# The node package as its README says: npm installs it from a copy of the tree into a
# fresh folder, without a network, and a program there uses it. Once linked, as npm
# does with a folder, once as the files that would be published.
# Usage: node_install.sh VOW REPO. Status 77: there is no npm.
set -eu
vow=$(realpath "$1")
repo=$(realpath "$2")
command -v npm >/dev/null || exit 77
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
mkdir -p "$work/home"
export HOME="$work/home" npm_config_cache="$work/home/cache" npm_config_update_notifier=false VOW="$vow"

for how in linked copied; do
  mkdir -p "$work/$how/bindings"
  cp -r "$repo/bindings/node" "$work/$how/bindings/"
  cd "$work/$how"
  echo '{"private": true}' >package.json
  options=
  [ $how = linked ] || options=--install-links
  npm install --offline --no-audit --no-fund $options ./bindings/node >log 2>&1 || {
    cat log
    exit 1
  }
  # What was copied must do without the sources.
  [ $how = linked ] || rm -r bindings
  cat >use.mjs <<'END'
import { Host, OperationError, ToolError } from "vow";

const host = await Host.open();
host.tool("double", { parameters: { n: "integer" } }, async (n) => {
  if (n < 0) throw new ToolError("too small", { name: "RangeError" });
  return 2 * n;
});
console.log((await host.eval("await double(21)", { cpuMs: 5000 })).value);
await host.eval("await double(-1)").catch((error) => console.log(error instanceof OperationError, error.message));
await host.close();
END
  node use.mjs >out
  diff - out <<'END'
42
true error (api): RangeError: too small
END
done
