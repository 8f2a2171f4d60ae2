#include "harness/search/shrink_failure.hpp"

#include <algorithm>

#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/host/system.hpp"
#include "harness/oracle/oracle.hpp"
#include "harness/scenario/shrink.hpp"
#include "harness/search/case.hpp"
#include "harness/search/run_in_child.hpp"

namespace poolproof::search {
namespace {

using scenario::Scenario;
using namespace std::chrono_literals;

constexpr Duration kAttemptLimit = 5s;
/// Time limits for a failure that was found with terse messages: first to make it fail with JSON,
/// then to shrink the scenario that does.
constexpr Duration kFindJsonLimit = 3s;
constexpr Duration kShrinkJsonLimit = 10s;
/// Real processes need real time. A scenario that takes less virtual time than this may grow up to
/// it while it is shrunk; one that takes more must not grow.
constexpr Duration kShort = 8s;
/// The number of other orders that are tried when the candidate's own schedule no longer fails.
constexpr std::uint64_t kOtherOrders = 6;
/// The number of orders tried to learn whether a failure depends on the order.
constexpr std::uint32_t kOrdersAsked = 8;
/// The number of other orders that are tried to make a failure show with JSON. If it depends on a
/// read that was cut within a header, few orders show it.
constexpr std::uint64_t kOrdersWithJson = 5000;

struct Goal {
  std::string signature;
  wire::Codec codec;
};

bool fails_with(const std::string& signature, const CaseResult& result) {
  return std::ranges::any_of(result.findings, [&](const auto& finding) {
    return oracle::signature(finding) == signature;
  });
}

/// Keeps the schedule of the last run. A schedule that is too long for a file is left out: it is
/// drawn again from the seed.
void keep_schedule(Scenario& scenario, const CaseRunner& runner) {
  scenario.schedule.reset();
  const auto& taken = runner.schedule().taken();
  if (taken.size() <= scenario::kScheduleMax) scenario.schedule = taken;
}

/// The virtual time that the run took.
Duration span_of(const trace::Trace& trace) {
  return trace.os.empty() ? Duration{} : trace.os.back().at - trace.os.front().at;
}

/// Tries candidates in this process. A candidate that fails gets the schedule that shows the
/// failure.
class Attempts {
 public:
  Attempts(Goal goal, Time deadline, std::uint64_t other_orders = kOtherOrders)
      : goal_(std::move(goal)), deadline_(deadline), other_orders_(other_orders) {}

  /// In how many of kOrdersAsked orders it fails: the plainest order, and some that are drawn. If
  /// `enough` is not 0, it stops as soon as it is known whether these are enough.
  std::uint32_t orders_failing(const Scenario& candidate, std::uint32_t enough = 0) {
    std::uint32_t failing = 0;
    for (std::uint32_t order = 0; order < kOrdersAsked; ++order) {
      if (fails_in(candidate, order)) ++failing;
      const std::uint32_t left = kOrdersAsked - 1 - order;
      if (enough > 0 && (failing >= enough || failing + left < enough)) break;
    }
    return failing;
  }
  /// From now on a candidate counts as failing only if it fails in at least this many orders.
  void ask_for(std::uint32_t orders) { orders_asked_for_ = orders; }
  /// From now on a candidate must take no longer than this example, or less than kShort.
  void limit_span(const Scenario& example) {
    (void)runner_.run(example, goal_.codec);
    longest_ = std::max(kShort, span_of(runner_.trace()));
  }

  bool fails(Scenario& candidate) {
    if (host::sys::now() >= deadline_) return false;
    if (orders_asked_for_ > 1) {
      if (orders_failing(candidate, orders_asked_for_) < orders_asked_for_) return false;
      if (fails_in(candidate, 0)) {
        candidate.schedule.emplace();
        return true;
      }
    }
    return fails_in_any(candidate);
  }

 private:
  /// Order 0 is the plainest, the others are drawn.
  bool fails_in(const Scenario& candidate, std::uint32_t order) {
    Scenario other = candidate;
    other.schedule.reset();
    if (order == 0) other.schedule.emplace();
    other.seed = other.pool.core.seed = candidate.seed + order;
    return fails_as_it_is(other);
  }

  bool fails_in_any(Scenario& candidate) {
    if (fails_as_it_is(candidate)) {
      if (!candidate.schedule) keep_schedule(candidate, runner_);
      return true;
    }
    Scenario other = candidate;
    other.schedule.reset();
    for (std::uint64_t i = 0; i < other_orders_ && host::sys::now() < deadline_; ++i) {
      other.seed = other.pool.core.seed = candidate.seed + i;
      if (!fails_as_it_is(other)) continue;
      candidate.seed = candidate.pool.core.seed = other.seed;
      keep_schedule(candidate, runner_);
      return true;
    }
    return false;
  }

  bool fails_as_it_is(const Scenario& candidate) {
    const CaseResult result = runner_.run(candidate, goal_.codec);
    return fails_with(goal_.signature, result) && span_of(runner_.trace()) <= longest_;
  }

  Goal goal_;
  Time deadline_;
  std::uint64_t other_orders_;
  std::uint32_t orders_asked_for_ = 1;
  Duration longest_ = Duration::max();
  CaseRunner runner_;
};

/// Chooses the example that fails in most orders, and requires as many of all candidates.
const Scenario& choose(const std::vector<Scenario>& examples, Attempts& attempts) {
  const Scenario* best = &examples.front();
  std::uint32_t most = 0;
  for (const Scenario& example : examples) {
    const std::uint32_t orders = attempts.orders_failing(example);
    if (orders > most) best = &example;
    most = std::max(most, orders);
  }
  attempts.ask_for(most);
  return *best;
}

scenario::Shrunk shrink_with(Attempts& attempts, Scenario failing) {
  attempts.limit_span(failing);
  return scenario::shrink(std::move(failing),
                          [&attempts](Scenario& candidate) { return attempts.fails(candidate); });
}

/// Shrinks the example that fails in most orders.
scenario::Shrunk shrink_best(const std::vector<Scenario>& examples, const Goal& goal,
                             Time deadline) {
  Attempts attempts(goal, deadline);
  Scenario failing = choose(examples, attempts);
  if (!attempts.fails(failing)) {  // this call also gives it its schedule
    failing = examples.front();
    attempts.ask_for(1);
    (void)attempts.fails(failing);
  }
  return shrink_with(attempts, std::move(failing));
}

/// `shrunk` fails with terse messages. If it or one of `examples` fails with JSON in some order,
/// that one is shrunk instead: a file that reproduces the failure is better than a smaller scenario
/// that does not.
void shrink_with_json(const std::vector<Scenario>& examples, const std::string& signature,
                      scenario::Shrunk& shrunk) {
  const Goal goal{signature, wire::Codec::json};
  Attempts search(goal, after(host::sys::now(), kFindJsonLimit), kOrdersWithJson);
  std::vector<Scenario> candidates{shrunk.scenario};
  candidates.insert(candidates.end(), examples.begin(), examples.end());
  for (Scenario& candidate : candidates) {
    if (!search.fails(candidate)) continue;
    Attempts attempts(goal, after(host::sys::now(), kShrinkJsonLimit));
    const std::size_t before = shrunk.attempts;
    shrunk = shrink_with(attempts, std::move(candidate));
    shrunk.attempts += before;
    return;
  }
}

bool say_all(int fd, std::string_view text) {
  while (!text.empty()) {
    const auto wrote = host::sys::write(fd, text);
    if (!wrote) return false;
    text.remove_prefix(*wrote);
  }
  return true;
}

/// The result as text, for the process that asked for it.
std::string text_of(const scenario::Shrunk& shrunk) {
  nlohmann::json way = nlohmann::json::array();
  for (const Scenario& one : shrunk.way) way.push_back(scenario::write_scenario(one));
  return nlohmann::json{{"attempts", shrunk.attempts}, {"way", std::move(way)}}.dump();
}

bool read_shrunk(const std::string& text, ShrunkFailure& shrunk) {
  const auto said = nlohmann::json::parse(text, nullptr, false);
  if (said.is_discarded()) return false;  // the process ended before it had written all of it
  std::vector<Scenario> way;
  for (const auto& one : said.at("way")) {
    auto read = scenario::read_scenario(one.get_ref<const std::string&>(), "shrunk");
    if (!read) return false;
    way.push_back(std::move(*read));
  }
  if (way.empty()) return false;
  shrunk.attempts = said.at("attempts");
  shrunk.scenario = way.back();
  shrunk.way = std::move(way);
  return true;
}

/// Makes all attempts in one copy of this process, which is quick if none of them crashes.
bool shrink_together(const std::vector<Scenario>& examples, const Goal& goal, Duration limit,
                     ShrunkFailure& shrunk) {
  auto child = host::fork_child([&](int said) {
    auto result = shrink_best(examples, goal, after(host::sys::now(), limit));
    if (goal.codec != wire::Codec::json) {
      shrink_with_json(examples, goal.signature, result);
    }
    return say_all(said, text_of(result)) ? 0 : 1;
  });
  if (!child) return false;
  const ChildOutput heard = hear(*child, limit + kFindJsonLimit + kShrinkJsonLimit + kAttemptLimit);
  if (heard.overran || heard.exit != ExitStatus{}) return false;
  return read_shrunk(heard.said, shrunk);
}

bool fails_apart(const Scenario& candidate, const Goal& goal, Duration limit) {
  return run_in_child(candidate, limit, goal.codec).failed_with(goal.signature);
}

void shrink_one_by_one(const Scenario& failing, const Goal& goal, Duration limit,
                       ShrunkFailure& shrunk) {
  const Time deadline = after(host::sys::now(), limit);
  static_cast<scenario::Shrunk&>(shrunk) = scenario::shrink(failing, [&](Scenario& candidate) {
    const Duration left = deadline - host::sys::now();
    if (left <= Duration::zero()) return false;
    return fails_apart(candidate, goal, std::min(kAttemptLimit, left));
  });
}

}  // namespace

ShrunkFailure shrink_failure(const std::vector<Scenario>& examples, const std::string& signature,
                             Duration limit) {
  POOLPROOF_ASSERT(!examples.empty());
  std::vector<Scenario> in_turn = examples;
  Goal goal{signature, wire::Codec::json};
  const auto fails = [&goal](const Scenario& one) { return fails_apart(one, goal, kAttemptLimit); };
  if (const auto first = std::ranges::find_if(in_turn, fails); first != in_turn.end()) {
    std::iter_swap(in_turn.begin(), first);
  } else {
    goal.codec = wire::Codec::terse;
    if (!fails(in_turn.front())) goal.codec = wire::Codec::json;
  }
  ShrunkFailure shrunk;
  shrunk.scenario = in_turn.front();
  if (!shrink_together(in_turn, goal, limit, shrunk)) {
    shrink_one_by_one(in_turn.front(), goal, limit, shrunk);
  }
  for (const auto codec : {wire::Codec::json, wire::Codec::terse}) {
    if (!shrunk.what.empty()) break;
    shrunk.what = run_in_child(shrunk.scenario, kAttemptLimit, codec).sentences[signature];
  }
  return shrunk;
}

}  // namespace poolproof::search
