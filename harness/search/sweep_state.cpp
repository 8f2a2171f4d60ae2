#include "harness/search/sweep_state.hpp"

#include <algorithm>
#include <charconv>
#include <limits>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/json_node.hpp"
#include "harness/base/read_file.hpp"
#include "harness/run/version.hpp"
#include "harness/search/build_fingerprint.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::search {
namespace {

using nlohmann::json;

constexpr int kStateVersion = 6;
constexpr std::int64_t kMost = std::numeric_limits<std::int64_t>::max();
/// The longest time in a state, in milliseconds: more than any sweep takes, and still a number when
/// it is in microseconds.
constexpr std::int64_t kLongest = kMost / 1'000'000;
constexpr std::int64_t kShardsMost = 100'000;

std::string hex(std::uint64_t number) {
  return fmt::format("{:#x}", number);
}

json json_of(const Failure& failure) {
  return {
      {"signature", failure.signature},
      {"what", failure.what},
      {"number", failure.number},
      {"seed", hex(failure.seed)},
      {"times", failure.times},
      {"file", failure.file},
      {"size", failure.size},
      {"shrink_attempts", failure.shrink_attempts},
      {"reproduces_with", kReproducesWithNames[static_cast<std::size_t>(failure.reproduces_with)]},
      {"host_failed", failure.on_host.failed},
      {"host_runs", failure.on_host.runs}};
}

json json_of(const CodecTotals& totals) {
  return {
      {"runs", totals.runs}, {"core_events", totals.core_events}, {"busy_ms", to_ms(totals.busy)}};
}

json json_of(const ShardProgress& part) {
  json apart = json::array();
  for (const auto& range : part.numbers.above_next()) apart.push_back({range.from, range.to});
  return {{"shard", part.shard},
          {"end", kSweepEndNames[static_cast<std::size_t>(part.end)]},
          {"next", part.numbers.next()},
          {"apart", apart}};
}

/// Reads the values of one JSON object by their keys. All keys must be there, and no others.
class Values {
 public:
  Values(const JsonNode& node, std::initializer_list<std::string_view> keys) : node_(node) {
    (void)node.object(std::span(keys.begin(), keys.size()));
  }

  [[nodiscard]] JsonNode at(std::string_view key) const {
    static const json kNothing;
    const auto found = node_.need(key, "what a sweep wrote has it");
    return found ? *found : JsonNode(kNothing, node_.where(), node_.complaints());
  }
  [[nodiscard]] std::uint64_t number(std::string_view key, std::int64_t most = kMost) const {
    return static_cast<std::uint64_t>(at(key).whole(0, most));
  }
  [[nodiscard]] std::string text(std::string_view key) const { return at(key).text(); }
  [[nodiscard]] bool flag(std::string_view key) const { return at(key).flag(); }
  [[nodiscard]] Duration span(std::string_view key) const {
    return std::chrono::milliseconds(number(key, kLongest));
  }
  template <class Enum, std::size_t N>
  [[nodiscard]] Enum one_of(std::string_view key,
                            const std::array<std::string_view, N>& names) const {
    return static_cast<Enum>(at(key).choice(names));
  }
  [[nodiscard]] const JsonNode& node() const { return node_; }

 private:
  JsonNode node_;
};

std::uint64_t from_hex(const JsonNode& node) {
  const std::string text = node.text();
  std::uint64_t number = 0;
  const char* const end = text.data() + text.size();
  const bool marked = text.starts_with("0x") && text.size() > 2;
  const auto [stopped, error] = std::from_chars(text.data() + (marked ? 2 : 0), end, number, 16);
  if (!marked || error != std::errc{} || stopped != end) {
    node.wrong("is no number in hex", "0x and up to 16 hex digits");
  }
  return number;
}

CodecTotals totals_of(const JsonNode& node) {
  const Values values(node, {"runs", "core_events", "busy_ms"});
  return {values.number("runs"), values.number("core_events"), values.span("busy_ms")};
}

bool is_file_of_sweep(const std::string& file) {
  constexpr std::string_view kFolder = "failures/";
  return file.empty() || (file.starts_with(kFolder) && file.size() > kFolder.size() &&
                          file.find('/', kFolder.size()) == std::string::npos &&
                          file.find("..") == std::string::npos);
}

Failure failure_of(const JsonNode& node) {
  const Values values(node, {"signature", "what", "number", "seed", "times", "file", "size",
                             "shrink_attempts", "reproduces_with", "host_failed", "host_runs"});
  constexpr std::int64_t kRuns = 1'000'000;
  Failure failure;
  failure.signature = values.text("signature");
  failure.what = values.text("what");
  failure.number = values.number("number");
  failure.seed = from_hex(values.at("seed"));
  failure.times = values.number("times");
  failure.file = values.text("file");
  failure.size = values.number("size");
  failure.shrink_attempts = values.number("shrink_attempts");
  failure.reproduces_with = values.one_of<ReproducesWith>("reproduces_with", kReproducesWithNames);
  failure.on_host.runs = static_cast<std::uint32_t>(values.number("host_runs", kRuns));
  failure.on_host.failed = static_cast<std::uint32_t>(
      values.number("host_failed", static_cast<std::int64_t>(failure.on_host.runs)));
  if (failure.signature.empty()) node.wrong("has no signature", "what the failure is");
  if (!is_file_of_sweep(failure.file)) {
    values.at("file").wrong("is no file of a sweep", "failures/NAME.json, or nothing");
  }
  return failure;
}

ShardProgress part_of(const JsonNode& node, std::uint32_t shards) {
  const Values values(node, {"shard", "end", "next", "apart"});
  ShardProgress part;
  part.shard =
      static_cast<std::uint32_t>(values.number("shard", static_cast<std::int64_t>(shards) - 1));
  part.end = values.one_of<SweepEnd>("end", kSweepEndNames);
  std::uint64_t last = values.number("next");
  part.numbers.add({0, last});
  for (const JsonNode& range : values.at("apart").elements()) {
    const auto ends = range.elements(2);
    if (ends.size() != 2) {
      range.wrong("is no range", "two numbers");
      return part;
    }
    const auto from = static_cast<std::uint64_t>(ends[0].whole(0, kMost));
    const auto to = static_cast<std::uint64_t>(ends[1].whole(0, kMost));
    if (from <= last || to <= from) {
      range.wrong("is out of order", "rising ranges with a gap before each");
      return part;
    }
    part.numbers.add({from, to});
    last = to;
  }
  return part;
}

void read_parts(const Values& values, SweepState& state) {
  state.parts.clear();
  const JsonNode node = values.at("parts");
  for (const JsonNode& one : node.elements(1)) {
    const ShardProgress part = part_of(one, state.shards);
    if (!state.parts.empty() && part.shard <= state.parts.back().shard) {
      one.wrong(fmt::format("shard {} is out of order", part.shard), "every shard once, rising");
    }
    state.parts.push_back(part);
  }
  if (state.parts.empty()) state.parts.resize(1);
  if (!state.merged && state.parts.size() > 1)
    node.wrong("are several", "one, unless it is merged");
  std::uint64_t done = 0;
  for (const ShardProgress& part : state.parts) done += part.done(state.shards);
  if (done != state.done) {
    values.at("done").wrong(fmt::format("is not what its parts have done: {}", done), "that sum");
  }
}

void read_coverage(const JsonNode& node, SweepState& state) {
  auto& words = state.coverage.words();
  const auto kept = node.elements();
  // Another build may know other cells; it is for the caller to refuse it.
  if (kept.size() != words.size() && state.build == build_fingerprint()) {
    node.wrong(fmt::format("an array of {}", kept.size()), fmt::format("of {}", words.size()));
  }
  for (std::size_t i = 0; i < std::min(words.size(), kept.size()); ++i) {
    words[i] = from_hex(kept[i]);
  }
}

SweepState state_of(const JsonNode& node) {
  const Values values(
      node, {"sweep_version", "version", "build", "seed", "count", "shards", "merged", "parts",
             "done", "terse", "json", "repeated", "proved_nothing", "traces", "killed",
             "elapsed_ms", "coverage", "failures"});
  SweepState state;
  state.build = values.text("build");
  state.seed = from_hex(values.at("seed"));
  state.count = values.number("count");
  state.shards = static_cast<std::uint32_t>(
      std::max<std::int64_t>(1, values.at("shards").whole(1, kShardsMost)));
  state.merged = values.flag("merged");
  state.done = values.number("done");
  read_parts(values, state);
  state.terse = totals_of(values.at("terse"));
  state.json = totals_of(values.at("json"));
  state.repeated = values.number("repeated");
  state.proved_nothing = values.number("proved_nothing");
  state.traces = from_hex(values.at("traces"));
  state.killed = values.number("killed");
  state.elapsed = values.span("elapsed_ms");
  read_coverage(values.at("coverage"), state);
  for (const JsonNode& failure : values.at("failures").elements()) {
    state.failures.push_back(failure_of(failure));
  }
  return state;
}

/// Reads a JSON text with a reader of nodes.
template <class Read>
auto read_with(std::string_view text, const std::string& where, Read read)
    -> Parsed<decltype(read(std::declval<JsonNode>()))> {
  const auto object = wire::parse_json(text);
  if (!object) return unexpected(InputError{where, object.error(), "what a sweep wrote"});
  Complaints complaints;
  auto value = read(JsonNode(*object, where, complaints));
  if (!complaints.none()) return unexpected(complaints.first());
  return value;
}

}  // namespace

std::string write_sweep_state(const SweepState& state) {
  json coverage = json::array();
  for (const std::uint64_t word : state.coverage.words()) coverage.push_back(hex(word));
  json failures = json::array();
  for (const Failure& failure : state.failures) failures.push_back(json_of(failure));
  json parts = json::array();
  for (const ShardProgress& part : state.parts) parts.push_back(json_of(part));
  const json object{{"sweep_version", kStateVersion},
                    {"version", run::kVersion},
                    {"build", state.build},
                    {"seed", hex(state.seed)},
                    {"count", state.count},
                    {"shards", state.shards},
                    {"merged", state.merged},
                    {"parts", parts},
                    {"done", state.done},
                    {"terse", json_of(state.terse)},
                    {"json", json_of(state.json)},
                    {"repeated", state.repeated},
                    {"proved_nothing", state.proved_nothing},
                    {"traces", hex(state.traces)},
                    {"killed", state.killed},
                    {"elapsed_ms", to_ms(state.elapsed)},
                    {"coverage", coverage},
                    {"failures", failures}};
  return object.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

Parsed<SweepState> read_sweep_state(std::string_view text, const std::string& where) {
  return read_with(text, where, [](const JsonNode& node) {
    const auto version = node.is_object() ? node.find("sweep_version") : std::nullopt;
    if (!version || !whole_within(version->json(), kStateVersion, kStateVersion)) {
      node.complaints().add(node.where(), "is no sweep.json of this version",
                            fmt::format("\"sweep_version\": {}", kStateVersion));
      return SweepState();
    }
    return state_of(node);
  });
}

Parsed<SweepState> load_sweep_state(const std::string& folder) {
  const std::string path = folder + "/sweep.json";
  return read_file(path, kStateBytesMax, "the folder of a sweep")
      .and_then([&](const std::string& text) { return read_sweep_state(text, path); });
}

std::string write_failure(const Failure& failure) {
  return json_of(failure).dump(-1, ' ', false, json::error_handler_t::replace);
}

Parsed<Failure> read_failure(std::string_view text) {
  return read_with(text, "failure", failure_of);
}

void Tally::add(const Tally& other) {
  const auto add_totals = [](CodecTotals& sum, const CodecTotals& totals) {
    sum.runs += totals.runs;
    sum.core_events += totals.core_events;
    sum.busy += totals.busy;
  };
  done += other.done;
  add_totals(terse, other.terse);
  add_totals(json, other.json);
  repeated += other.repeated;
  traces += other.traces;
  proved_nothing += other.proved_nothing;
  coverage.add(other.coverage);
}

std::uint64_t cases_of(std::uint64_t count, std::uint32_t shard, std::uint32_t shards) {
  return count / shards + (shard < count % shards ? 1 : 0);
}

std::uint64_t ShardProgress::done(std::uint32_t shards) const {
  std::uint64_t done = cases_of(numbers.next(), shard, shards);
  for (const auto& range : numbers.above_next()) {
    done += cases_of(range.to, shard, shards) - cases_of(range.from, shard, shards);
  }
  return done;
}

}  // namespace poolproof::search
