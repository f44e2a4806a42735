#!/bin/sh
# Makes sure that the tools a build needs are installed: cmake, ninja, a C
# compiler, clang and lld with the wasm32 libraries for the guest, cmocka for the
# tests. Missing ones are installed with apt-get as root or through sudo;
# where that is not possible the exact command is printed and the build stops.
#   deps/system.sh [fuzz]     fuzz: clang's fuzzer and sanitizers too
set -eu

missing=""
need() { # test-command package...
  if ! sh -c "$1" >/dev/null 2>&1; then
    shift
    missing="$missing $*"
  fi
}
need 'command -v cmake && command -v ctest' cmake
need 'command -v ninja' ninja-build
need 'command -v gcc' gcc
need 'command -v g++' g++
need 'command -v pkg-config' pkg-config
need 'command -v clang' clang
need 'command -v wasm-ld' lld
need 'test -e /usr/include/wasm32-wasi/stdio.h || test -e /usr/include/wasi' wasi-libc
need 'test -n "$(ls /usr/lib/llvm-*/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a /usr/lib/clang/*/lib/wasi/libclang_rt.builtins-wasm32.a 2>/dev/null)"' libclang-rt-14-dev-wasm32
need 'test -e "$(clang -print-resource-dir)/../../../include/wasm32-wasi/c++/v1/string"' libc++-14-dev-wasm32 libc++abi-14-dev-wasm32
need 'pkg-config --exists libmd' libmd-dev
need 'pkg-config --exists cmocka' libcmocka-dev
need 'pkg-config --exists "libcurl >= 7.88"' libcurl4-openssl-dev
need 'command -v python3 && python3 -m pip --version' python3 python3-pip
if [ "${1:-}" = fuzz ]; then
  need 'test -e "$(clang --print-runtime-dir)/libclang_rt.fuzzer-x86_64.a"' libclang-rt-14-dev
fi
[ -z "$missing" ] && exit 0

command="apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null; then
  echo "vow: these packages (Debian names) are missing:$missing; install them and run make again" >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  sudo=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo="sudo -n"
else
  echo "vow: missing packages; run this as root and then make again:" >&2
  echo "  apt-get update && $command" >&2
  exit 1
fi
echo "vow: installing$missing"
export DEBIAN_FRONTEND=noninteractive
$sudo apt-get update -qq || echo "vow: apt-get update failed; going on with the lists there are" >&2
$sudo $command >/dev/null || {
  echo "vow: this failed, run it by hand and then make again: $command" >&2
  exit 1
}
