#include "harness/agreement/replay.hpp"

#include <cstdint>

#include <fmt/format.h>

#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"
#include "harness/trace/jsonl.hpp"

namespace poolproof::cli {
namespace {

/// No trace that we write is longer.
constexpr std::uintmax_t kLongestFile = std::uintmax_t{1} << 30U;

Parsed<agreement::Replay> replay_file(const std::string& file) {
  const auto text = read_file(file, kLongestFile, "the path of a trace.jsonl");
  if (!text) return unexpected(text.error());
  const auto trace = trace::read_trace(*text, file);
  if (!trace) return unexpected(trace.error());
  return agreement::replay(*trace, file);
}

}  // namespace

int replay(const std::vector<std::string>& trace_files) {
  int code = kHeld;
  for (const auto& file : trace_files) {
    const auto replayed = replay_file(file);
    if (!replayed) return bad_input(replayed.error().line());
    const bool named = trace_files.size() > 1 && !replayed->difference;
    if (named) say(printable_message(file) + ": ");
    say(agreement::words(*replayed, printable_message(file)));
    if (replayed->difference) code = kFailed;
  }
  return code;
}

}  // namespace poolproof::cli
