#include <fmt/format.h>

#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/read_parts.hpp"

namespace poolproof::scenario {
namespace {

std::int64_t read_value(const JsonNode& node, const PoolOption& option) {
  if (option.unit == pool::Unit::choice) {
    return static_cast<std::int64_t>(node.choice(option.names));
  }
  return node.whole(option.min, option.max);
}

}  // namespace

PoolSpec read_pool(const JsonNode& node) {
  PoolSpec pool;
  std::vector<std::string_view> keys;
  for (const PoolOption& option : pool_options()) keys.push_back(option.name);
  if (!node.object(keys)) return pool;
  for (const PoolOption& option : pool_options()) {
    if (const auto value = node.find(option.name)) option.set(pool, read_value(*value, option));
  }
  if (pool.framing.prefix_bytes == 3) {
    node.find("prefix_bytes")->wrong("is 3", "1, 2 or 4");
  }
  const auto sound = pool::checked(pool.core);
  if (!sound && node.complaints().none()) {
    InputError error = sound.error();
    error.where = fmt::format("{}/{}", node.where(), error.where);
    node.complaints().add(std::move(error));
  }
  return pool;
}

}  // namespace poolproof::scenario
