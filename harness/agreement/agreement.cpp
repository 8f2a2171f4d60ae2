#include "harness/agreement/agreement.hpp"

#include <algorithm>
#include <optional>
#include <set>

#include <fmt/format.h>

#include "harness/scenario/client_name.hpp"
#include "harness/trace/fields.hpp"

namespace poolproof::agreement {
namespace {

using scenario::Scenario;
using Facts = std::map<std::string, std::string>;
using Words = std::set<std::string>;
using Outline = std::map<std::string, Words>;

constexpr const char* kUnleased = "the workers that nobody leased";
constexpr const char* kClosed = "closed";

// ---- who speaks --------------------------------------------------------------------------------

/// The clients by the names that the run gives them. Of a client with a count, each of `name.1`,
/// `name.2`... leads to it.
std::map<std::string, const scenario::Client*> clients_of(const Scenario& scenario) {
  std::map<std::string, const scenario::Client*> clients;
  for (const auto& client : scenario.clients) {
    for (std::uint32_t i = 1; i <= client.count; ++i) {
      clients[scenario::single_name(client, i)] = &client;
    }
  }
  return clients;
}

/// The place of a step. `exact` tells all clients and rounds apart; `kind` does not tell apart the
/// clients of one kind and their rounds.
struct Place {
  std::string exact;
  std::string kind;
};

Place place_of(const std::map<std::string, const scenario::Client*>& clients,
               const trace::ClientStep& step) {
  const auto found = clients.find(step.client);
  const bool rounds = found != clients.end() && found->second->repeat > 1;
  const std::string& kind = found == clients.end() ? step.client : found->second->name;
  return {fmt::format("{}{}, step {}", step.client,
                      rounds ? fmt::format(", round {}", step.repetition + 1) : "", step.step),
          kind};
}

// ---- an incarnation's life ---------------------------------------------------------------------

struct Life {
  bool greeted = false;
  StartCause cause = StartCause::none;  ///< why the handshake failed
  LeaseId lease = LeaseId::none;        ///< the open one
  std::vector<Place> holders;
  std::vector<std::string> endings;  ///< how its leases ended, in order
  std::string end;                   ///< why it had to go, or how it died; empty: neither yet
};

/// Turns the pool's records into lives. Events after a worker was told to go are ignored.
class Lives {
 public:
  explicit Lives(std::map<LeaseId, Place> holders) : holders_(std::move(holders)) {}

  void take(const trace::PoolRecord& record) {
    record_ = &record;
    std::visit([this](const auto& event) { happened(event); }, record.event);
    for (const auto& effect : record.effects) {
      std::visit([this](const auto& order) { ordered(order); }, effect);
    }
  }

  [[nodiscard]] std::vector<Life> all() const {
    std::vector<Life> all;
    for (const auto& [worker, life] : lives_) {
      all.push_back(life);
      if (life.end.empty()) all.back().end = closing_ ? kClosed : "there to the end";
    }
    return all;
  }

 private:
  void happened(const pool::CheckedIn& event) {
    const auto worker = workers_.find(event.lease);
    if (worker == workers_.end()) return;
    // If a drain ended in the same step, it had ended the lease already.
    if (!told_to_go(worker->second, pool::RemovalReason::closing)) {
      end_lease(lives_[worker->second], event.lease, event.clean ? "returned" : "dirty");
    }
  }
  void happened(const pool::LeaseRevoked& event) {
    const auto worker = workers_.find(event.lease);
    if (worker != workers_.end()) end_lease(lives_[worker->second], event.lease, "revoked");
  }
  void happened(const pool::HandshakeEnded& event) {
    Life& life = lives_[event.worker];
    if (!life.end.empty()) return;
    life.cause = event.evidence.cause;
    life.greeted = life.cause == StartCause::none;
  }
  void happened(const pool::StartFailed& event) {
    end_life(event.worker, "start failed: exec_failed");
  }
  void happened(const pool::Exited& event) {
    Life& life = lives_[event.worker];
    if (!life.end.empty() || told_to_go(event.worker, pool::RemovalReason::closing)) return;
    end_lease(life, life.lease, "lost");
    if (!life.greeted) return end_life(event.worker, "start failed: exited");
    end_life(event.worker, event.status.signal != 0
                               ? fmt::format("died by signal {}", event.status.signal)
                               : fmt::format("died with code {}", event.status.code));
  }
  void happened(const pool::CloseRequested&) { closing_ = true; }
  template <class Other>
  void happened(const Other&) {}

  void ordered(const pool::Start& effect) { lives_[effect.worker]; }
  void ordered(const pool::Grant& effect) {
    workers_[effect.lease] = effect.worker;
    Life& life = lives_[effect.worker];
    life.lease = effect.lease;
    const auto holder = holders_.find(effect.lease);
    life.holders.push_back(holder == holders_.end() ? Place{"nobody", "nobody"} : holder->second);
  }
  void ordered(const pool::Stop& effect) {
    if (effect.step == pool::StopStep::ask) {
      return end_life(effect.worker, closing_ ? kClosed : "asked to go");
    }
    Life& life = lives_[effect.worker];
    if (!life.end.empty()) return;
    switch (effect.why) {
      case pool::RemovalReason::closing:
        end_lease(life, life.lease, "ended by the close");
        return end_life(effect.worker, kClosed);
      case pool::RemovalReason::start_failed:
        return end_life(effect.worker, fmt::format("start failed: {}", name(life.cause)));
      case pool::RemovalReason::budget_spent:
        return end_life(effect.worker, "start failed: budget_spent");
      default:
        return end_life(effect.worker, fmt::format("put away: {}", trace::name(effect.why)));
    }
  }
  template <class Other>
  void ordered(const Other&) {}

  void end_lease(Life& life, LeaseId lease, const char* how) {
    if (lease == LeaseId::none || life.lease != lease || !life.end.empty()) return;
    life.lease = LeaseId::none;
    life.endings.emplace_back(how);
  }
  void end_life(WorkerId worker, std::string why) {
    Life& life = lives_[worker];
    if (life.end.empty()) life.end = std::move(why);
  }
  [[nodiscard]] bool told_to_go(WorkerId worker, pool::RemovalReason why) const {
    return std::any_of(record_->effects.begin(), record_->effects.end(), [&](const auto& effect) {
      const auto* stop = std::get_if<pool::Stop>(&effect);
      return stop != nullptr && is_signal(stop->step) && stop->worker == worker && stop->why == why;
    });
  }

  std::map<LeaseId, Place> holders_;
  std::map<LeaseId, WorkerId> workers_;
  std::map<WorkerId, Life> lives_;
  const trace::PoolRecord* record_ = nullptr;
  bool closing_ = false;
};

// ---- the story ---------------------------------------------------------------------------------

std::string joined(const Words& words) {
  return fmt::format("{}", fmt::join(words, " or "));
}

void tell_steps(const Scenario& scenario, const trace::Trace& trace, Story& story) {
  const auto clients = clients_of(scenario);
  for (const auto& step : trace.clients) {
    if (!has_outcome(step.kind)) continue;
    const std::string came(step.skipped ? "skipped" : name(step.outcome));
    const Place place = place_of(clients, step);
    const bool harness = step.client.empty();
    story.facts[harness ? fmt::format("the harness ({})", name(step.kind))
                        : fmt::format("client {} ({})", place.exact, name(step.kind))] = came;
    story
        .outline[harness ? fmt::format("the harness ({})", name(step.kind))
                         : fmt::format("client {}, step {} ({})", place.kind, step.step,
                                       name(step.kind))]
        .insert(came);
  }
}

void tell_life(const Life& life, Story& story) {
  if (life.holders.empty()) {
    // Whether the pool started one worker more than it needed depends on speed alone.
    if (life.end == kClosed) return;
    story.outline[kUnleased].insert(life.end);
    return;
  }
  std::vector<std::string> exact;
  Words holders;
  for (const auto& holder : life.holders) {
    exact.push_back(holder.exact);
    holders.insert(holder.kind);
  }
  story.facts[fmt::format("the worker leased by {}", fmt::join(exact, "; "))] =
      fmt::format("{}; {}", fmt::join(life.endings, ", "), life.end);
  const Words endings(life.endings.begin(), life.endings.end());
  story.outline[fmt::format("the workers leased by {}", fmt::join(holders, " and "))].insert(
      fmt::format("({}; {})", fmt::join(endings, ", "), life.end));
}

// ---- comparing ---------------------------------------------------------------------------------

bool all_heard(std::size_t singletons, std::size_t schedules) {
  return singletons * kSchedulesPerSingleton <= schedules;
}

/// The different facts of all schedules.
struct Heard {
  explicit Heard(const std::vector<Story>& simulated) : schedules(simulated.size()) {
    std::map<Facts, std::size_t> counted;
    for (const auto& story : simulated) ++counted[story.facts];
    for (const auto& [facts, count] : counted) {
      stories.push_back(facts);
      if (count == 1) ++singletons;
    }
  }

  [[nodiscard]] bool complete() const {
    return stories.size() == 1 || all_heard(singletons, schedules);
  }
  [[nodiscard]] bool has(const Facts& real) const {
    return std::find(stories.begin(), stories.end(), real) != stories.end();
  }

  std::vector<Facts> stories;  ///< each of them once
  std::size_t schedules;
  std::size_t singletons = 0;  ///< stories told by one schedule only
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

/// A sentence about the simulated story that differs least. It names, if possible, a subject on
/// which no simulated story says what the real run says.
std::string divergence(const Heard& heard, const Facts& real) {
  std::vector<std::string> nearest = disputed(real, heard.stories.front());
  for (const auto& facts : heard.stories) {
    auto differing = disputed(real, facts);
    if (differing.size() < nearest.size()) nearest = std::move(differing);
  }
  const auto unheard = std::find_if(nearest.begin(), nearest.end(), [&](const auto& about) {
    return std::none_of(heard.stories.begin(), heard.stories.end(),
                        [&](const auto& facts) { return said(facts, about) == said(real, about); });
  });
  const std::string& about = unheard == nearest.end() ? nearest.front() : *unheard;
  Words versions;
  for (const auto& facts : heard.stories) versions.insert(said(facts, about));
  return dispute(about, said(real, about), joined(versions), heard.schedules) +
         (unheard == nearest.end() ? ", and never together with the rest" : "");
}

/// The outlines of all schedules taken together.
struct Bounds {
  explicit Bounds(const std::vector<Story>& simulated) : schedules(simulated.size()) {
    std::set<Outline> all;
    std::map<std::pair<std::string, std::string>, std::size_t> counted;
    for (const auto& story : simulated) {
      all.insert(story.outline);
      for (const auto& [about, words] : story.outline) {
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
  Outline may;                 ///< what at least one schedule says
  Outline must;                ///< what every schedule says
};

bool is_within(const Outline& inner, const Outline& outer, std::string& about) {
  for (const auto& [what, words] : inner) {
    const auto found = outer.find(what);
    about = what;
    if (found == outer.end() ||
        !std::includes(found->second.begin(), found->second.end(), words.begin(), words.end()))
      return false;
  }
  return true;
}

std::string listed(const Outline& outline, const std::string& about) {
  const auto found = outline.find(about);
  return found == outline.end() ? "(nothing)" : joined(found->second);
}

AgreementResult compare_outlines(const std::vector<Story>& simulated, const Outline& real) {
  const Bounds bounds(simulated);
  if (bounds.different > kStoriesMax) {
    return {Agreement::unknown,
            fmt::format("{} simulated schedules told {} stories that differ even in outline; at "
                        "most {} can be compared with",
                        bounds.schedules, bounds.different, kStoriesMax)};
  }
  std::string about;
  if (is_within(real, bounds.may, about) && is_within(bounds.must, real, about)) {
    return {Agreement::agree, ""};
  }
  const std::string what =
      dispute(about, listed(real, about), listed(bounds.may, about), bounds.schedules);
  if (all_heard(bounds.singletons, bounds.schedules)) return {Agreement::divergent, what};
  return {Agreement::unknown,
          fmt::format("{}; but {} such things were said by one schedule only, so that not all has "
                      "been heard",
                      what, bounds.singletons)};
}

}  // namespace

Story story_of(const Scenario& scenario, const trace::Trace& trace) {
  Story story;
  tell_steps(scenario, trace, story);
  std::map<LeaseId, Place> holders;
  const auto clients = clients_of(scenario);
  for (const auto& step : trace.clients) {
    const bool granted =
        step.kind == StepKind::checkout && !step.skipped && step.outcome == Outcome::ok;
    if (granted) holders[step.lease] = place_of(clients, step);
  }
  Lives lives(std::move(holders));
  for (const auto& record : trace.pool) lives.take(record);
  for (const auto& life : lives.all()) tell_life(life, story);
  const auto unleased = story.outline.find(kUnleased);
  if (unleased != story.outline.end()) story.facts[kUnleased] = joined(unleased->second);
  return story;
}

AgreementResult compare_worlds(const Scenario& scenario, const std::vector<Story>& simulated,
                               const Story& real) {
  if (auto why = why_not_compared(scenario); !why.empty()) {
    return {Agreement::not_compared, std::move(why)};
  }
  if (simulated.empty()) return {Agreement::unknown, "no schedule was simulated"};
  const Heard heard(simulated);
  if (heard.stories.size() <= kStoriesMax) {
    if (heard.has(real.facts)) return {Agreement::agree, ""};
    if (heard.complete()) return {Agreement::divergent, divergence(heard, real.facts)};
  }
  return compare_outlines(simulated, real.outline);
}

std::string why_not_compared(const Scenario& scenario) {
  if (!scenario.runs_in(scenario::WorldKind::sim)) return "it does not run in the simulator";
  if (!scenario.runs_in(scenario::WorldKind::host)) return "it does not run on real processes";
  if (scenario.tagged("time")) return "it is aimed by time (tag \"time\")";
  for (const auto& worker : scenario.workers) {
    if (worker.kind == scenario::WorkerKind::command)
      return "its workers are a program that can't be simulated";
  }
  return "";
}

}  // namespace poolproof::agreement
