#include "harness/search/sweep_shrink.hpp"

#include <algorithm>
#include <filesystem>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/write_file.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/scenario/shrink.hpp"
#include "harness/search/case.hpp"
#include "harness/search/run_in_child.hpp"
#include "harness/search/shrink_failure.hpp"
#include "harness/search/sweep_state.hpp"

namespace poolproof::search {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

/// The time on real processes for all kinds of failure together, in multiples of the time for one
/// kind.
constexpr int kKindsOnHost = 3;
/// What the steps between and after the budgets may take. Only a process that hangs takes as long.
constexpr Duration kMoreTime = 300s;
/// The longest run of a scenario once more.
constexpr Duration kAttemptLimit = 20s;

/// The invariant's name, fit for a file's name.
std::string slug(const std::string& signature) {
  std::string slug;
  for (const char c : signature.substr(0, signature.find(':'))) {
    const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
    slug += plain ? c : '-';
  }
  return slug;
}

std::string file_of(const std::string& name) {
  return fmt::format("failures/{}.json", name);
}

/// A name for the scenario that no other failure's file has: one case may fail in two ways.
std::string free_name(const Failure& failure, const std::vector<Failure*>& all) {
  const std::string plain = fmt::format("{}-{:x}", slug(failure.signature), failure.seed);
  std::string name = plain;
  for (int more = 2;; ++more) {
    const bool taken = std::any_of(
        all.begin(), all.end(), [&](const Failure* other) { return other->file == file_of(name); });
    if (!taken) return name;
    name = fmt::format("{}-{}", plain, more);
  }
}

fs::path trial_folder(const ShrinkOptions& options) {
  return fs::path(options.out) / ".trial";
}

/// What the process that shrinks one failure tells of it.
struct Shrunk {
  Failure failure;
  Duration on_host{};   ///< the time it took on real processes
  std::string trouble;  ///< why the file could not be written
};

std::string text_of(const Shrunk& shrunk) {
  return nlohmann::json{{"failure", write_failure(shrunk.failure)},
                        {"on_host_us", shrunk.on_host.count()},
                        {"trouble", shrunk.trouble}}
      .dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

/// Reads what such a process wrote; nothing: it ended before it had written all.
std::optional<Shrunk> shrunk_of(const std::string& text) {
  const auto said = nlohmann::json::parse(text, nullptr, false);
  if (said.is_discarded()) return std::nullopt;
  auto failure = read_failure(said.at("failure").get_ref<const std::string&>());
  if (!failure) return std::nullopt;
  return Shrunk{std::move(*failure), Duration(said.at("on_host_us").get<Duration::rep>()),
                said.at("trouble")};
}

/// Shrinks one failure in this process, and writes its file.
Shrunk shrink_here(const ShrinkOptions& options, Failure failure, const std::string& name,
                   Duration host_time) {
  CaseRunner runner;
  std::vector<scenario::Scenario> examples{runner.make(failure.seed)};
  for (const std::uint64_t number : failure.others) {
    examples.push_back(runner.make(case_seed(options.seed, number)));
  }
  auto shrunk = shrink_failure(examples, failure.signature, options.shrink_time);
  const auto shown = [&] {
    return reproduces_with(shrunk.scenario, examples.front(), failure.signature);
  };
  Duration on_host{};
  failure.reproduces_with = shown();
  if (failure.reproduces_with == ReproducesWith::file && !options.self.empty()) {
    HostTrials trials(options.self, trial_folder(options).string(), host_time);
    failure.on_host = shrink_for_host(shrunk, failure.signature,
                                      [&](const scenario::Scenario& one, std::uint32_t runs) {
                                        return trials.run(one, failure.signature, runs);
                                      });
    on_host = trials.spent();
    failure.reproduces_with = shown();
    // Pauses may have been made longer, and its sentence tells of them.
    const auto now = run_in_child(shrunk.scenario, kAttemptLimit, wire::Codec::json).sentences;
    if (const auto same = now.find(failure.signature); same != now.end())
      shrunk.what = same->second;
  }
  shrunk.scenario.name = name;
  shrunk.scenario.why = "found by a sweep: " + (shrunk.what.empty() ? failure.what : shrunk.what);
  shrunk.scenario.tags = {"regression"};
  if (failure.reproduces_with != ReproducesWith::file) {
    shrunk.scenario.why += "; " + why_no_file_shows_it(failure.reproduces_with, failure.seed);
  }
  const std::string file = file_of(name);
  const auto written =
      write_file_whole(fs::path(options.out) / file, scenario::write_scenario(shrunk.scenario));
  if (!written) return {std::move(failure), on_host, written.error()};
  failure.file = file;
  failure.size = scenario::size_of(shrunk.scenario);
  failure.shrink_attempts = shrunk.attempts;
  return {std::move(failure), on_host, ""};
}

/// Shrinks one failure in a process of its own; nothing: that process died.
std::optional<Shrunk> shrink_apart(const ShrinkOptions& options, const Failure& failure,
                                   const std::string& name, Duration host_time, bool& asked) {
  auto child = host::fork_child([&](int said) {
    if (options.in_copy) options.in_copy();
    return write_whole(said, text_of(shrink_here(options, failure, name, host_time))) ? 0 : 1;
  });
  if (!child) return std::nullopt;
  const Duration limit = options.shrink_time + options.host_time + kMoreTime;
  const ChildOutput heard = hear(*child, limit, options.asked_to_stop);
  asked = heard.given_up;
  std::error_code ignored;
  fs::remove_all(trial_folder(options), ignored);
  return shrunk_of(heard.said);
}

}  // namespace

void forget_lost_files(const std::string& out, std::vector<Failure>& failures) {
  std::error_code ignored;
  for (Failure& failure : failures) {
    if (!failure.file.empty() && !fs::exists(fs::path(out) / failure.file, ignored)) {
      failure.file.clear();
    }
  }
}

ShrinkEnd shrink_failures(const ShrinkOptions& options, const std::vector<Failure*>& failures) {
  ShrinkEnd end;
  Duration host_left = options.host_time * kKindsOnHost;
  std::size_t shrunk_here = 0;
  for (Failure* const failure : failures) {
    if (!failure->file.empty() || failure->signature == kNondeterminism) continue;
    if (shrunk_here == kShrunkMost) return end;
    end.asked = options.asked_to_stop && options.asked_to_stop();
    if (end.asked) return end;
    if (options.before_shrinking) options.before_shrinking(failure->signature);
    const auto shrunk = shrink_apart(options, *failure, free_name(*failure, failures),
                                     std::min(options.host_time, host_left), end.asked);
    // Whoever could not be shrunk must not keep those behind it from their turn, each time anew.
    if (shrunk) {
      ++shrunk_here;
      // Keep what is not written to files.
      const auto others = std::move(failure->others);
      *failure = shrunk->failure;
      failure->others = others;
      host_left -= shrunk->on_host;
      end.trouble = shrunk->trouble;
    }
    if (end.asked || !end.trouble.empty()) return end;
    if (options.after_shrinking && !options.after_shrinking()) return end;
  }
  return end;
}

}  // namespace poolproof::search
