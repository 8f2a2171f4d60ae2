#include "harness/search/sweep.hpp"

#include <filesystem>
#include <unistd.h>

#include <fmt/format.h>

#include "harness/base/shell.hpp"
#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"
#include "harness/cli/stop_signals.hpp"
#include "harness/cli/sweep_report.hpp"
#include "harness/host/system.hpp"
#include "harness/search/case.hpp"
#include "harness/search/host_rate.hpp"
#include "harness/search/processors.hpp"
#include "harness/trace/timeline.hpp"

namespace poolproof::cli {
namespace {

using search::SweepEnd;
using namespace std::chrono_literals;

constexpr std::size_t kTimelineLines = 60;
constexpr std::uint64_t kShardsMost = 100'000;
/// How often progress is told where nobody watches: a sweep of a day must not fill a disk.
constexpr Duration kTellFileEvery = 60s;

/// Tells progress, on a terminal each time, else at most once a minute.
class ProgressTeller {
 public:
  void operator()(const search::SweepState& state, Duration left) {
    const Time now = host::sys::now();
    if (!terminal_ && told_ && now - *told_ < kTellFileEvery) return;
    told_ = now;
    const std::string rest =
        left < Duration::zero() ? "" : fmt::format(", {:.0f} s left", seconds(left));
    say(fmt::format("{} scenarios, {:.0f}/s, {} kind(s) of failure, {} cells and marks{}\n",
                    state.done, per_second(state.done, state.elapsed), state.failures.size(),
                    state.coverage.count(), rest));
  }

 private:
  bool terminal_ = ::isatty(STDOUT_FILENO) == 1;
  std::optional<Time> told_;
};

/// The host world's rate, measured now, for comparison.
std::string host_rate_line(const std::string& out) {
  const auto folder = std::filesystem::path(out) / ".host-rate";
  const auto rate = search::measure_host_rate(own_program(), folder.string());
  if (!rate) {
    return fmt::format("  on real processes: not measured: {}\n",
                       printable_message(rate.error(), 500));
  }
  return fmt::format("  on real processes: {:.0f} Core events/s with C++ workers\n",
                     per_second(rate->core_events, rate->span));
}

/// Whether the same command is to be given again, to do the rest.
bool goes_on_later(SweepEnd end) {
  return end == SweepEnd::time || end == SweepEnd::asked || end == SweepEnd::kills;
}

std::string how_far(const search::SweepState& state) {
  if (state.count == 0) return fmt::format("{} scenarios", state.done);
  return fmt::format("{} of {} scenarios", state.done,
                     search::cases_of(state.count, state.own().shard, state.shards));
}

std::string_view why_it_stopped(SweepEnd end) {
  switch (end) {
    case SweepEnd::time:
      return "its time was over";
    case SweepEnd::asked:
      return "it was asked to";
    case SweepEnd::kills:
      return "its processes were killed again and again";
    case SweepEnd::failure:
      return "at the first failure";
    case SweepEnd::crashes:
      return "it crashed too often";
    case SweepEnd::running:
    case SweepEnd::finished:
      break;
  }
  return "it could not go on";
}

/// Prints the last lines, and returns the exit code.
int print_verdict(const search::SweepState& state, bool failed) {
  const SweepEnd end = state.own().end;
  if (!state.trouble.empty()) return broken("sweep: " + state.trouble);
  if (end != SweepEnd::finished) {
    say(fmt::format("stopped after {}: {}; all of it is saved{}\n", how_far(state),
                    why_it_stopped(end),
                    goes_on_later(end) ? ", and the same command goes on" : ""));
  }
  if (goes_on_later(end)) {
    say(failed ? "FAILED so far\n" : "not done\n");
    return kTryAgain;
  }
  say(failed ? "FAILED\n" : "no failure\n");
  if (failed) return kFailed;
  return state.done == 0 ? kInvalid : kHeld;
}

int print_end(const search::SweepState& state, const search::SweepOptions& options,
              const std::string& host_rate) {
  print_failures(state, options.out);
  if (options.shrink) print_unshrunk(state);
  if (state.own().end == SweepEnd::crashes) {
    say("\ngiven up: it crashed too often, and the rest was left\n");
  }
  say(fmt::format("\n{} scenarios in {:.1f} s: {:.0f}/s{}\n", state.done, seconds(state.elapsed),
                  per_second(state.done, state.elapsed), repeated_words(state)));
  print_rates(state);
  say(host_rate);
  print_kills(state);
  if (state.own().end == SweepEnd::finished) {
    print_reached(state);
  } else {
    say("stopped before its end: what it did not reach says nothing\n");
  }
  const bool failed = print_broken_coverage(state) || !state.failures.empty();
  print_proved_nothing(state);
  return print_verdict(state, failed);
}

int once_more(std::uint64_t seed) {
  search::CaseRunner runner;
  const auto& scenario = runner.make(seed);
  say(scenario::write_scenario(scenario));
  bool failed = false;
  for (const auto codec : {wire::Codec::terse, wire::Codec::json}) {
    const auto result = runner.run(scenario, codec);
    failed = failed || result.failed();
    say(codec == wire::Codec::terse ? "\nwith opaque payloads (terse codec):\n"
                                    : "\nthe same scenario once more, with the JSON codec:\n");
    say(trace::timeline(runner.trace(), kTimelineLines));
    for (const auto& finding : result.findings) {
      say(fmt::format("{}: {}\n", finding.invariant, finding.what));
    }
    if (!result.trouble.empty()) say(result.trouble + "\n");
    say(fmt::format("trace hash {:016x}\n", search::hash_of(runner.trace())));
  }
  return failed ? kFailed : kHeld;
}

/// The shard that was asked for, counted from 0, and the number of shards. Error: one line.
Expected<std::pair<std::uint32_t, std::uint32_t>, std::string> shard_of(
    const SweepArguments& arguments) {
  if (arguments.shard_index || arguments.shards) {
    if (!arguments.shard.empty()) {
      return unexpected(std::string("--shard beside --shard-index and --shards; one of both ways"));
    }
    if (!arguments.shard_index || !arguments.shards) {
      return unexpected(std::string("--shard-index (from 0) and --shards belong together"));
    }
    if (*arguments.shard_index >= *arguments.shards) {
      return unexpected(fmt::format("--shard-index: {}; 0 to {}, as there are {} shards",
                                    *arguments.shard_index, *arguments.shards - 1,
                                    *arguments.shards));
    }
    return std::pair(*arguments.shard_index, *arguments.shards);
  }
  const std::string& text = arguments.shard.empty() ? "1/1" : arguments.shard;
  const std::size_t slash = text.find('/');
  const auto shard = search::seed_of_text(text.substr(0, slash));
  const auto shards = slash == std::string::npos ? 0 : search::seed_of_text(text.substr(slash + 1));
  if (shard < 1 || shard > shards || shards > kShardsMost) {
    return unexpected(fmt::format("--shard: \"{}\"; K/N with K from 1 to N, as 2/8", text));
  }
  return std::pair(static_cast<std::uint32_t>(shard - 1), static_cast<std::uint32_t>(shards));
}

}  // namespace

std::string again_lines(const std::string& file, search::OnHost on_host) {
  const std::string tried =
      on_host.runs == 0 ? "" : fmt::format(" ({} of {} runs failed)", on_host.failed, on_host.runs);
  return fmt::format(
      "  in the simulator: poolproof run {0} --world sim\n"
      "  on real processes{1}: poolproof run {0} --world host\n",
      shell_path(file), tried);
}

int sweep(const SweepArguments& arguments) {
  if (arguments.once) {
    if (arguments.count > 0 || arguments.time_s > 0) {
      return bad_input("sweep: --case beside --count or --time; one case, or a sweep");
    }
    return once_more(search::seed_of_text(*arguments.once));
  }
  if (arguments.out.empty()) return bad_input(kEmptyOut);
  search::SweepOptions options;
  options.seed = search::seed_of_text(arguments.seed);
  options.count = arguments.count;
  options.time = std::chrono::seconds(arguments.time_s);
  if (options.count == 0 && arguments.time_s == 0) {
    return bad_input("sweep: neither --count nor --time; at least one of them");
  }
  options.jobs = arguments.jobs > 0 ? arguments.jobs : search::usable_processors();
  const auto shard = shard_of(arguments);
  if (!shard) return bad_input(shard.error());
  std::tie(options.shard, options.shards) = *shard;
  options.out = arguments.out;
  options.shrink = arguments.shrink;
  options.stop_at_failure = arguments.stop_at_failure;
  if (arguments.host) options.self = own_program();
  options.before_shrinking = say_what_is_shrunk;
  options.asked_to_stop = asked_to_stop;
  catch_stop_signals();
  const auto state = search::sweep(options, ProgressTeller());
  if (!state) return not_carried_out("sweep", state.error());
  const bool measure = arguments.host && !options.stop_at_failure && state->trouble.empty() &&
                       state->own().end == SweepEnd::finished;
  return print_end(*state, options, measure ? host_rate_line(options.out) : "");
}

}  // namespace poolproof::cli
