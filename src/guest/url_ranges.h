/* What Ada uses of std::ranges, for a libc++ that lacks it (14, the one that goes
 * with Debian bookworm's clang). Included before ada.cpp; empty elsewhere. */
#include <version>
#ifndef __cpp_lib_ranges
#include <algorithm>
#include <functional>
#include <iterator>

namespace std::ranges {
template <class Range, class Test> constexpr auto find_if(Range &&range, Test test) {
  return std::find_if(std::begin(range), std::end(range), test);
}
template <class Range, class Test> constexpr auto find_if_not(Range &&range, Test test) {
  return std::find_if_not(std::begin(range), std::end(range), test);
}
template <class Range, class Test> constexpr bool all_of(Range &&range, Test test) {
  return std::all_of(std::begin(range), std::end(range), test);
}
template <class Range, class Test> constexpr bool any_of(Range &&range, Test test) {
  return std::any_of(std::begin(range), std::end(range), test);
}
template <class Range, class T> constexpr void replace(Range &&range, const T &from, const T &to) {
  std::replace(std::begin(range), std::end(range), from, to);
}
template <class Range, class Less> void stable_sort(Range &&range, Less less) {
  std::stable_sort(std::begin(range), std::end(range), less);
}
template <class Range, class T> constexpr bool binary_search(Range &&range, const T &value) {
  return std::binary_search(std::begin(range), std::end(range), value);
}
template <class Range, class T, class Less = std::less<>, class Key = std::identity>
constexpr auto lower_bound(Range &&range, const T &value, Less less = {}, Key key = {}) {
  return std::lower_bound(
      std::begin(range), std::end(range), value,
      [&](const auto &item, const auto &wanted) { return less(std::invoke(key, item), wanted); });
}
} // namespace std::ranges
#endif
