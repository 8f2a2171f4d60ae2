#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include "harness/base/text.hpp"
#include "harness/scenario/scenario.hpp"

/// The names of clients: `b`, or `b.1`, `b.2`... of a counted one. They are made and cut here only.
namespace poolproof::scenario {

/// The name of one of a client's: the `number`th, from 1.
inline std::string single_name(const Client& client, std::uint32_t number) {
  if (client.count == 1) return client.name;
  return std::string(client.name).append(1, '.').append(std::to_string(number));
}

/// `b` of `b.2`, and of `b`.
inline std::string_view common_name(std::string_view single) {
  return single.substr(0, single.find('.'));
}

/// 2 of `b.2`; 0: it has no number, or not as single_name() writes it.
inline std::uint32_t number_in(std::string_view single) {
  const std::string_view common = common_name(single);
  if (common.size() == single.size()) return 0;
  const std::string_view digits = single.substr(common.size() + 1);
  return digits.starts_with('0') ? 0 : parse_number<std::uint32_t>(digits).value_or(0);
}

/// Whether `single` is the name of one of that client's.
inline bool is_named(const Client& client, std::string_view single) {
  if (client.count == 1) return single == client.name;
  const std::uint32_t number = number_in(single);
  return number > 0 && number <= client.count && common_name(single) == client.name;
}

/// Whose name it is; null: nobody's.
inline const Client* client_of(const Scenario& scenario, std::string_view single) {
  for (const Client& client : scenario.clients) {
    if (is_named(client, single)) return &client;
  }
  return nullptr;
}

}  // namespace poolproof::scenario
