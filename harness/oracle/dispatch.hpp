#pragma once

#include <cstddef>
#include <utility>
#include <variant>

namespace poolproof::oracle {

/// As std::visit of one variant, but in place: for those who look at every record of a self-report.
template <class Use, class... Kinds>
void dispatch(const std::variant<Kinds...>& what, Use use) {
  const auto use_at = [&]<std::size_t... at>(std::index_sequence<at...> /*of the kinds*/) {
    static_cast<void>(((what.index() == at && (use(*std::get_if<at>(&what)), true)) || ...));
  };
  use_at(std::index_sequence_for<Kinds...>());
}

}  // namespace poolproof::oracle
