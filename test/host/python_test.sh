#!/bin/sh
# The Python package: installed by pip into an environment of its own, its tests,
# and the example. Usage: python_test.sh VOW REPO PYTHON. Status 77: pip has no
# registry to take setuptools from.
set -eu
vow=$(realpath "$1")
repo=$(realpath "$2")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
# pip builds beside the sources: from a copy, so that the tree stays clean.
cp -r "$repo/bindings/python" "$work/source"
"$3" -m venv "$work/venv"
if ! "$work/venv/bin/pip" install -q --disable-pip-version-check "$work/source" >"$work/log" 2>&1; then
  cat "$work/log"
  grep -q -e 'No matching distribution' -e 'NewConnectionError' "$work/log" && exit 77
  exit 1
fi
cp "$repo/bindings/python/test/test_vow.py" "$work/"
cd "$work"
export VOW="$vow"
./venv/bin/python -c 'import os, vow; assert os.path.exists(os.path.join(vow.__path__[0], "py.typed")) and "venv" in vow.__file__'
./venv/bin/python -W error::RuntimeWarning test_vow.py
./venv/bin/python "$repo/examples/python_tools.py" >out
diff - out <<'END'
interface CallOptions { timeout?: number; signal?: AbortSignal | null; priority?: "normal" | "low" }
/** The orders of a customer, or all of them. */
declare function find_orders(customer?: (string | null), options?: CallOptions): Promise<Array<{"id": string; "customer": string; "cents": number; [key: string]: unknown}>>;
/** What one dollar is in another currency. */
declare function exchange_rate(currency: ("EUR" | "GBP"), options?: CallOptions): Promise<number>;
/** Sends a mail to a customer. */
declare function send_mail(to: string, subject: string, body: string, options?: CallOptions): Promise<null>;

mail to ada: Your orders: 2 orders, 27.75 EUR
{'orders': ['o-1', 'o-3'], 'euros': 27.75, 'failed': 'NotFoundError'}
calls: 4
stopped: cpu
END
