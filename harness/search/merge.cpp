#include "harness/search/merge.hpp"

#include <algorithm>
#include <filesystem>
#include <utility>

#include <fmt/format.h>

#include "harness/base/read_file.hpp"
#include "harness/base/write_file.hpp"
#include "harness/search/sweep_shrink.hpp"
#include "harness/search/sweep_state.hpp"

namespace poolproof::search {
namespace {

namespace fs = std::filesystem;

constexpr std::uintmax_t kScenarioBytesMax = std::uintmax_t{64} << 20U;

/// A state and the folder it is from.
struct Source {
  std::string folder;
  SweepState state;
};

std::string name_of(std::uint32_t shard, std::uint32_t shards) {
  return fmt::format("shard {}/{}", shard + 1, shards);
}

bool is_done(const ShardProgress& part, std::uint64_t count) {
  return count > 0 ? part.numbers.next() >= count : part.end == SweepEnd::finished;
}

std::string_view words_for(SweepEnd end) {
  switch (end) {
    case SweepEnd::running:
      return "it still runs, or was killed";
    case SweepEnd::finished:
      return "its own count was smaller";
    case SweepEnd::time:
      return "its time was over";
    case SweepEnd::asked:
      return "it was asked to stop";
    case SweepEnd::failure:
      return "it stopped at its first failure";
    case SweepEnd::crashes:
      return "it crashed too often and gave up";
    case SweepEnd::kills:
      return "its processes were killed again and again";
  }
  return "";
}

/// What keeps one source from being its share of a sweep of that count and build.
void look_for_missing(const Source& source, std::uint64_t count, const std::string& build,
                      std::vector<std::string>& missing) {
  const SweepState& state = source.state;
  for (const ShardProgress& part : state.parts) {
    const std::string who =
        fmt::format("{} ({})", name_of(part.shard, state.shards), source.folder);
    if (state.build != build) {
      missing.push_back(fmt::format("{} is of another build: {}, not {}", who, state.build, build));
    }
    if (state.count != count) {
      missing.push_back(
          state.count == 0
              ? fmt::format("{} had no --count, others had {}", who, count)
              : fmt::format("{} is of --count {}, others of {}", who, state.count, count));
      continue;
    }
    if (is_done(part, count)) continue;
    const std::uint64_t done = part.done(state.shards);
    missing.push_back(
        count > 0
            ? fmt::format("{} is not done: {} of {} scenarios, {}", who, done,
                          cases_of(count, part.shard, state.shards), words_for(part.end))
            : fmt::format("{} is not done: {} scenarios, {}", who, done, words_for(part.end)));
  }
}

/// The shards that no source has, as ranges.
void name_absent(const SweepState& sum, std::vector<std::string>& missing) {
  std::uint32_t next = 0;
  const auto name_up_to = [&](std::uint32_t end) {
    if (end == next + 1) missing.push_back(name_of(next, sum.shards) + " is missing");
    if (end > next + 1) {
      missing.push_back(
          fmt::format("shards {}/{} to {}/{} are missing", next + 1, sum.shards, end, sum.shards));
    }
  };
  for (const ShardProgress& part : sum.parts) {
    name_up_to(part.shard);
    next = part.shard + 1;
  }
  name_up_to(sum.shards);
}

void add_failure(std::vector<Failure>& failures, const Failure& failure) {
  const auto known = std::find_if(failures.begin(), failures.end(), [&](const Failure& one) {
    return one.signature == failure.signature;
  });
  if (known == failures.end()) {
    failures.push_back(failure);
    return;
  }
  // One that has a file shows more; else the first counts.
  const auto rank = [](const Failure& one) { return std::pair(one.file.empty(), one.number); };
  Failure sum = *known;
  if (rank(failure) < rank(sum)) sum = failure;
  sum.times = known->times + failure.times;
  sum.others = known->others;
  sum.others.push_back(sum.number == failure.number ? known->number : failure.number);
  *known = std::move(sum);
}

/// The folders' states, and a sentence for each folder that has none yet.
Parsed<std::vector<Source>> load_all(const std::vector<std::string>& folders,
                                     std::vector<std::string>& missing) {
  std::vector<Source> sources;
  for (const std::string& folder : folders) {
    std::error_code error;
    if (fs::is_directory(folder, error) && !fs::exists(folder + "/sweep.json", error) && !error) {
      missing.push_back(
          fmt::format("{} has no sweep.json: no sweep has saved anything there", folder));
      continue;
    }
    auto state = load_sweep_state(folder);
    if (!state) return unexpected(state.error());
    for (Failure& failure : state->failures) {
      if (!failure.file.empty()) failure.file = folder + "/" + failure.file;
    }
    sources.push_back({folder, std::move(*state)});
  }
  return sources;
}

Expected<void, InputError> add(SweepState& sum, const Source& source) {
  const SweepState& state = source.state;
  const std::string path = source.folder + "/sweep.json";
  if (state.seed != sum.seed || state.shards != sum.shards) {
    return unexpected(InputError{path, "is of another sweep",
                                 fmt::format("seed {:#x} in {} shards", sum.seed, sum.shards)});
  }
  for (const ShardProgress& part : state.parts) {
    const auto place =
        std::find_if(sum.parts.begin(), sum.parts.end(),
                     [&](const ShardProgress& one) { return one.shard >= part.shard; });
    if (place != sum.parts.end() && place->shard == part.shard) {
      return unexpected(InputError{path, fmt::format("shard {} is there twice", part.shard + 1),
                                   "every shard once"});
    }
    sum.parts.insert(place, part);
  }
  sum.Tally::add(state);
  sum.killed += state.killed;
  sum.elapsed += state.elapsed;
  for (const Failure& failure : state.failures) add_failure(sum.failures, failure);
  return {};
}

}  // namespace

Parsed<MergedSweep> merge_sweeps(const std::vector<std::string>& folders) {
  MergedSweep merged;
  SweepState& sum = merged.sum;
  auto sources = load_all(folders, merged.missing);
  if (!sources) return unexpected(sources.error());
  sum.merged = true;
  sum.parts.clear();
  if (sources->empty()) return merged;
  sum.seed = sources->front().state.seed;
  sum.shards = sources->front().state.shards;
  sum.build = sources->front().state.build;
  for (const Source& source : *sources) {
    sum.count = std::max(sum.count, source.state.count);
    if (const auto added = add(sum, source); !added) return unexpected(added.error());
  }
  name_absent(sum, merged.missing);
  for (const Source& source : *sources) {
    look_for_missing(source, sum.count, sum.build, merged.missing);
  }
  std::sort(sum.failures.begin(), sum.failures.end(),
            [](const Failure& a, const Failure& b) { return a.number < b.number; });
  return merged;
}

Expected<void, std::string> adopt_files(SweepState& sum, const std::string& out) {
  for (Failure& failure : sum.failures) {
    std::error_code ignored;
    if (!failure.file.empty() && !fs::exists(failure.file, ignored)) failure.file.clear();
    if (failure.file.empty()) continue;
    const auto text = read_file(failure.file, kScenarioBytesMax, "the file of a failure");
    if (!text) return unexpected(text.error().line());
    const std::string kept = "failures/" + fs::path(failure.file).filename().string();
    if (auto written = write_file_whole(fs::path(out) / kept, *text); !written) return written;
    failure.file = kept;
  }
  return {};
}

void take_shrunk_before(SweepState& sum, const std::string& out) {
  auto before = load_sweep_state(out);
  if (!before || before->build != sum.build) return;
  forget_lost_files(out, before->failures);
  for (Failure& failure : sum.failures) {
    if (!failure.file.empty()) continue;
    for (const Failure& known : before->failures) {
      const bool same = known.signature == failure.signature && known.seed == failure.seed;
      if (!same || known.file.empty()) continue;
      const std::uint64_t times = failure.times;
      failure = known;
      failure.times = times;
      break;
    }
  }
}

std::string why_not_into(const std::string& out, const std::vector<std::string>& folders) {
  std::error_code error;
  for (const std::string& folder : folders) {
    if (fs::equivalent(folder, out, error)) return "is one of the folders that are added up";
  }
  if (!fs::exists(out + "/sweep.json", error)) return "";
  const auto state = load_sweep_state(out);
  if (state && state->merged) return "";
  return "has the sweep.json of a sweep, which would be lost";
}

}  // namespace poolproof::search
