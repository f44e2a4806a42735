#!/bin/sh
# mypy --strict accepts the Python package and a program that uses it, and refuses
# wrong uses. Usage: python_types.sh REPO PYTHON PACKAGES CACHE
set -eu
repo=$(realpath "$1")
work=$(mktemp -d)
trap 'rm -rf "$work"' EXIT
python=$2 packages=$3 cache=$4/mypy
check() {
  PYTHONPATH="$packages" MYPYPATH="$repo/bindings/python" "$python" -m mypy --strict \
    --no-error-summary --cache-dir "$cache" "$1"
}
check "$repo/bindings/python/vow"
cat >"$work/good.py" <<'END'
import asyncio
import vow


async def double(n: int, call: vow.Call) -> int:
    call.progress({"left": call.remaining_ms})
    return 2 * n


def sizes(texts: list[str], calls: list[vow.Call]) -> list[int]:
    return [len(text) + call.attempt for text, call in zip(texts, calls)]


async def main() -> None:
    async with vow.Host(audit="audit.jsonl") as host:
        host.tool(double, timeout_ms=100)
        host.tool(sizes, batch_max=9)
        seen: list[vow.Progress] = []
        result = await host.eval("await double(4)", on_progress=seen.append, tenant="a")
        assert result.report["outcome"] == "value" and seen[0].event == "created"
        text: str = await host.metrics()
        print(result.value, text)

asyncio.run(main())
END
check "$work/good.py"
cat >"$work/bad.py" <<'END'
import vow


async def use(host: vow.Host) -> None:
    await host.eval("1", cpu_ms="5")
    await host.eval("1", parent=5)
    n: int = await host.metrics()
END
if check "$work/bad.py" >"$work/found"; then
  echo "bad.py was accepted"
  exit 1
fi
sed -n 's/.*bad.py:\([0-9]*\): error.*\[\(.*\)\]$/\1 \2/p' "$work/found" >"$work/errors"
diff "$work/errors" - <<'END'
5 arg-type
6 arg-type
7 assignment
END
