#include "harness/scenario/pool_options.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/pool/requests.hpp"
#include "harness/scenario/scenario_json.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::scenario {
namespace {

constexpr std::array<std::string_view, 2> kPayloads{"envelope", "opaque"};
constexpr std::array<std::string_view, 2> kByteOrders{"big", "little"};
/// The names of wires and speeches, in the order of wire/wires.hpp and wire/speech.hpp.
constexpr std::array<std::string_view, 5> kWires{"prefix", "varint", "lines", "headers",
                                                 "node_ipc"};
constexpr std::array<std::string_view, 5> kSpeeches{"bridge", "json_rpc", "mcp", "lsp", "opaque"};
/// The speech "opaque" has no row there: it is another word for `"payload": "opaque"`.
constexpr std::int64_t kOpaqueSpeech = kSpeeches.size() - 1;

constexpr pool::Option<PoolSpec> speech_option() {
  auto row = pool::choice<&PoolSpec::speech>("speech", kSpeeches);
  row.max = kOpaqueSpeech - 1;
  row.set = [](PoolSpec& pool, std::int64_t value) {
    if (value == kOpaqueSpeech) {
      pool.opaque = true;
    } else {
      pool.speech = static_cast<wire::Speech>(value);
    }
  };
  return row;
}

/// Refuses options that have no meaning on this wire or with this payload.
void refuse_meaningless(const JsonNode& node, const PoolSpec& pool) {
  const auto bytes = pool.framing.prefix_bytes;
  if (bytes != 1 && bytes != 2 && bytes != 4 && bytes != 8) {
    node.find("prefix_bytes")->wrong(fmt::format("is {}", bytes), "1, 2, 4 or 8");
  }
  const bool has_length = pool.framing.wire == wire::Wire::prefix;
  for (const char* const option : {"prefix_bytes", "byte_order"}) {
    const auto given = node.find(option);
    if (!given || has_length) continue;
    given->wrong(fmt::format("is said of the wire {}", wire::row_of(pool.framing.wire).name),
                 "the wire prefix, or nothing");
  }
  const auto speech = node.find("speech");
  if (!speech || !pool.opaque) return;
  const auto payload = node.find("payload");
  if (speech->json() != kSpeeches.back()) {
    speech->wrong("is said of opaque payloads", "the payload envelope, or nothing");
  } else if (payload && payload->json() == kPayloads.front()) {
    speech->wrong("is opaque, and the payload is an envelope", "one of the two");
  }
}
constexpr std::int64_t kFrameBytesMax = 1LL << 30;

/// How scenarios use an option of the Core.
struct CoreRow {
  std::string_view name;
  Palette palette;
  bool stands_alone = true;
};

// A start-up budget below 100 ms, or a frame below 256 bytes, is a pool that can never start.
constexpr std::array kCoreRows{
    CoreRow{"size", palette(5, 2, 2, 2, 2, 2, 3, 3, 4), false},
    CoreRow{"start", palette(2, 1)},
    CoreRow{"init_mode", palette(5, 1)},
    CoreRow{"reuse", palette(2, 1)},
    CoreRow{"waiters_max", palette(9, 1, 2, 3)},
    CoreRow{"sessions_max", palette(6, 1, 2)},
    CoreRow{"session_idle_timeout_ms", palette(6, 1, 10, 100, 1000)},
    CoreRow{"starts_max", palette(5, 1, 2)},
    CoreRow{"leaving_max", palette(5, 1, 2)},
    CoreRow{"overlap", palette(7, 0)},
    CoreRow{"startup_budget_ms", palette(8, 100, 200, 300, 500, 1000, 3000)},
    CoreRow{"postmortem_budget_ms", palette(8, 0, 1, 10, 50, 100, 1000)},
    CoreRow{"silence_max_ms", palette(8, 0, 10, 100, 1000)},
    CoreRow{"backoff_initial_ms", palette(8, 1, 10, 50, 200, 300, 500, 1000)},
    CoreRow{"backoff_max_ms", palette(6, 100, 300, 1000, 3000)},
    CoreRow{"backoff_jitter_percent", palette(2, 0, 0, 0, 50, 100)},
    CoreRow{"breaker_failures", palette(4, 1, 2, 0)},
    CoreRow{"breaker_open_ms", palette(6, 1, 10, 100, 200, 300, 1000, 3000)},
    CoreRow{"shutdown_grace_ms", palette(6, 0, 1, 10, 100, 200, 1000)},
    CoreRow{"stdin_grace_ms", palette(6, 0, 1, 10, 100, 200, 1000)},
    CoreRow{"term_grace_ms", palette(6, 0, 1, 10, 100, 200, 1000)},
    CoreRow{"max_calls", palette(9, 1, 2)},
    CoreRow{"max_lifetime_ms", palette(30, 300, 1000, 3000)},
    CoreRow{"lifetime_jitter_percent", palette(2, 0, 0, 100)},
    CoreRow{"max_rss_bytes", palette(30, 1, 64'000'000)},
    CoreRow{"rss_interval_ms", palette(3, 100, 1000)},
    CoreRow{"idle_timeout_ms", palette(20, 10, 100, 300, 1000)},
    CoreRow{"min_idle", palette(9, 1)},
    CoreRow{"idle_ping_interval_ms", palette(20, 100, 300, 1000)},
    CoreRow{"idle_ping_budget_ms", palette(3, 100, 3000)},
};
static_assert(kCoreRows.size() == pool::kOptions.size(),
              "each option of pool::kOptions has one row here");

constexpr CoreRow row_of(std::string_view name) {
  for (const CoreRow& row : kCoreRows) {
    if (row.name == name) return row;
  }
  throw "an option of pool::kOptions has no row in kCoreRows: the generator does not know it";
}

/// Makes an option of the Core an option of the pool around it.
template <std::size_t place>
constexpr PoolOption of_core() {
  constexpr const pool::Option<pool::Config>& kOption = pool::kOptions[place];
  constexpr CoreRow kRow = row_of(kOption.name);
  return {{kOption.name, kOption.unit, kOption.min, kOption.max, kOption.names,
           [](const PoolSpec& pool) { return pool::kOptions[place].get(pool.core); },
           [](PoolSpec& pool, std::int64_t value) { pool::kOptions[place].set(pool.core, value); },
           [](const PoolSpec& pool, std::int64_t min, std::int64_t max) {
             return pool::kOptions[place].is_within(pool.core, min, max);
           }},
          kRow.palette,
          kRow.stands_alone};
}

using pool::choice;
using pool::option;
using wire::Framing;

/// The options of the pool around the Core. The kind of payload has no palette: it decides what
/// clients can say, so a feature chooses it.
constexpr std::array kOwn{
    PoolOption{choice<&PoolSpec::framing, &Framing::wire>("wire", kWires), palette(27, 1, 2, 3, 4)},
    PoolOption{option<&PoolSpec::framing, &Framing::prefix_bytes>("prefix_bytes", 1, 8),
               palette(21, 2, 1, 8)},
    PoolOption{choice<&PoolSpec::framing, &Framing::little_endian>("byte_order", kByteOrders),
               palette(19, 1)},
    PoolOption{
        option<&PoolSpec::framing, &Framing::max_frame_bytes>("max_frame_bytes", 1, kFrameBytesMax),
        palette(27, 256, 1000, 70'000)},
    PoolOption{option<&PoolSpec::checkout_timeout>("checkout_timeout_ms", 0, kLongestMs),
               palette(6, 0, 10, 100, 200, 300, 1000, 3000)},
    PoolOption{option<&PoolSpec::call_timeout>("call_timeout_ms", 0, kLongestMs),
               palette(6, 1, 10, 100, 200, 300, 1000, 3000)},
    PoolOption{option<&PoolSpec::close_timeout>("close_timeout_ms", 0, kLongestMs),
               palette(8, 0, 1, 10, 100, 300, 1000, 3000)},
    PoolOption{choice<&PoolSpec::on_exception>("on_exception", pool::kOnExceptionNames),
               palette(2, 1)},
    PoolOption{choice<&PoolSpec::opaque>("payload", kPayloads), palette(1), false},
    PoolOption{speech_option(), palette(27, 1, 2, 3)},
};

template <std::size_t... core, std::size_t... own>
constexpr auto joined(std::index_sequence<core...> /*core*/, std::index_sequence<own...> /*own*/) {
  return std::array{of_core<core>()..., kOwn[own]...};
}
constexpr auto kAll = joined(std::make_index_sequence<pool::kOptions.size()>{},
                             std::make_index_sequence<kOwn.size()>{});

std::int64_t read_value(const JsonNode& node, const PoolOption& option) {
  if (option.unit == pool::Unit::choice) {
    return static_cast<std::int64_t>(node.choice(option.names));
  }
  if (option.unit == pool::Unit::flag) return node.flag() ? 1 : 0;
  return node.whole(option.min, option.max);
}

}  // namespace

std::span<const PoolOption> pool_options() {
  return kAll;
}

PoolSpec read_pool(const JsonNode& node) {
  PoolSpec pool;
  std::vector<std::string_view> keys;
  for (const PoolOption& option : pool_options()) keys.push_back(option.name);
  if (!node.object(keys)) return pool;
  for (const PoolOption& option : pool_options()) {
    if (const auto value = node.find(option.name)) option.set(pool, read_value(*value, option));
  }
  refuse_meaningless(node, pool);
  const auto complain = [&node](InputError error) {
    error.where = fmt::format("{}/{}", node.where(), error.where);
    node.complaints().add(std::move(error));
  };
  const auto sound = pool::checked(pool.core);
  if (!sound && node.complaints().none()) complain(sound.error());
  if (!node.complaints().none()) return pool;
  const pool::WireOptions wire{pool.framing, pool.opaque, wire::Codec::json, pool.speech};
  for (const auto& spoken : {pool::checked(wire), pool::checked(pool.core, wire)}) {
    if (!spoken) complain(spoken.error());
  }
  return pool;
}

OrderedJson write_pool(const PoolSpec& pool) {
  const PoolSpec defaults;
  OrderedJson json = OrderedJson::object();
  for (const PoolOption& option : pool_options()) {
    const std::int64_t value = option.get(pool);
    if (value == option.get(defaults)) continue;
    if (option.unit == pool::Unit::choice) {
      json[option.name] = option.names[static_cast<std::size_t>(value)];
    } else if (option.unit == pool::Unit::flag) {
      json[option.name] = value != 0;
    } else {
      json[option.name] = value;
    }
  }
  return json;
}

}  // namespace poolproof::scenario
