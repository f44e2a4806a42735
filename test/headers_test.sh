#!/bin/sh
# Each public header compiles alone, as C11 and as C++17, without a warning, and
# every function in it is documented. Those of C++ by both compilers, as C++17 and C++20.
#   headers_test.sh SOURCE CC CXX
set -eu
source=$1 cc=$2 cxx=$3
failed=0
for header in "$source"/include/vow/*.h; do
  name=vow/$(basename "$header")
  echo "#include <$name>" | "$cc" -std=c11 -pedantic -Wall -Wextra -Wshadow -Wconversion -Wstrict-prototypes \
    -Werror -I"$source/include" -fsyntax-only -x c - || failed=1
  echo "#include <$name>" | "$cxx" -std=c++17 -pedantic -Wall -Wextra -Wshadow -Wconversion \
    -Werror -I"$source/include" -fsyntax-only -x c++ - || failed=1
done
for header in "$source"/include/vow/*.hpp; do
  for compiler in g++ clang++; do
    command -v "$compiler" > /dev/null || continue
    for standard in 17 20; do
      echo "#include <vow/$(basename "$header")>" | "$compiler" -std=c++$standard -pedantic -Wall -Wextra \
        -Wshadow -Wconversion -Wnon-virtual-dtor -Woverloaded-virtual -Werror -I"$source/include" \
        -fsyntax-only -x c++ - || failed=1
    done
  done
done
# A declaration must follow a comment, or another declaration that shares it.
awk 'FNR == 1 { covered = 0 }
     /^$/ { covered = 0 }
     /\*\// { covered = 1 }
     /^[a-z].*[ *]vow_[a-z_]+\(/ && !covered { print FILENAME ": undocumented: " $0; bad = 1 }
     END { exit bad }' "$source"/include/vow/*.h || failed=1
exit $failed
