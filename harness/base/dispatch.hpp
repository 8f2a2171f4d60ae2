#pragma once

#include <cstddef>
#include <utility>
#include <variant>

namespace poolproof {

/// Calls `use` with the value that a variant holds, as std::visit does, but without a table of
/// functions: a pool does this for each event and effect, where a call through a table costs as
/// much as the work itself. Requires: the variant holds a value.
template <class Use, class... Kinds>
void dispatch(const std::variant<Kinds...>& what, Use use) {
  const auto use_at = [&]<std::size_t... at>(std::index_sequence<at...> /*of the kinds*/) {
    static_cast<void>(((what.index() == at && (use(*std::get_if<at>(&what)), true)) || ...));
  };
  use_at(std::index_sequence_for<Kinds...>());
}

}  // namespace poolproof
