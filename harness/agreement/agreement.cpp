#include "harness/agreement/agreement.hpp"

#include <algorithm>
#include <set>

#include <fmt/format.h>

#include "harness/scenario/client_name.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::agreement {
namespace {

using scenario::Scenario;
using Facts = std::map<std::string, std::string>;
using Words = std::set<std::string>;
using FactSets = std::map<std::string, Words>;

constexpr const char* kUnleased = "the workers that nobody leased";
constexpr const char* kClosed = "closed";

// ---- who speaks --------------------------------------------------------------------------------

/// The place of a step. `exact` tells all clients and rounds apart; `kind` does not tell apart the
/// clients of one kind and their rounds.
struct Place {
  std::string exact;
  std::string kind;
};

Place place_of(const Scenario& scenario, const trace::ClientStep& step) {
  const scenario::Client* const client = scenario::client_of(scenario, step.client);
  const bool rounds = client != nullptr && client->repeat > 1;
  return {fmt::format("{}{}, step {}", step.client,
                      rounds ? fmt::format(", round {}", step.repetition + 1) : "", step.step),
          client == nullptr ? step.client : client->name};
}

// ---- the incarnations --------------------------------------------------------------------------

struct Incarnation {
  bool greeted = false;
  StartCause cause = StartCause::none;  ///< why the handshake failed
  LeaseId lease = LeaseId::none;        ///< the open lease; none: nobody leases it
  std::vector<Place> holders;
  std::vector<std::string> endings;  ///< how its leases ended, in order
  std::string end;                   ///< why it had to go, or how it died; empty: neither yet
  bool late = false;                 ///< it ended when the clients were done
};

/// Follows the incarnations through the pool's records. Events after a worker was told to go are
/// ignored.
class Incarnations {
 public:
  /// `over`: when the clients are done. What their last step leads to at once still counts.
  Incarnations(std::map<LeaseId, Place> holders, Time over)
      : holders_(std::move(holders)), over_(over) {}

  void take(const trace::PoolRecord& record) {
    record_ = &record;
    std::visit([this](const auto& event) { happened(event); }, record.event);
    for (const auto& effect : record.effects) {
      std::visit([this](const auto& order) { ordered(order); }, effect);
    }
  }

  [[nodiscard]] std::vector<Incarnation> all() const {
    std::vector<Incarnation> all;
    for (const auto& [worker, one] : incarnations_) {
      all.push_back(one);
      if (one.end.empty()) all.back().end = closing_ ? kClosed : "there to the end";
    }
    return all;
  }

 private:
  void happened(const pool::CheckedIn& event) {
    const auto worker = workers_.find(event.lease);
    if (worker == workers_.end()) return;
    // If a drain ended in the same step, it had ended the lease already.
    if (!told_to_go(worker->second, pool::RemovalReason::closing)) {
      end_lease(incarnations_[worker->second], event.lease, event.clean ? "returned" : "dirty");
    }
  }
  void happened(const pool::LeaseRevoked& event) {
    const auto worker = workers_.find(event.lease);
    if (worker != workers_.end()) end_lease(incarnations_[worker->second], event.lease, "revoked");
  }
  void happened(const pool::HandshakeEnded& event) {
    Incarnation& one = incarnations_[event.worker];
    if (!one.end.empty()) return;
    one.cause = event.evidence.cause;
    one.greeted = one.cause == StartCause::none;
  }
  void happened(const pool::StartFailed& event) { end(event.worker, "start failed: exec_failed"); }
  void happened(const pool::Exited& event) {
    Incarnation& one = incarnations_[event.worker];
    if (!one.end.empty() || told_to_go(event.worker, pool::RemovalReason::closing)) return;
    end_lease(one, one.lease, "lost");
    if (!one.greeted) return end(event.worker, "start failed: exited");
    const auto [code, signal] = event.status;
    end(event.worker, signal != 0 ? fmt::format("died by signal {}", signal)
                      : code >= 0 ? fmt::format("died with code {}", code)
                                  : "died, how is not known");
  }
  void happened(const pool::CloseRequested&) { closing_ = true; }
  template <class Other>
  void happened(const Other&) {}

  void ordered(const pool::Start& effect) { incarnations_[effect.worker]; }
  void ordered(const pool::Grant& effect) {
    workers_[effect.lease] = effect.worker;
    Incarnation& one = incarnations_[effect.worker];
    one.lease = effect.lease;
    const auto holder = holders_.find(effect.lease);
    one.holders.push_back(holder == holders_.end() ? Place{"nobody", "nobody"} : holder->second);
  }
  void ordered(const pool::Stop& effect) {
    if (effect.step == pool::StopStep::ask) {
      if (pool::is_recycling(effect.why)) {
        // How long a pool nobody uses any more is there differs between the worlds.
        if (record_->at > over_) return end(effect.worker, kClosed);
        return end(effect.worker, fmt::format("recycled: {}", trace::name(effect.why)));
      }
      return end(effect.worker, closing_ ? kClosed : "asked to go");
    }
    Incarnation& one = incarnations_[effect.worker];
    if (!one.end.empty()) return;
    switch (effect.why) {
      case pool::RemovalReason::closing:
        end_lease(one, one.lease, "ended by the close");
        return end(effect.worker, kClosed);
      case pool::RemovalReason::start_failed:
        return end(effect.worker, fmt::format("start failed: {}", name(one.cause)));
      case pool::RemovalReason::budget_spent:
        return end(effect.worker, "start failed: budget_spent");
      default:
        return end(effect.worker, fmt::format("put away: {}", trace::name(effect.why)));
    }
  }
  template <class Other>
  void ordered(const Other&) {}

  void end_lease(Incarnation& one, LeaseId lease, const char* how) {
    if (lease == LeaseId::none || one.lease != lease || !one.end.empty()) return;
    one.lease = LeaseId::none;
    one.endings.emplace_back(how);
  }
  void end(WorkerId worker, std::string why) {
    Incarnation& one = incarnations_[worker];
    if (!one.end.empty()) return;
    one.end = std::move(why);
    one.late = record_->at > over_;
  }
  [[nodiscard]] bool told_to_go(WorkerId worker, pool::RemovalReason why) const {
    return std::ranges::any_of(record_->effects, [&](const auto& effect) {
      const auto* stop = std::get_if<pool::Stop>(&effect);
      return stop != nullptr && is_signal(stop->step) && stop->worker == worker && stop->why == why;
    });
  }

  std::map<LeaseId, Place> holders_;
  Time over_;
  std::map<LeaseId, WorkerId> workers_;
  std::map<WorkerId, Incarnation> incarnations_;
  const trace::PoolRecord* record_ = nullptr;
  bool closing_ = false;
};

// ---- the observation ---------------------------------------------------------------------------

std::string joined(const Words& words) {
  return fmt::format("{}", fmt::join(words, " or "));
}

void add_steps(const Scenario& scenario, const trace::Trace& trace, Observation& observation) {
  for (const auto& step : trace.clients) {
    if (!has_outcome(step.kind)) continue;
    const std::string came(step.skipped ? "skipped" : name(step.outcome));
    const Place place = place_of(scenario, step);
    std::string exact = fmt::format("the harness ({})", name(step.kind));
    std::string kind = exact;
    if (!step.client.empty()) {
      exact = fmt::format("client {} ({})", place.exact, name(step.kind));
      kind = fmt::format("client {}, step {} ({})", place.kind, step.step, name(step.kind));
    }
    observation.facts[exact] = came;
    observation.by_kind[kind].insert(came);
  }
}

/// Adds what was seen of the incarnations to an observation.
class Lives {
 public:
  /// `real`: only what it shows, too, counts of what came when the clients were done; null: all of
  /// it counts.
  Lives(Observation& observation, const Observation* real)
      : observation_(observation), real_(real) {}

  void add(const Incarnation& one) {
    if (one.holders.empty()) return add_unleased(one);
    std::vector<std::string> exact;
    Words holders;
    for (const auto& holder : one.holders) {
      exact.push_back(holder.exact);
      holders.insert(holder.kind);
    }
    const std::string who = fmt::format("the worker leased by {}", fmt::join(exact, "; "));
    const auto life = [&](const std::string& end) {
      return fmt::format("{}; {}", fmt::join(one.endings, ", "), end);
    };
    observation_.facts[who] = life(ends(one, [&] {
      const auto told = real_->facts.find(who);
      return told != real_->facts.end() && told->second == life(one.end);
    }));
    const std::string kind = fmt::format("the workers leased by {}", fmt::join(holders, " and "));
    const Words endings(one.endings.begin(), one.endings.end());
    const auto life_by_kind = [&](const std::string& end) {
      return fmt::format("({}; {})", fmt::join(endings, ", "), end);
    };
    observation_.by_kind[kind].insert(
        life_by_kind(ends(one, [&] { return real_says(kind, life_by_kind(one.end)); })));
  }

 private:
  void add_unleased(const Incarnation& one) {
    // Whether the pool started one worker more than it needed depends on speed alone.
    if (ends(one, [&] { return real_says(kUnleased, one.end); }) == kClosed) return;
    observation_.by_kind[kUnleased].insert(one.end);
  }

  /// `shown`: whether the real run shows the same end.
  template <class Shown>
  [[nodiscard]] std::string ends(const Incarnation& one, Shown shown) const {
    return real_ == nullptr || !one.late || shown() ? one.end : kClosed;
  }

  [[nodiscard]] bool real_says(const std::string& about, const std::string& word) const {
    const auto said = real_->by_kind.find(about);
    return said != real_->by_kind.end() && said->second.contains(word);
  }

  Observation& observation_;
  const Observation* real_;
};

Observation observe(const Scenario& scenario, const trace::Trace& trace, const Observation* real) {
  Observation observation;
  add_steps(scenario, trace, observation);
  std::map<LeaseId, Place> holders;
  Time over = Time::min();
  for (const auto& step : trace.clients) {
    if (!step.client.empty()) over = std::max(over, step.ended);
    const bool granted =
        step.kind == StepKind::checkout && !step.skipped && step.outcome == Outcome::ok;
    if (granted) holders[step.lease] = place_of(scenario, step);
  }
  Incarnations incarnations(std::move(holders), over);
  for (const auto& record : trace.pool) incarnations.take(record);
  Lives lives(observation, real);
  for (const auto& one : incarnations.all()) lives.add(one);
  const auto unleased = observation.by_kind.find(kUnleased);
  if (unleased != observation.by_kind.end())
    observation.facts[kUnleased] = joined(unleased->second);
  return observation;
}

// ---- comparing ---------------------------------------------------------------------------------

bool are_enough(std::size_t singletons, std::size_t schedules) {
  return singletons * kSchedulesPerSingleton <= schedules;
}

/// The different facts of all schedules.
struct Distinct {
  explicit Distinct(const std::vector<Observation>& simulated) : schedules(simulated.size()) {
    std::map<Facts, std::size_t> counted;
    for (const auto& observation : simulated) ++counted[observation.facts];
    for (const auto& [facts, count] : counted) {
      observations.push_back(facts);
      if (count == 1) ++singletons;
    }
  }

  [[nodiscard]] bool complete() const {
    return observations.size() == 1 || are_enough(singletons, schedules);
  }
  [[nodiscard]] bool has(const Facts& real) const {
    return std::ranges::find(observations, real) != observations.end();
  }

  std::vector<Facts> observations;  ///< all different observations
  std::size_t schedules;
  std::size_t singletons = 0;  ///< facts of one schedule only
};

std::string said(const Facts& facts, const std::string& about) {
  const auto found = facts.find(about);
  return found == facts.end() ? "(nothing)" : found->second;
}

/// The subjects on which the two differ.
std::vector<std::string> disputed(const Facts& real, const Facts& simulated) {
  Words about;
  for (const auto& [what, how] : real) about.insert(what);
  for (const auto& [what, how] : simulated) about.insert(what);
  std::erase_if(about, [&](const auto& what) { return said(real, what) == said(simulated, what); });
  return {about.begin(), about.end()};
}

std::string dispute(const std::string& about, const std::string& real, const std::string& simulated,
                    std::size_t schedules) {
  return fmt::format("{}: \"{}\" on real processes, \"{}\" in {} simulated schedule{}", about, real,
                     simulated, schedules, schedules == 1 ? "" : "s");
}

/// A sentence about the simulated observation that differs least. It names, if possible, a subject
/// on which no simulated observation says what the real run says.
std::string divergence(const Distinct& distinct, const Facts& real) {
  std::vector<std::string> nearest = disputed(real, distinct.observations.front());
  for (const auto& facts : distinct.observations) {
    auto differing = disputed(real, facts);
    if (differing.size() < nearest.size()) nearest = std::move(differing);
  }
  const auto unheard = std::ranges::find_if(nearest, [&](const auto& about) {
    return std::ranges::none_of(distinct.observations, [&](const auto& facts) {
      return said(facts, about) == said(real, about);
    });
  });
  const std::string& about = unheard == nearest.end() ? nearest.front() : *unheard;
  Words versions;
  for (const auto& facts : distinct.observations) versions.insert(said(facts, about));
  return dispute(about, said(real, about), joined(versions), distinct.schedules) +
         (unheard == nearest.end() ? ", and never together with the rest" : "");
}

/// The sets by kind of all schedules taken together.
struct Bounds {
  explicit Bounds(const std::vector<Observation>& simulated) : schedules(simulated.size()) {
    std::set<FactSets> all;
    std::map<std::pair<std::string, std::string>, std::size_t> counted;
    for (const auto& observation : simulated) {
      all.insert(observation.by_kind);
      for (const auto& [about, words] : observation.by_kind) {
        for (const auto& word : words) ++counted[{about, word}];
      }
    }
    different = all.size();
    for (const auto& [what, count] : counted) {
      may[what.first].insert(what.second);
      if (count == schedules) must[what.first].insert(what.second);
      if (count == 1 && schedules > 1) ++singletons;
    }
  }

  std::size_t schedules;
  std::size_t different = 0;
  std::size_t singletons = 0;  ///< words said by one schedule only
  FactSets may;                ///< what at least one schedule says
  FactSets must;               ///< what every schedule says
};

bool is_within(const FactSets& inner, const FactSets& outer, std::string& about) {
  for (const auto& [what, words] : inner) {
    const auto found = outer.find(what);
    about = what;
    if (found == outer.end() ||
        !std::includes(found->second.begin(), found->second.end(), words.begin(), words.end()))
      return false;
  }
  return true;
}

std::string listed(const FactSets& by_kind, const std::string& about) {
  const auto found = by_kind.find(about);
  return found == by_kind.end() ? "(nothing)" : joined(found->second);
}

AgreementResult compare_by_kind(const std::vector<Observation>& simulated, const FactSets& real) {
  const Bounds bounds(simulated);
  if (bounds.different > kObservationsMax) {
    return {Agreement::not_compared,
            fmt::format("{} simulated schedules told {} stories that differ even in outline; at "
                        "most {} can be compared with",
                        bounds.schedules, bounds.different, kObservationsMax)};
  }
  std::string about;
  if (is_within(real, bounds.may, about) && is_within(bounds.must, real, about)) {
    return {Agreement::agree, ""};
  }
  const std::string what =
      dispute(about, listed(real, about), listed(bounds.may, about), bounds.schedules);
  if (are_enough(bounds.singletons, bounds.schedules)) return {Agreement::divergent, what};
  return {Agreement::unknown,
          fmt::format("{}; but {} such things were said by one schedule only, so that not all has "
                      "been heard",
                      what, bounds.singletons)};
}

AgreementResult compare_all(const std::vector<Observation>& simulated, const Observation& real) {
  const Distinct distinct(simulated);
  if (distinct.observations.size() <= kObservationsMax) {
    if (distinct.has(real.facts)) return {Agreement::agree, ""};
    if (distinct.complete()) return {Agreement::divergent, divergence(distinct, real.facts)};
  }
  return compare_by_kind(simulated, real.by_kind);
}

}  // namespace

Observation observation_of(const Scenario& scenario, const trace::Trace& trace) {
  return observe(scenario, trace, nullptr);
}

Observation observation_beside(const Observation& real, const Scenario& scenario,
                               const trace::Trace& simulated) {
  return observe(scenario, simulated, &real);
}

AgreementResult compare_worlds(const Scenario& scenario, const std::vector<Observation>& simulated,
                               const Observation& real) {
  if (auto why = why_not_compared(scenario); !why.empty()) {
    return {Agreement::not_compared, std::move(why)};
  }
  if (simulated.empty()) return {Agreement::unknown, "no schedule was simulated"};
  AgreementResult result = compare_all(simulated, real);
  if (result.what == Agreement::agree || result.what == Agreement::not_compared) return result;
  // Virtual time is exact, real time is not: which of two close timers came first says nothing.
  const auto close = competing_timers(scenario);
  if (close.empty()) return result;
  return {Agreement::not_compared,
          fmt::format("real time decided ({}); seen: {}", close.front(), result.reason)};
}

std::string why_in_one_world(const Scenario& scenario) {
  if (!scenario.runs_in(scenario::WorldKind::sim)) return "it does not run in the simulator";
  if (!scenario.runs_in(scenario::WorldKind::host)) return "it does not run on real processes";
  for (const auto& worker : scenario.workers) {
    if (worker.is_real_program()) return "its workers are a program that can't be simulated";
  }
  return "";
}

std::string why_not_compared(const Scenario& scenario) {
  if (auto why = why_in_one_world(scenario); !why.empty()) return why;
  return scenario.tagged("time") ? "it is aimed by time (tag \"time\")" : "";
}

}  // namespace poolproof::agreement
