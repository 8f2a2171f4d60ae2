#include "harness/search/explore.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"

namespace poolproof::cli {
namespace {

using search::Exploration;

double seconds(Duration span) {
  return static_cast<double>(span.count()) / 1e6;
}

void print_progress(std::uint64_t runs, Duration elapsed) {
  say(fmt::format("{} runs in {:.0f} s\n", runs, seconds(elapsed)));
}

std::string extent(const search::ExploredPart& part, Exploration what) {
  if (what != Exploration::orders) return part.cut_short ? ", cut short" : "";
  return fmt::format(", {} ({} judged, {} broken off)",
                     part.cut_short ? "cut short: NOT every order" : "every order", part.different,
                     part.runs - part.different);
}

void print_failures(const search::Explored& explored) {
  for (const auto& failure : explored.failures) {
    say(fmt::format("\nfailed at least {} time(s): {}\n  {}\n", failure.times, failure.signature,
                    printable_message(failure.what, 1000)));
    if (failure.file.empty()) continue;
    say(again_lines(failure.file));
  }
}

}  // namespace

int explore(const ExploreArguments& arguments) {
  if (arguments.out.empty()) return bad_input(kEmptyOut);
  search::ExploreOptions options;
  options.what = arguments.what == "cuts"     ? Exploration::cuts
                 : arguments.what == "faults" ? Exploration::faults
                                              : Exploration::orders;
  options.out = arguments.out;
  options.runs_most = arguments.runs_most;
  const auto explored = search::explore(options, print_progress);
  if (!explored) return not_carried_out("explore", explored.error());
  print_failures(*explored);
  for (const auto& part : explored->parts) {
    say(fmt::format("{}: {} run(s){}\n", part.name, part.runs, extent(part, options.what)));
  }
  const double span = seconds(explored->elapsed);
  say(fmt::format("{} runs in {:.1f} s: {:.0f}/s, {} Core events\n", explored->runs, span,
                  static_cast<double>(explored->runs) / std::max(span, 1e-6),
                  explored->core_events));
  if (explored->proved_nothing > 0) {
    say(fmt::format("{} run(s) proved nothing: somebody waited in vain\n",
                    explored->proved_nothing));
  }
  if (explored->killed > 0) {
    say(
        fmt::format("{} time(s) a process was killed from outside (SIGKILL: out of memory?); its "
                    "run began again\n",
                    explored->killed));
  }
  say(fmt::format("{}\n", explored->failures.empty() ? "no failure" : "FAILED"));
  if (!explored->failures.empty()) return kFailed;
  return explored->runs == explored->proved_nothing ? kInvalid : kHeld;
}

}  // namespace poolproof::cli
