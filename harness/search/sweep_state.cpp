#include "harness/search/sweep_state.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/read_file.hpp"
#include "harness/run/version.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::search {
namespace {

using nlohmann::json;

constexpr int kStateVersion = 5;
constexpr std::uintmax_t kStateBytesMax = std::uintmax_t{64} << 20U;

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

json json_of(const Spoken& spoken) {
  return {
      {"runs", spoken.runs}, {"core_events", spoken.core_events}, {"busy_ms", to_ms(spoken.busy)}};
}

Spoken spoken_of(const json& object) {
  Spoken spoken;
  spoken.runs = object.at("runs");
  spoken.core_events = object.at("core_events");
  spoken.busy = std::chrono::milliseconds(object.at("busy_ms").get<std::int64_t>());
  return spoken;
}

std::uint64_t from_hex(const json& text) {
  return std::strtoull(text.get<std::string>().c_str(), nullptr, 16);
}

ReproducesWith shown_by_of(const json& name) {
  json numbers;
  for (std::size_t i = 0; i < kReproducesWithNames.size(); ++i)
    numbers[std::string(kReproducesWithNames[i])] = i;
  return static_cast<ReproducesWith>(numbers.at(name.get<std::string>()).get<std::uint8_t>());
}

Failure failure_of(const json& object) {
  Failure failure;
  failure.signature = object.at("signature");
  failure.what = object.at("what");
  failure.number = object.at("number");
  failure.seed = from_hex(object.at("seed"));
  failure.times = object.at("times");
  failure.file = object.at("file");
  failure.size = object.at("size");
  failure.shrink_attempts = object.at("shrink_attempts");
  failure.reproduces_with = shown_by_of(object.at("reproduces_with"));
  failure.on_host = {object.at("host_failed"), object.at("host_runs")};
  return failure;
}

SweepState state_of(const json& object) {
  SweepState state;
  state.seed = from_hex(object.at("seed"));
  state.shard = object.at("shard");
  state.shards = object.at("shards");
  state.numbers.add({0, object.at("next")});
  for (const json& stretch : object.at("apart")) {
    state.numbers.add({stretch.at(0), stretch.at(1)});
  }
  state.done = object.at("done");
  state.terse = spoken_of(object.at("terse"));
  state.json = spoken_of(object.at("json"));
  state.repeated = object.at("repeated");
  state.proved_nothing = object.at("proved_nothing");
  state.traces = from_hex(object.at("traces"));
  state.elapsed = std::chrono::milliseconds(object.at("elapsed_ms").get<std::int64_t>());
  auto& words = state.coverage.words();
  const auto& kept = object.at("coverage");
  for (std::size_t i = 0; i < std::min(words.size(), kept.size()); ++i) {
    words[i] = from_hex(kept[i]);
  }
  for (const json& failure : object.at("failures")) state.failures.push_back(failure_of(failure));
  return state;
}

void add(Spoken& sum, const Spoken& spoken) {
  sum.runs += spoken.runs;
  sum.core_events += spoken.core_events;
  sum.busy += spoken.busy;
}

void add(SweepState& sum, const SweepState& shard) {
  sum.Tally::add(shard);
  sum.elapsed += shard.elapsed;
  for (const Failure& failure : shard.failures) {
    const auto known =
        std::find_if(sum.failures.begin(), sum.failures.end(),
                     [&](const Failure& one) { return one.signature == failure.signature; });
    if (known == sum.failures.end()) {
      sum.failures.push_back(failure);
    } else {
      const std::uint64_t times = known->times + failure.times;
      if (failure.number < known->number) *known = failure;
      known->times = times;
    }
  }
}

}  // namespace

void Tally::add(const Tally& other) {
  done += other.done;
  search::add(terse, other.terse);
  search::add(json, other.json);
  repeated += other.repeated;
  traces += other.traces;
  proved_nothing += other.proved_nothing;
  coverage.add(other.coverage);
}

std::string write_sweep_state(const SweepState& state) {
  json coverage = json::array();
  for (const std::uint64_t word : state.coverage.words()) coverage.push_back(hex(word));
  json failures = json::array();
  for (const Failure& failure : state.failures) failures.push_back(json_of(failure));
  json apart = json::array();
  for (const auto& range : state.numbers.above_next()) apart.push_back({range.from, range.to});
  const json object{{"sweep_version", kStateVersion},
                    {"version", run::kVersion},
                    {"seed", hex(state.seed)},
                    {"shard", state.shard},
                    {"shards", state.shards},
                    {"next", state.numbers.next()},
                    {"apart", apart},
                    {"done", state.done},
                    {"terse", json_of(state.terse)},
                    {"json", json_of(state.json)},
                    {"repeated", state.repeated},
                    {"proved_nothing", state.proved_nothing},
                    {"traces", hex(state.traces)},
                    {"elapsed_ms", to_ms(state.elapsed)},
                    {"coverage", coverage},
                    {"failures", failures}};
  return object.dump(2) + "\n";
}

Parsed<SweepState> read_sweep_state(std::string_view text, const std::string& where) {
  const auto object = wire::parse_json(text);
  if (!object) return unexpected(InputError{where, object.error(), "what a sweep wrote"});
  if (!object->is_object() || object->value("sweep_version", 0) != kStateVersion) {
    return unexpected(InputError{where, "is no sweep.json of this version",
                                 fmt::format("\"sweep_version\": {}", kStateVersion)});
  }
  try {
    return state_of(*object);
  } catch (const json::exception& error) {
    return unexpected(InputError{where, error.what(), "what a sweep wrote"});
  }
}

Parsed<SweepState> merge_sweeps(const std::vector<std::string>& folders) {
  SweepState sum;
  std::set<std::uint32_t> seen;
  for (const std::string& folder : folders) {
    const std::string path = folder + "/sweep.json";
    const auto text = read_file(path, kStateBytesMax, "the folder of a sweep");
    if (!text) return unexpected(text.error());
    auto shard = read_sweep_state(*text, path);
    if (!shard) return unexpected(shard.error());
    if (seen.empty()) {
      sum.seed = shard->seed;
      sum.shards = shard->shards;
    }
    if (shard->seed != sum.seed || shard->shards != sum.shards) {
      return unexpected(InputError{path, "is of another sweep",
                                   fmt::format("seed {} in {} shards", hex(sum.seed), sum.shards)});
    }
    if (!seen.insert(shard->shard).second) {
      return unexpected(InputError{path, fmt::format("shard {} is there twice", shard->shard + 1),
                                   "every shard once"});
    }
    for (Failure& failure : shard->failures) {
      if (!failure.file.empty()) failure.file = folder + "/" + failure.file;
    }
    add(sum, *shard);
  }
  std::sort(sum.failures.begin(), sum.failures.end(),
            [](const Failure& a, const Failure& b) { return a.number < b.number; });
  return sum;
}

}  // namespace poolproof::search
