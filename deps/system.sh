#!/bin/sh
# Makes sure that the tools a build needs are installed: cmake, ninja, a C
# compiler, clang and lld with the wasm32 libraries for the guest, cmocka for the
# tests. Missing ones are installed with apt-get as root or through sudo;
# where that is not possible the exact command is printed and the build stops.
# Python's library for tasks in Python is brought too, but missed by nothing else: a build
# without it goes on.
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
optional=""
pkg-config --exists 'python3-embed >= 3.9' 2>/dev/null || optional=libpython3-dev
[ -z "$missing$optional" ] && exit 0

command="apt-get install -y --no-install-recommends$missing"
if ! command -v apt-get >/dev/null; then
  [ -z "$missing" ] && exit 0
  echo "vow: these packages (Debian names) are missing:$missing; install them and run make again" >&2
  exit 1
fi
if [ "$(id -u)" = 0 ]; then
  sudo=""
elif command -v sudo >/dev/null && sudo -n true 2>/dev/null; then
  sudo="sudo -n"
elif [ -z "$missing" ]; then
  exit 0
else
  echo "vow: missing packages; run this as root and then make again:" >&2
  echo "  apt-get update && $command" >&2
  exit 1
fi
export DEBIAN_FRONTEND=noninteractive
if [ -n "$missing" ]; then
  echo "vow: installing$missing"
  $sudo apt-get update -qq || echo "vow: apt-get update failed; going on with the lists there are" >&2
  $sudo $command >/dev/null || {
    echo "vow: this failed, run it by hand and then make again: $command" >&2
    exit 1
  }
fi
# Where it cannot be had make comes here each time, so the lists are not brought again for it.
if [ -n "$optional" ]; then
  set -- /var/lib/apt/lists/*Packages*
  [ -e "$1" ] || $sudo apt-get update -qq || true
  $sudo apt-get install -y --no-install-recommends $optional >/dev/null 2>&1 ||
    echo "vow: $optional cannot be installed; tasks in Python are left out" >&2
fi
