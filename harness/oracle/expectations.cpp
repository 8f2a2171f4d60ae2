#include <algorithm>

#include "harness/base/text.hpp"
#include "harness/oracle/clients.hpp"
#include "harness/oracle/rules.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::oracle {
namespace {

using scenario::Expected;
using scenario::ExpectedOne;

constexpr std::size_t kSentenceBytesMax = 1000;

bool is_met(const ExpectedOne& expected, const ClientStep& step) {
  if (expected.skipped || step.skipped) return expected.skipped == step.skipped;
  return expected.outcome == step.outcome && expected.phase.value_or(step.phase) == step.phase &&
         expected.cause.value_or(step.cause) == step.cause &&
         step.message.find(expected.says) != std::string::npos;
}

std::string words(const ExpectedOne& expected) {
  if (expected.skipped) return "skipped";
  std::string text{name(expected.outcome)};
  if (expected.phase) text += fmt::format(" in phase {}", name(*expected.phase));
  if (expected.cause) text += fmt::format(" with cause {}", name(*expected.cause));
  if (!expected.says.empty()) text += fmt::format(" saying \"{}\"", expected.says);
  return text;
}

std::string words(const Expected& any_of) {
  std::string text;
  for (const ExpectedOne& one : any_of) text += (text.empty() ? "" : " or ") + words(one);
  return text;
}

std::string words(const ClientStep& step) {
  if (step.skipped) return "was skipped";
  std::string text = fmt::format("came to {}", name(step.outcome));
  if (step.phase != Phase::none) text += fmt::format(" in phase {}", name(step.phase));
  if (step.cause != StartCause::none) text += fmt::format(" with cause {}", name(step.cause));
  return step.message.empty() ? text : text + ": " + step.message;
}

/// The client's record of that step as a whole, not of its parts; null: there is none. Fast where
/// the history is in order, as most are.
const ClientStep* step_of(const ClientSteps& client, std::uint32_t repetition, std::uint32_t step,
                          const trace::Trace& trace) {
  const std::pair wanted(repetition, step);
  const auto place = [&trace](std::uint32_t one) {
    return std::pair(trace.clients[one].repetition, trace.clients[one].step);
  };
  const auto& history = client.history;
  auto found = std::lower_bound(history.begin(), history.end(), wanted,
                                [&](std::uint32_t one, const auto& at) { return place(one) < at; });
  const auto is_it = [&](std::uint32_t one) {
    return place(one) == wanted && !trace.clients[one].part;
  };
  // The parts of an execution are recorded before the execution itself.
  while (found != history.end() && place(*found) == wanted && !is_it(*found)) ++found;
  if (found == history.end() || !is_it(*found)) {
    found = std::find_if(history.begin(), history.end(), is_it);
  }
  return found == history.end() ? nullptr : &trace.clients[*found];
}

/// Judges one repetition of one client: its steps that have an outcome, in order.
void judge_repetition(const ClientSteps& client, std::uint32_t repetition,
                      const std::vector<Expected>& expected, const trace::Trace& trace,
                      Findings& findings) {
  static const Expected kSkipped{ExpectedOne{true, Outcome::ok, {}, {}, ""}};
  const auto& steps = client.client->steps;
  std::size_t place = 0;
  for (std::uint32_t i = 0; i < steps.size(); ++i) {
    if (!has_outcome(scenario::kind(steps[i]))) continue;
    const Expected& wanted = place < expected.size() ? expected[place] : kSkipped;
    ++place;
    const ClientStep* step = step_of(client, repetition, i, trace);
    if (step == nullptr) {
      tell(findings, "expectation", Time{}, "client {}, step {} ({}) never ended; expected {}",
           client.name(), i, name(scenario::kind(steps[i])), words(wanted));
      continue;
    }
    const bool met = std::any_of(wanted.begin(), wanted.end(),
                                 [step](const ExpectedOne& one) { return is_met(one, *step); });
    if (met) continue;
    tell(findings, "expectation", *step, "{}; expected {}", words(*step), words(wanted));
  }
}

void judge_clients(const Evidence& evidence, const View& view, Findings& findings) {
  for (const ClientSteps& client : clients_of(evidence, view)) {
    const auto expected = evidence.scenario.expect.clients.find(client.client->name);
    if (expected == evidence.scenario.expect.clients.end()) continue;
    for (std::uint32_t i = 0; i < client.client->repeat; ++i) {
      judge_repetition(client, i, expected->second, evidence.trace, findings);
    }
  }
}

std::string_view name(scenario::Fate fate) {
  return scenario::kFateNames[static_cast<std::size_t>(fate)];
}

template <class Enum, class Names>
std::string words(const std::vector<Enum>& any_of, const Names& names) {
  std::string text;
  for (const Enum one : any_of) {
    text += fmt::format("{}{}", text.empty() ? "" : " or ", names[static_cast<std::size_t>(one)]);
  }
  return text;
}

/// Judges by what step of the pool a worker left, and how its process ended, where a self-report
/// tells it.
void judge_leaving(const Evidence& evidence, const View& view,
                   const scenario::ExpectedFate& expected, Findings& findings) {
  if (expected.by.empty() && !expected.exit) return;
  const auto left = leaving_of(evidence, view, expected.worker);
  if (!left) return;
  const auto report = [&](std::string_view what, std::string_view wanted) {
    tell(findings, "expectation", left->at, "worker {} {}; expected {}: {}",
         dotted(expected.worker), what, wanted, left->story);
  };
  const auto& by = expected.by;
  const bool as_told = by.empty() || (left->by && std::ranges::find(by, *left->by) != by.end());
  if (!as_told) {
    const auto names = scenario::kFarewellNames;
    report(left->by ? fmt::format("left by {}", names[static_cast<std::size_t>(*left->by)])
                    : std::string("was not made to leave"),
           words(by, names));
  }
  if (expected.exit && left->exit != expected.exit) {
    report(left->exit ? pool::words(*left->exit) : "was not seen to end",
           pool::words(*expected.exit));
  }
}

void judge_fates(const Evidence& evidence, const View& view, Findings& findings) {
  for (const scenario::ExpectedFate& expected : evidence.scenario.expect.workers) {
    judge_leaving(evidence, view, expected, findings);
    const auto fate = fate_of(evidence, view, expected.worker);
    if (!fate) continue;
    const auto& any_of = expected.any_of;
    if (std::find(any_of.begin(), any_of.end(), *fate) != any_of.end()) continue;
    tell(findings, "expectation", Time{}, "the fate of worker {} was \"{}\"; expected {}",
         dotted(expected.worker), name(*fate), words(any_of, scenario::kFateNames));
  }
}

/// Some call must succeed; where no client calls, some checkout must.
void judge_success(const Evidence& evidence, Findings& findings) {
  const auto count = [&evidence](auto which) {
    return std::count_if(evidence.trace.clients.begin(), evidence.trace.clients.end(), which);
  };
  const auto ran = count([](const ClientStep& step) { return !step.skipped; });
  if (ran == 0) return findings.push_back({"expectation", "nothing ran: no client did a step", {}});
  if (evidence.scenario.expect.any_success) return;
  bool calls = false;
  for (const scenario::Client& client : evidence.scenario.clients) {
    for (const scenario::Step& step : client.steps) {
      calls = calls || makes_a_call(step);
    }
  }
  const auto good = count([calls](const ClientStep& step) {
    const bool counts = calls ? is_call(step.kind) : step.kind == StepKind::checkout;
    return counts && !step.skipped && step.outcome == Outcome::ok;
  });
  if (evidence.scenario.expect.no_success) {
    if (!calls || good == 0) return;
    return tell(findings, "expectation", Time{}, "{} call(s) succeeded; none may", good);
  }
  if (good > 0) return;
  findings.push_back({"expectation",
                      calls ? "no call succeeded, and the scenario does not say \"no_success\""
                            : "no checkout succeeded, and the scenario does not say \"no_success\"",
                      {}});
}

}  // namespace

std::vector<Finding> judge_expectations(const Evidence& evidence) {
  const View view(evidence);
  Findings findings;
  judge_clients(evidence, view, findings);
  judge_said_replies({evidence, view, nullptr}, findings);
  judge_fates(evidence, view, findings);
  judge_success(evidence, findings);
  for (Finding& finding : findings)
    finding.what = printable_message(finding.what, kSentenceBytesMax);
  return findings;
}

}  // namespace poolproof::oracle
