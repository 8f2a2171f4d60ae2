#include <algorithm>
#include <charconv>

#include <fmt/format.h>

#include "harness/oracle/rules.hpp"
#include "harness/trace/fields.hpp"

/// What refused clients say that they were told, against what the pool says that it told them, and
/// against what they have seen themselves.
namespace poolproof::oracle {
namespace {

/// What is told in one way, and how often.
struct Told {
  Outcome why;
  Phase phase;
  StartCause cause;
  std::int64_t times = 0;
};

/// There are but a few ways, however many are told.
std::int64_t& times_of(const Told& way, Table<Told>& all) {
  const auto found = std::find_if(all.begin(), all.end(), [&way](const Told& one) {
    return one.why == way.why && one.phase == way.phase && one.cause == way.cause;
  });
  return found != all.end() ? found->times : all.emplace_back(way).times;
}

/// What never ran has no last words: they are another one's.
void judge_last_words(const Case& given, Findings& findings) {
  for (const std::uint32_t place : given.view.refused) {
    const trace::ClientStep& step = given.evidence.trace.clients[place];
    if (step.cause != StartCause::exec_failed) continue;
    if (step.message.find("; its stderr ends: ") == std::string::npos) continue;
    findings.push_back(
        {"diagnosis",
         fmt::format("{} was told what a worker wrote that could not be started", who(step)),
         step.ended});
  }
}

/// How long a refused client waited, as its error says.
void judge_waits(const Case& given, Findings& findings) {
  const Duration lateness = given.evidence.bounds.liveness;
  for (const std::uint32_t place : given.view.refused) {
    const trace::ClientStep& step = given.evidence.trace.clients[place];
    constexpr std::string_view kAfter = " after ";
    const std::string_view message = step.message;
    const std::string_view outcome = name(step.outcome);
    if (!message.starts_with(outcome) || !message.substr(outcome.size()).starts_with(kAfter))
      continue;
    std::int64_t said = 0;
    const char* const from = message.data() + outcome.size() + kAfter.size();
    if (std::from_chars(from, message.data() + message.size(), said).ec != std::errc()) continue;
    const Duration waited = step.ended - step.begun + given.view.grain;
    if (said <= to_ms(waited) && said + to_ms(lateness) >= to_ms(waited)) continue;
    findings.push_back({"diagnosis",
                        fmt::format("{} was told that it had waited {} ms, it was {} ms", who(step),
                                    said, trace::milliseconds(step.ended - step.begun)),
                        step.ended});
  }
}

}  // namespace

void judge_refusal_words(const Case& given, Findings& findings) {
  judge_waits(given, findings);
  judge_last_words(given, findings);
}

/// Nobody knows which refusal was whose; but of each kind there are as many.
void judge_refusals(const Case& given, Findings& findings) {
  const Evidence& evidence = given.evidence;
  // On a real machine a client may have been told, and not be done when the trace ends.
  if (given.self_report == nullptr || evidence.bounds.liveness != Duration::zero()) return;
  if (given.view.refused.empty()) return;
  Table<Told> all(given.view.memory);
  for (const pool::Refuse* told : given.self_report->noted().refusals) {
    ++times_of({told->why, told->phase, told->cause.cause}, all);
  }
  for (const std::uint32_t place : given.view.refused) {
    const trace::ClientStep& step = evidence.trace.clients[place];
    if (--times_of({step.outcome, step.phase, step.cause}, all) >= 0) continue;
    findings.push_back(
        {"witnesses",
         fmt::format("{} was told {} ({}, cause {}), but the pool says that it told "
                     "nobody so",
                     who(step), name(step.outcome), name(step.phase), name(step.cause)),
         step.ended});
    return;
  }
}

}  // namespace poolproof::oracle
