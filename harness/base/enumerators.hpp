#pragma once

#include <array>
#include <cstddef>
#include <string_view>
#include <utility>

/// The number and the names of an enum's enumerators, asked of the compiler, so that nobody has to
/// write them twice. The enum must count from 0 on.
namespace poolproof {

/// The name of the enumerator with this value. Empty if there is none: the compiler then writes the
/// value as a number or as a cast of one.
template <auto value>
consteval std::string_view enumerator_name() {
  std::string_view text = __PRETTY_FUNCTION__;
  text.remove_prefix(text.find("value = ") + 8);
  text = text.substr(0, text.find_first_of(";]"));
  const std::size_t scope = text.rfind("::");
  return scope == text.npos || text.front() == '(' ? "" : text.substr(scope + 2);
}

/// How many enumerators `Enum` has.
template <class Enum, std::size_t from = 0>
consteval std::size_t enumerators() {
  if constexpr (enumerator_name<static_cast<Enum>(from)>().empty())
    return from;
  else
    return enumerators<Enum, from + 1>();
}

/// The names of all enumerators of `Enum`.
template <class Enum>
consteval auto enumerator_names() {
  return []<std::size_t... at>(std::index_sequence<at...> /*all*/) {
    return std::array{enumerator_name<static_cast<Enum>(at)>()...};
  }
  (std::make_index_sequence<enumerators<Enum>()>());
}

/// A table of `count` names written by hand. A table with a missing name does not compile.
template <std::size_t count, std::size_t rows>
consteval auto names_for(const std::string_view (&names)[rows]) {
  static_assert(rows == count, "each one has a name");
  return std::to_array(names);
}

}  // namespace poolproof
