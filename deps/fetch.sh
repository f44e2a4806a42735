#!/bin/sh
# Brings one pinned package into DIR and unpacks it, checking its hash first.
#   deps/fetch.sh DIR quickjs|ada|wasmtime|libuv|sqlite
# Packages come through the registries' own clients (cargo, pip). A package
# that is already there is not fetched again, so later builds work offline.
set -eu
dir=$1 name=$2
here=$(cd "$(dirname "$0")" && pwd)
mkdir -p "$dir/download"
dir=$(cd "$dir" && pwd)
# What was unpacked by other pins, or in another way, is done anew.
pins=$(cat "$here/SHA256SUMS" "$here/fetch.sh" | sha256sum | cut -d' ' -f1)
[ "$(cat "$dir/$name/.complete" 2>/dev/null)" = "$pins" ] && exit 0

fail() { echo "vow deps: $*" >&2; exit 1; }

check() {
  wanted=$(awk -v f="$1" '$2 == f { print $1 }' "$here/SHA256SUMS")
  found=$(sha256sum "$dir/download/$1" | cut -d' ' -f1)
  if [ "$wanted" != "$found" ]; then
    rm -f "$dir/download/$1"
    fail "$1 has sha256 $found, deps/SHA256SUMS says $wanted; the file was removed, nothing was built from it"
  fi
}

crate() { # name version
  file=$1-$2.crate
  if [ ! -f "$dir/download/$file" ]; then
    command -v cargo >/dev/null || fail "cargo is needed to fetch $file (1.82 or newer), or put the file into $dir/download by hand"
    mkdir -p "$dir/empty"
    (cd "$dir/empty" && CARGO_HOME="$dir/cargo" cargo info -q --registry crates-io "$1@$2" >/dev/null) ||
      fail "cargo could not fetch $1 $2 ('cargo info' needs cargo 1.82 or newer and the crate registry), or put $file into $dir/download by hand"
    cp "$dir"/cargo/registry/cache/*/"$file" "$dir/download/"
  fi
  check "$file"
}

wheel() { # name version file
  if [ ! -f "$dir/download/$3" ]; then
    python3 -m pip --version >/dev/null 2>&1 || fail "python3 with pip is needed to fetch $3, or put the file into $dir/download by hand"
    python3 -m pip download -q --disable-pip-version-check --no-deps --only-binary :all: \
      --platform manylinux1_x86_64 -d "$dir/download" "$1==$2" ||
      fail "pip could not fetch $1 $2, or put $3 into $dir/download by hand"
  fi
  check "$3"
}

unpack() { # crate-file strip path-inside
  rm -rf "$dir/$name"
  mkdir -p "$dir/$name"
  tar xzf "$dir/download/$1" -C "$dir/$name" --strip-components="$2" "$3"
}

case $name in
quickjs)
  crate libquickjs-ng-sys 0.14.0
  unpack libquickjs-ng-sys-0.14.0.crate 3 libquickjs-ng-sys-0.14.0/embed/quickjs
  ;;
ada)
  crate ada-url 4.0.0
  unpack ada-url-4.0.0.crate 1 ada-url-4.0.0
  ;;
sqlite)
  crate libsqlite3-sys 0.39.1
  unpack libsqlite3-sys-0.39.1.crate 2 libsqlite3-sys-0.39.1/sqlite3
  ;;
libuv)
  crate libuv-sys2 1.53.1
  unpack libuv-sys2-1.53.1.crate 2 libuv-sys2-1.53.1/libuv
  ;;
wasmtime)
  crate wasmtime-c-api-impl 50.0.1
  wheel=wasmtime-50.0.1-py3-none-manylinux1_x86_64.whl
  wheel wasmtime 50.0.1 $wheel
  unpack wasmtime-c-api-impl-50.0.1.crate 1 wasmtime-c-api-impl-50.0.1/include
  # The headers guard each feature; this library was built with all of them.
  sed -E 's/^#cmakedefine ([A-Z0-9_]+).*/#define \1/' \
    "$dir/wasmtime/include/wasmtime/conf.h.in" > "$dir/wasmtime/include/wasmtime/conf.h"
  mkdir -p "$dir/wasmtime/lib"
  python3 - "$dir/download/$wheel" "$dir/wasmtime" <<'PY'
import sys, zipfile
wheel, out = sys.argv[1], sys.argv[2]
with zipfile.ZipFile(wheel) as z:
    with open(out + "/lib/libwasmtime.so", "wb") as f:
        f.write(z.read("wasmtime/linux-x86_64/_libwasmtime.so"))
    for n in z.namelist():
        if n.endswith("LICENSE"):
            with open(out + "/LICENSE", "wb") as f:
                f.write(z.read(n))
PY
  strip --strip-unneeded "$dir/wasmtime/lib/libwasmtime.so" 2>/dev/null || true
  chmod 755 "$dir/wasmtime/lib/libwasmtime.so"
  ;;
*) fail "no dependency is called '$name'; there are quickjs, ada, wasmtime, libuv, sqlite" ;;
esac
echo "$pins" > "$dir/$name/.complete"
