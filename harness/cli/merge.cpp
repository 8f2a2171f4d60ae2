#include "harness/search/merge.hpp"

#include <cerrno>
#include <cstring>
#include <filesystem>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/base/write_file.hpp"
#include "harness/cli/commands.hpp"
#include "harness/cli/merge_reports.hpp"
#include "harness/cli/stop_signals.hpp"
#include "harness/cli/sweep_report.hpp"
#include "harness/host/system.hpp"
#include "harness/search/build_fingerprint.hpp"
#include "harness/search/sweep_shrink.hpp"
#include "harness/search/sweep_state.hpp"

namespace poolproof::cli {
namespace {

namespace fs = std::filesystem;
using search::MergedSweep;

/// Why the merge could not do what was asked: one line, and the exit code.
struct Refusal {
  int code;
  std::string line;
};

int told(const Refusal& refusal) {
  if (refusal.code == kBadInput) return bad_input("merge: " + refusal.line);
  return refusal.code == kTryAgain ? try_again("merge: " + refusal.line)
                                   : broken("merge: " + refusal.line);
}

/// Makes the folder `out` and holds it for this process alone.
Expected<host::Descriptor, Refusal> make_folder(const MergeArguments& arguments) {
  const std::string& out = arguments.out;
  const auto refuse = [&](const std::string& why) {
    return unexpected(Refusal{kBadInput, fmt::format("--out {}: {}", out, why)});
  };
  if (const auto why = search::why_not_into(out, arguments.folders); !why.empty()) {
    return refuse(why + "; another folder");
  }
  std::error_code error;
  fs::create_directories(fs::path(out) / "failures", error);
  if (error) return refuse("can't be made: " + error.message());
  auto folder = host::sys::lock_folder(out.c_str());
  if (folder) return std::move(*folder);
  if (folder.error() != EWOULDBLOCK) return refuse(std::strerror(folder.error()));
  return unexpected(
      Refusal{kTryAgain, fmt::format("--out {}: somebody else is writing there", out)});
}

/// Shrinks what no shard and no earlier merge has shrunk, and puts the files into the folder.
/// Returns whether it was asked to stop before all was done.
Expected<bool, Refusal> shrink(const MergeArguments& arguments, MergedSweep& merged) {
  if (merged.sum.build != search::build_fingerprint()) {
    return unexpected(Refusal{
        kBadInput, fmt::format("--shrink: the shards are of another build ({}); that build of "
                               "poolproof",
                               merged.sum.build)});
  }
  catch_stop_signals();
  search::ShrinkOptions options;
  options.seed = merged.sum.seed;
  options.out = arguments.out;
  if (arguments.host) options.self = own_program();
  options.before_shrinking = say_what_is_shrunk;
  options.asked_to_stop = asked_to_stop;
  std::vector<search::Failure*> failures;
  for (auto& failure : merged.sum.failures) failures.push_back(&failure);
  const auto end = search::shrink_failures(options, failures);
  if (!end.trouble.empty()) return unexpected(Refusal{kBroken, end.trouble});
  return end.asked;
}

/// What the coverage of the shards proves wrong; of another build's nothing is known.
std::vector<std::string> broken_coverage_of(const search::SweepState& sum) {
  return sum.build == search::build_fingerprint() ? broken_coverage(sum)
                                                  : std::vector<std::string>();
}

Expected<void, std::string> write_reports(const MergedSweep& merged, MergeVerdict verdict,
                                          const std::string& out) {
  const std::vector<std::string> coverage = broken_coverage_of(merged.sum);
  const std::pair<const char*, std::string> files[] = {
      {"sweep.json", search::write_sweep_state(merged.sum)},
      {"junit.xml", merge_junit(merged, verdict, coverage)},
      {"summary.md", merge_summary(merged, verdict, coverage)}};
  for (const auto& [name, text] : files) {
    if (auto written = write_file_whole(fs::path(out) / name, text); !written) return written;
  }
  return {};
}

void print_missing(const MergedSweep& merged) {
  for (const std::string& line : merged.missing) {
    say(fmt::format("{}\n", printable_message(line)));
  }
}

/// Prints what the shards found together. Returns whether something failed.
bool print_sum(const MergedSweep& merged, const std::string& out) {
  const search::SweepState& sum = merged.sum;
  print_failures(sum, out);
  say(fmt::format("\n{}{}\n", extent_of(sum), repeated_words(sum)));
  print_rates(sum);
  print_kills(sum);
  print_proved_nothing(sum);
  bool failed = !sum.failures.empty();
  if (sum.build != search::build_fingerprint()) {
    say(fmt::format("the shards are of another build ({}): what they reached is not told\n",
                    printable_message(sum.build)));
    return failed;
  }
  if (merged.missing.empty()) print_reached(sum);
  return print_broken_coverage(sum) || failed;
}

/// Prints the last line, and returns the exit code.
int print_verdict(const MergedSweep& merged, bool partial, bool failed) {
  if (!partial && !merged.missing.empty()) {
    say(fmt::format("INCOMPLETE: {} thing(s) missing{}; --partial judges what there is\n",
                    merged.missing.size(), failed ? ", and it has failed already" : ""));
    return kInvalid;
  }
  const std::string part =
      merged.missing.empty() ? "" : " in what there is: " + extent_of(merged.sum);
  say(fmt::format("{}{}\n", failed ? "FAILED" : "no failure", part));
  if (failed) return kFailed;
  return merged.sum.done == 0 ? kInvalid : kHeld;
}

}  // namespace

int merge(const MergeArguments& arguments) {
  if (arguments.shrink && arguments.out.empty()) {
    return bad_input("merge: --shrink without --out; a folder for the shrunk scenarios");
  }
  auto merged = search::merge_sweeps(arguments.folders);
  if (!merged) return bad_input(merged.error().line());
  print_missing(*merged);
  if (merged->sum.parts.empty()) {
    say("INCOMPLETE: there is nothing to add up\n");
    return kInvalid;
  }
  host::Descriptor folder;
  if (!arguments.out.empty()) {
    auto made = make_folder(arguments);
    if (!made) return told(made.error());
    folder = std::move(*made);
    if (const auto copied = search::adopt_files(merged->sum, arguments.out); !copied) {
      return broken("merge: " + copied.error());
    }
    search::take_shrunk_before(merged->sum, arguments.out);
  }
  bool stopped = false;
  if (arguments.shrink) {
    const auto asked = shrink(arguments, *merged);
    if (!asked) return told(asked.error());
    stopped = *asked;
  }
  const bool failed = print_sum(*merged, arguments.out);
  if (arguments.shrink) print_unshrunk(merged->sum);
  const bool incomplete = !merged->missing.empty() && !arguments.partial;
  if (!arguments.out.empty()) {
    const auto verdict = incomplete ? MergeVerdict::incomplete
                         : failed   ? MergeVerdict::failed
                                    : MergeVerdict::held;
    if (const auto written = write_reports(*merged, verdict, arguments.out); !written) {
      return broken("merge: " + written.error());
    }
    const std::string out = printable_message(arguments.out);
    say(fmt::format("reports: {0}/sweep.json, junit.xml, summary.md\n", out));
  }
  if (stopped) return try_again("merge: asked to stop before all failures were shrunk");
  return print_verdict(*merged, arguments.partial, failed);
}

}  // namespace poolproof::cli
