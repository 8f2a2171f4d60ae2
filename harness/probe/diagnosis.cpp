#include "harness/probe/diagnosis.hpp"

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::probe {
namespace {

constexpr std::size_t kErrorBytes = 80;

std::string end_of(const Reaction& reaction) {
  return "(" + pool::words(reaction.exit.value_or(ExitStatus{})) + ")";
}

std::string why(const FailedStart& start, const Settings& settings) {
  if (!start.launch_error.empty()) return start.launch_error;
  if (start.echoes) return "it gives back what it is sent, as cat does, so it is no worker";
  pool::Config config;
  config.startup_budget = settings.limit;
  const std::string told = pool::explain_start({}, start.evidence, config, start.stderr_tail, "");
  // There is but one worker here, and it has no number.
  constexpr std::string_view kWho = "worker 0.0 ";
  return fmt::format("it {} [{}]", told.substr(told.starts_with(kWho) ? kWho.size() : 0),
                     name(start.evidence.cause));
}

/// Why its first call failed; empty: it was answered.
std::string failure_of(const EchoTest& echo) {
  switch (echo.reaction.after) {
    case After::ended:
      return "ends on its first call " + end_of(echo.reaction);
    case After::closed:
      return "closes its stdout on its first call";
    case After::silent:
      return "does not answer its first call";
    case After::babbled:
      return "answers its first call with bytes that make no frame";
    case After::answered:
      break;
  }
  return echo.no_reply.empty() ? "" : "answers a call with what is no reply: " + echo.no_reply;
}

void judge_echo(const EchoTest& echo, Diagnosis& diagnosis) {
  auto& [faults, quirks, virtues, text] = diagnosis;
  if (const std::string failure = failure_of(echo); !failure.empty())
    return faults.push_back(failure);
  if (echo.more_than_one_reply) faults.emplace_back("writes more than one reply to a call");
  if (echo.reaction.exit) faults.push_back("ends after its first call " + end_of(echo.reaction));
  virtues.push_back(echo.error ? fmt::format("answers a call (here with the error \"{}\")",
                                             printable(*echo.error, kErrorBytes))
                               : "answers a call");
}

void judge_broken_frame(const Reaction& reaction, Diagnosis& diagnosis) {
  auto& [faults, quirks, virtues, text] = diagnosis;
  if (reaction.after == After::ended) {
    quirks.push_back("ends without a word on a broken request " + end_of(reaction));
  } else if (reaction.after != After::answered) {
    quirks.emplace_back(reaction.after == After::silent ? "leaves a broken request unanswered"
                                                        : "answers a broken request with no frame");
  } else if (reaction.exit) {
    quirks.push_back("answers a broken request and ends " + end_of(reaction));
  } else {
    virtues.emplace_back("answers a broken request with an error");
  }
}

void judge_oversized_frame(const Reaction& reaction, const Settings& settings,
                           Diagnosis& diagnosis) {
  if (reaction.after == After::ended) {
    diagnosis.virtues.push_back("ends on an oversized frame " + end_of(reaction));
  } else if (reaction.after == After::silent) {
    diagnosis.quirks.push_back(
        fmt::format("takes a frame of more than {} bytes (it waits for its payload)",
                    settings.framing.max_frame_bytes));
  } else {
    diagnosis.virtues.emplace_back("answers an oversized frame with an error");
  }
}

void judge_end_of_input(const Reaction& reaction, const Settings& settings, Diagnosis& diagnosis) {
  if (reaction.after == After::ended)
    return diagnosis.virtues.push_back("ends at the end of input " + end_of(reaction));
  diagnosis.faults.push_back(fmt::format("does not end within {} ms of the end of its input",
                                         settings.limit / std::chrono::milliseconds(1)));
}

std::string text_of(const Diagnosis& diagnosis) {
  const auto& [faults, quirks, virtues, unused] = diagnosis;
  std::string text =
      !faults.empty() ? fmt::format("no good worker for a pool: it {}", fmt::join(faults, "; it "))
      : !quirks.empty() ? fmt::format("a worker that a pool can use, though it {}",
                                      fmt::join(quirks, ", and it "))
                        : "a sound worker";
  text = "diagnosis: " + text + ".\n";
  if (!faults.empty() && !quirks.empty())
    text += fmt::format("also, it {}.\n", fmt::join(quirks, "; it "));
  if (!virtues.empty()) text += fmt::format("besides, it {}.\n", fmt::join(virtues, "; it "));
  return text;
}

}  // namespace

Diagnosis diagnose(const Results& results, const Settings& settings) {
  Diagnosis diagnosis;
  if (results.first_start) {
    diagnosis.faults.push_back(why(*results.first_start, settings));
    diagnosis.text = fmt::format("diagnosis: {}.\n", diagnosis.faults.front());
    return diagnosis;
  }
  judge_echo(results.echo, diagnosis);
  if (results.later_start)
    diagnosis.faults.push_back("does not start a second time: " +
                               why(*results.later_start, settings));
  if (results.broken_frame) judge_broken_frame(*results.broken_frame, diagnosis);
  if (results.oversized_frame) judge_oversized_frame(*results.oversized_frame, settings, diagnosis);
  if (results.end_of_input) judge_end_of_input(*results.end_of_input, settings, diagnosis);
  diagnosis.text = text_of(diagnosis);
  return diagnosis;
}

}  // namespace poolproof::probe
