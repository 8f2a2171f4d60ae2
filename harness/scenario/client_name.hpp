#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/text.hpp"
#include "harness/scenario/scenario.hpp"

/// The names of clients: `b`, or `b.1`, `b.2`... for the copies of a client with a count. They are
/// put together and taken apart here only.
namespace poolproof::scenario {

/// The name of copy `number`, counted from 1, of a client; the client's own name if it has no
/// count.
inline std::string single_name(const Client& client, std::uint32_t number) {
  if (client.count == 1) return client.name;
  return std::string(client.name).append(1, '.').append(std::to_string(number));
}

/// The client's name without the number of a copy: `b` for `b.2`, and for `b`.
inline std::string_view common_name(std::string_view single) {
  return single.substr(0, single.find('.'));
}

/// The number in a client's name: 2 for `b.2`; 0: no number, or not as single_name() writes it.
inline std::uint32_t number_in(std::string_view single) {
  const std::string_view common = common_name(single);
  if (common.size() == single.size()) return 0;
  const std::string_view digits = single.substr(common.size() + 1);
  return digits.starts_with('0') ? 0 : parse_number<std::uint32_t>(digits).value_or(0);
}

/// Whether `single` is the name of that client, or of one of its copies.
inline bool is_named(const Client& client, std::string_view single) {
  if (client.count == 1) return single == client.name;
  const std::uint32_t number = number_in(single);
  return number > 0 && number <= client.count && common_name(single) == client.name;
}

/// The client to which that name belongs; null: there is none.
inline const Client* client_of(const Scenario& scenario, std::string_view single) {
  for (const Client& client : scenario.clients) {
    if (is_named(client, single)) return &client;
  }
  return nullptr;
}

}  // namespace poolproof::scenario
