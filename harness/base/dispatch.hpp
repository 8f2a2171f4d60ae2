#pragma once

#include <cstddef>
#include <utility>
#include <variant>

namespace poolproof {

/// As std::visit of one variant, but in place: for what looks at every event or effect of a pool,
/// where a call through a table costs as much as what it does. Requires: it holds a value.
template <class Use, class... Kinds>
void dispatch(const std::variant<Kinds...>& what, Use use) {
  const auto use_at = [&]<std::size_t... at>(std::index_sequence<at...> /*of the kinds*/) {
    static_cast<void>(((what.index() == at && (use(*std::get_if<at>(&what)), true)) || ...));
  };
  use_at(std::index_sequence_for<Kinds...>());
}

}  // namespace poolproof
