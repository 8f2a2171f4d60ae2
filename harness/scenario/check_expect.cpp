#include <algorithm>
#include <csignal>
#include <set>
#include <string>
#include <string_view>

#include <fmt/format.h>

#include "harness/scenario/client_name.hpp"
#include "harness/scenario/scenario_json.hpp"

namespace poolproof::scenario {
namespace {

constexpr std::array kRefusals{
    Outcome::checkout_timeout, Outcome::queue_full,  Outcome::start_failed, Outcome::pool_closed,
    Outcome::cancelled,        Outcome::worker_busy, Outcome::worker_gone,  Outcome::sessions_full};

bool is_among(const auto& all, auto one) {
  return std::ranges::find(all, one) != all.end();
}

bool can_be_skipped(const Step& step) {
  return is_call(step) || std::holds_alternative<Checkin>(step) ||
         std::holds_alternative<Throw>(step);
}

bool can_fail_with(const Step& step, Outcome outcome) {
  const bool refusal = is_among(kRefusals, outcome);
  if (std::holds_alternative<Checkout>(step)) return refusal;
  if (std::holds_alternative<Execute>(step)) return true;
  if (!is_call(step)) return true;
  return !refusal || outcome == Outcome::cancelled || outcome == Outcome::pool_closed;
}

constexpr std::array kPhasesOfCheckouts{Phase::queued, Phase::starting, Phase::handshake,
                                        Phase::cooling, Phase::suspended};
constexpr std::array kPhasesOfCalls{Phase::writing_request, Phase::awaiting_reply,
                                    Phase::reading_reply};

std::string listed(const auto& phases) {
  std::string all;
  for (const Phase phase : phases) all += (all.empty() ? "" : ", ") + std::string(name(phase));
  return "one of " + all;
}

/// Refuses a phase or a cause that never comes with the expected error.
void check_details(const JsonNode& node, const Step& step, Outcome outcome) {
  const bool of_both = outcome == Outcome::cancelled || outcome == Outcome::pool_closed;
  const bool of_checkout =
      of_both ? std::holds_alternative<Checkout>(step) : is_among(kRefusals, outcome);
  const bool of_call = of_both ? is_call(step) : !of_checkout;
  const auto phase = node.find("phase");
  const auto said = phase ? *named<Phase>(kPhaseNames, phase->text()) : Phase::none;
  const auto wrong = [&](const auto& instead) {
    phase->wrong(fmt::format("is \"{}\" for {}", name(said), name(outcome)), listed(instead));
  };
  if (of_checkout && is_among(kPhasesOfCalls, said)) wrong(kPhasesOfCheckouts);
  if (of_call && is_among(kPhasesOfCheckouts, said)) wrong(kPhasesOfCalls);
  const auto cause = node.find("cause");
  if (!cause || outcome == Outcome::start_failed) return;
  const auto why = *named<StartCause>(kStartCauseNames, cause->text());
  const bool behind =
      outcome == Outcome::checkout_timeout && why == StartCause::behind_another_start;
  if (behind || why == StartCause::none) return;
  cause->wrong(fmt::format("is \"{}\" for {}", name(why), name(outcome)),
               "a cause beside \"start_failed\"");
}

bool needs_a_session(Outcome outcome) {
  return outcome == Outcome::worker_busy || outcome == Outcome::worker_gone ||
         outcome == Outcome::sessions_full;
}

template <class Kind>
bool has_step(const Scenario& scenario) {
  return any_step(scenario, [](const Step& step) { return std::holds_alternative<Kind>(step); });
}

bool is_cancelled(const Scenario& scenario, const Client& client) {
  return any_step(scenario, [&client](const Step& step) {
    const auto* cancel = std::get_if<Cancel>(&step);
    return cancel != nullptr && is_named(client, cancel->client);
  });
}

std::uint64_t clients_of(const Scenario& scenario) {
  std::uint64_t all = 0;
  for (const Client& client : scenario.clients) all += client.count;
  return all;
}

std::size_t sessions_of(const Scenario& scenario) {
  std::set<std::string_view> names;
  for (const Client& client : scenario.clients) {
    for (const Step& step : client.steps) {
      const auto* session = session_of(step);
      if (session != nullptr && !session->name.empty()) names.insert(session->name);
    }
  }
  return names.size();
}

/// Refuses a full queue, or too many sessions, where the scenario has too few to fill them.
void check_fullness(const JsonNode& error, const Scenario& scenario, Outcome outcome) {
  const pool::Config& pool = scenario.pool.core;
  const std::uint64_t others = clients_of(scenario) - 1;
  if (outcome == Outcome::queue_full && others < pool.waiters_max) {
    error.wrong(fmt::format("is \"queue_full\", and at most {} others can wait", others),
                fmt::format("more clients than \"waiters_max\", which is {}", pool.waiters_max));
  }
  const std::size_t sessions = sessions_of(scenario);
  if (outcome == Outcome::sessions_full && sessions <= pool.sessions_max) {
    error.wrong(fmt::format("is \"sessions_full\", and there are at most {} sessions", sessions),
                fmt::format("more sessions than \"sessions_max\", which is {}", pool.sessions_max));
  }
}

/// Refuses an error that nothing in the scenario can bring about.
void check_origin(const JsonNode& error, const Scenario& scenario, const Client& client,
                  const Step& step, Outcome outcome) {
  const auto* session = session_of(step);
  const bool in_session = session != nullptr && !session->name.empty();
  if (needs_a_session(outcome) && !in_session) {
    error.wrong(
        fmt::format("is \"{}\" for a {} without a session", name(outcome), name(kind(step))),
        "a \"session\" in the step");
  }
  if (outcome == Outcome::cancelled && !is_cancelled(scenario, client)) {
    error.wrong(fmt::format("is \"cancelled\", and no step cancels client {}", client.name),
                "a step {\"cancel\": ...} of another client");
  }
  if (outcome == Outcome::pool_closed && !has_step<Close>(scenario)) {
    error.wrong("is \"pool_closed\", and no step closes the pool before the last client has ended",
                "a step {\"close\": {}}");
  }
  check_fullness(error, scenario, outcome);
}

void check_one(const JsonNode& node, const Scenario& scenario, const Client& client,
               const Step& step) {
  if (node.is_text()) {
    const std::string word = node.text();
    if (word == good_word(step) || (word == "skipped" && can_be_skipped(step))) return;
    return node.wrong(fmt::format("is \"{}\" for a {}", word, name(kind(step))),
                      fmt::format("\"{}\"", good_word(step)));
  }
  const auto error = node.find("error");
  const auto outcome = named<Outcome>(kOutcomeNames, error->text());
  if (!can_fail_with(step, *outcome)) {
    error->wrong(
        fmt::format("is \"{}\" for a {}", error->text(), name(kind(step))),
        std::holds_alternative<Checkout>(step) ? "an error of a checkout" : "an error of a call");
  }
  check_details(node, step, *outcome);
  const auto phase = node.find("phase");
  if (phase && phase->text() == name(Phase::suspended) && !has_step<Suspend>(scenario)) {
    phase->wrong("is \"suspended\", and no step suspends the pool", "a step {\"suspend\": {}}");
  }
  check_origin(*error, scenario, client, step, *outcome);
  const auto says = node.find("says");
  if (says && says->text().empty())
    says->wrong("is empty", "a part of the message, or no \"says\"");
}

void check_expected(const JsonNode& node, const Scenario& scenario, const Client& client,
                    const Step& step) {
  const auto any_of = node.find("any_of");
  if (any_of) {
    for (const JsonNode& one : any_of->elements()) check_one(one, scenario, client, step);
    return;
  }
  check_one(node, scenario, client, step);
  if (scenario.expect.no_success && makes_a_call(step) && node.is_text() &&
      node.text() == good_word(step)) {
    node.wrong("is \"ok\" for a call, and \"no_success\" is true", "one of the two");
  }
}

void check_client(const JsonNode& node, const Scenario& scenario, const Client& client) {
  std::vector<const Step*> steps;
  for (const Step& step : client.steps) {
    if (has_outcome(kind(step))) steps.push_back(&step);
  }
  const std::vector<JsonNode> expected = node.elements();
  if (expected.size() > steps.size()) {
    return node.wrong(fmt::format("has {} entries", expected.size()),
                      fmt::format("at most {}, one for each step with an outcome", steps.size()));
  }
  for (std::size_t i = 0; i < expected.size(); ++i) {
    check_expected(expected[i], scenario, client, *steps[i]);
  }
}

/// Refuses "by" for a worker that the pool need not have put away, and "exit" for one that need not
/// have lived.
void check_leaving(const JsonNode& node, const Scenario& scenario, const ExpectedFate& expected) {
  const auto among = [&expected](Fate fate) {
    return std::ranges::find(expected.any_of, fate) != expected.any_of.end();
  };
  const bool put_away = !among(Fate::died) && !among(Fate::unborn);
  if (!expected.by.empty() && !put_away) {
    node.wrong("has \"by\" for a worker that the pool need not have put away",
               "the fate \"closed\" or \"killed\"");
  }
  if (expected.exit && among(Fate::unborn)) {
    node.wrong("has \"exit\" for a worker that need not have lived",
               "another fate than \"unborn\"");
  }
  if (is_among(expected.by, Farewell::asked) && !scenario.pool.says_goodbye()) {
    node.find("by")->wrong("has \"asked\", and workers of this protocol are not asked to leave",
                           "\"end_of_input\"");
  }
  const bool by_kill = expected.by == std::vector{Farewell::kill};
  if (by_kill && expected.exit && expected.exit->signal != SIGKILL) {
    node.find("exit")->wrong("is another end than that by KILL", "{\"signal\": \"KILL\"}");
  }
}

void check_fates(const Scenario& scenario, const JsonNode& node) {
  const std::vector<JsonNode> fates = node.elements();
  const auto& workers = scenario.expect.workers;
  for (std::size_t i = 0; i < workers.size(); ++i) {
    const WorkerId worker = workers[i].worker;
    if (worker.slot >= scenario.pool.core.size) {
      fates[i].wrong(fmt::format("slot {}, the pool has {}", worker.slot, scenario.pool.core.size),
                     "a slot of the pool");
    }
    check_leaving(fates[i], scenario, workers[i]);
    for (std::size_t j = 0; j < i; ++j) {
      if (workers[j].worker != worker) continue;
      fates[i].wrong(
          fmt::format("speaks of worker {}.{} as {} does", worker.slot, worker.generation, j),
          "one fate for each, or a list of those it may have");
    }
  }
}

}  // namespace

void check_expectations(const Scenario& scenario, const JsonNode& root) {
  const auto expect = root.find("expect");
  if (!expect) return;
  if (scenario.expect.no_success && scenario.expect.any_success) {
    expect->wrong("has both \"no_success\" and \"any_success\"", "one of them");
  }
  std::vector<std::string_view> names{"workers", "no_success", "any_success"};
  for (const Client& client : scenario.clients) names.push_back(client.name);
  for (const auto& entry : scenario.expect.clients) {
    const std::string& name = entry.first;
    const auto client = std::ranges::find(scenario.clients, name, &Client::name);
    if (client == scenario.clients.end()) return expect->unknown("client", name, names);
    check_client(*expect->find(name), scenario, *client);
  }
  if (const auto workers = expect->find("workers")) check_fates(scenario, *workers);
}

}  // namespace poolproof::scenario
