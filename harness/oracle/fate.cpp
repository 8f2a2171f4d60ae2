#include <algorithm>
#include <array>
#include <csignal>
#include <utility>

#include <fmt/format.h>

#include "harness/base/signals.hpp"
#include "harness/oracle/view.hpp"
#include "harness/pool/explain.hpp"

namespace poolproof::oracle {
namespace {

using scenario::Fate;

/// Follows the pings of one worker, of its start and idle ones. At the deadline of a ping that was
/// read and not answered the pool closes the stdin of the worker, to see what comes then. Nothing
/// else in its self-report tells that this input has ended.
class UnansweredPing {
 public:
  /// `input_ended`: when the worker saw that by its own journal; kNever: it does not tell.
  explicit UnansweredPing(WorkerId worker, Time input_ended = kNever)
      : worker_(worker), input_ended_(input_ended) {}

  /// Takes the next record. Returns when the worker's stdin was closed, where this record shows it.
  std::optional<Time> take(const trace::PoolRecord& record) {
    const auto* exited = std::get_if<pool::Exited>(&record.event);
    const auto* greeted = std::get_if<pool::HandshakeEnded>(&record.event);
    const auto* pinged = std::get_if<pool::PingEnded>(&record.event);
    const bool exits = exited != nullptr && exited->worker == worker_;
    const bool ends = (greeted != nullptr && greeted->worker == worker_) ||
                      (pinged != nullptr && pinged->worker == worker_);
    const bool silent = ends && greeted != nullptr &&
                        (greeted->evidence.cause == StartCause::ping_unanswered ||
                         greeted->evidence.cause == StartCause::reply_unflushed);
    const bool told = ends && input_ended_ <= record.at;
    const bool shows = (exits || silent || told) && record.at >= deadline_;
    const Time deadline = deadline_;
    if (exits || ends) deadline_ = kNever;
    for (const pool::Effect& effect : record.effects) {
      const auto* greets = std::get_if<pool::BeginHandshake>(&effect);
      const auto* pings = std::get_if<pool::BeginPing>(&effect);
      const auto* stop = std::get_if<pool::Stop>(&effect);
      if (greets != nullptr && greets->worker == worker_) deadline_ = greets->deadline;
      if (pings != nullptr && pings->worker == worker_) deadline_ = pings->deadline;
      if (stop != nullptr && stop->worker == worker_) deadline_ = kNever;
    }
    return shows ? std::optional(deadline) : std::nullopt;
  }

 private:
  WorkerId worker_;
  Time input_ended_;
  Time deadline_ = kNever;  ///< of the ping under way; kNever: there is none
};

/// Tells from which records of the pool on a worker's process had ended: what the pool orders then
/// reaches nobody.
class EndedBefore {
 public:
  EndedBefore(const View& view, WorkerId worker) : worker_(worker) {
    const auto known = view.find(worker);
    if (!known) return;
    for (const ClientStep& call : view.calls_on(known->number)) {
      if (call.outcome == Outcome::worker_died) found_dead_.push_back(call.lease);
    }
  }

  /// Whether what the pool was told is that the process had ended.
  [[nodiscard]] bool shows_in(const trace::PoolRecord& record) const {
    if (const auto* exited = std::get_if<pool::Exited>(&record.event)) {
      return exited->worker == worker_;
    }
    if (const auto* greeted = std::get_if<pool::HandshakeEnded>(&record.event)) {
      return greeted->worker == worker_ && greeted->evidence.cause == StartCause::exited;
    }
    const auto* back = std::get_if<pool::CheckedIn>(&record.event);
    return back != nullptr && std::ranges::find(found_dead_, back->lease) != found_dead_.end();
  }

 private:
  WorkerId worker_;
  std::vector<LeaseId> found_dead_;  ///< leases whose last call found the worker dead
};

/// What the pool says about one incarnation before the pool begins to close.
struct ReportedFate {
  bool ordered = false;    ///< the pool ordered its start
  bool put_away = false;   ///< the pool told the worker to go, or ended its input
  bool ended = false;      ///< the worker's process exited
  bool never_ran = false;  ///< the worker could not be started
};

/// When the scenario's clients were done, in the simulator: what comes later is the harness closing
/// a pool at rest, and no part of the scenario. kNever: on the host, or without any client.
Time clients_done(const Evidence& evidence) {
  if (evidence.trace.header.world != "sim") return kNever;
  Time done = Time::min();
  for (const ClientStep& step : evidence.trace.clients) {
    if (!step.client.empty()) done = std::max(done, step.ended);
  }
  return done == Time::min() ? kNever : done;
}

ReportedFate told_of(const Evidence& evidence, const View& view, WorkerId worker) {
  ReportedFate told;
  const EndedBefore ended(view, worker);
  const Time done = clients_done(evidence);
  UnansweredPing ping(worker);
  for (const trace::PoolRecord& record : evidence.trace.pool) {
    if (std::holds_alternative<pool::CloseRequested>(record.event) || record.at > done) break;
    if (ping.take(record)) told.put_away = true;
    const auto* failed = std::get_if<pool::StartFailed>(&record.event);
    told.ended = told.ended || ended.shows_in(record);
    told.never_ran = told.never_ran || (failed != nullptr && failed->worker == worker);
    for (const pool::Effect& effect : record.effects) {
      const auto* start = std::get_if<pool::Start>(&effect);
      const auto* stop = std::get_if<pool::Stop>(&effect);
      told.ordered = told.ordered || (start != nullptr && start->worker == worker);
      told.put_away = told.put_away || (stop != nullptr && stop->worker == worker && !told.ended);
    }
  }
  return told;
}

Time close_begun(const Evidence& evidence, const View& view) {
  const Time done = clients_done(evidence);
  for (const trace::PoolRecord& record : evidence.trace.pool) {
    if (std::holds_alternative<pool::CloseRequested>(record.event))
      return std::min(record.at, done);
  }
  return std::min(view.close_begun, done);
}

bool died_by_itself(const Incarnation& incarnation, Time until) {
  for (const WorkerRecord& record : incarnation.records()) {
    if (record.at > until) return false;
    const Kind kind = record.record.kind;
    const bool by_client = kind == Kind::read && record.record.command == "shutdown";
    if (by_client || shows_farewell(record.record)) return false;
    if (kind == Kind::exiting) return true;
    if (kind == Kind::receipt && incarnation.view->ended_process(record.record)) return true;
  }
  return false;
}

bool struck_down(const Evidence& evidence, WorkerId worker, Time until) {
  return was_struck(evidence.trace, worker, [until](const trace::EnvironmentRecord& strike) {
    return strike.delivered && is_deadly(strike.signal) && strike.at <= until;
  });
}

/// Without a self-report: whether, before `until`, the worker was told to go or another one started
/// in its slot.
bool left_early(const View& view, WorkerId worker, Time until) {
  return std::any_of(
      view.trace().workers.begin(), view.trace().workers.end(), [&](const auto& record) {
        const WorkerId other = record.worker;
        const Kind kind = record.record.kind;
        const bool successor = other.slot == worker.slot && other.generation > worker.generation;
        const bool sign = successor
                              ? kind == Kind::started
                              : other == worker && (kind == Kind::term || kind == Kind::stdin_end);
        return sign && record.at < until;
      });
}

/// What a worker's own journal says of its end.
struct Farewells {
  Time input_ended = kNever;  ///< kNever: it does not tell, or did not see that
  Time exited = kNever;       ///< kNever: it does not tell, or did not exit by itself
  bool got_term = false;
};

Farewells farewells_of(const View& view, WorkerId worker) {
  Farewells seen;
  const auto known = view.find(worker);
  if (!known) return seen;
  for (const WorkerRecord& record : known->records()) {
    const Kind kind = record.record.kind;
    seen.got_term = seen.got_term || kind == Kind::term;
    if (kind == Kind::stdin_end) seen.input_ended = std::min(seen.input_ended, record.at);
    if (kind == Kind::exiting) seen.exited = std::min(seen.exited, record.at);
  }
  return seen;
}

/// Tells in words what the pool did to one worker, step by step.
class Story {
 public:
  /// `asked`: its protocol has a shutdown request.
  Story(const View& view, WorkerId worker, bool asked)
      : worker_(worker),
        asked_(asked),
        seen_(farewells_of(view, worker)),
        ended_(view, worker),
        ping_(worker, seen_.input_ended) {}

  /// Takes the next record; false: with it the worker has ended.
  bool take(const trace::PoolRecord& record) {
    if (const auto closed = ping_.take(record)) {
      left_.by = scenario::Farewell::end_of_input;
      add(*closed, "its input ended, for it had not answered a ping");
    }
    const auto* exited = std::get_if<pool::Exited>(&record.event);
    if (exited != nullptr && exited->worker == worker_) {
      left_.exit = exited->status;
      const bool by_us = left_.by == scenario::Farewell::kill && exited->status.signal == SIGKILL;
      add(record.at, by_us ? "it was ended by that" : "it " + pool::words(exited->status));
      return false;
    }
    if (ended_.shows_in(record)) seen_.exited = std::min(seen_.exited, record.at);
    for (const pool::Effect& effect : record.effects) {
      const auto* stop = std::get_if<pool::Stop>(&effect);
      if (stop != nullptr && stop->worker == worker_) take(record.at, stop->step);
    }
    return true;
  }

  Leaving end() {
    // The worker had ended before KILL could reach it.
    const bool escaped = left_.exit && left_.exit->signal != SIGKILL;
    if (escaped && left_.by == scenario::Farewell::kill) left_.by = before_;
    if (!left_.exit) left_.story += left_.story.empty() ? "nothing was done to it" : ", no end";
    return std::move(left_);
  }

 private:
  void take(Time at, pool::StopStep step) {
    constexpr std::array kDone{"it was asked to leave", "its input ended", "TERM", "KILL"};
    // A worker whose protocol has no shutdown request is not asked: its stdin is closed.
    if (!asked_ && step == pool::StopStep::ask) step = pool::StopStep::end_of_input;
    const auto farewell = static_cast<scenario::Farewell>(step);
    // Its input ends once.
    if (farewell == scenario::Farewell::end_of_input && left_.by == farewell) return;
    // In virtual time a worker may be told to go and exit at the same time.
    const bool unheard =
        (step == pool::StopStep::term && !seen_.got_term) || step == pool::StopStep::kill;
    const bool too_late = at > seen_.exited || (at == seen_.exited && unheard);
    if (!too_late) before_ = std::exchange(left_.by, farewell);
    add(at, fmt::format("{}{}", kDone[static_cast<std::size_t>(step)],
                        too_late ? " (it had exited)" : ""));
  }

  void add(Time at, const std::string& what) {
    left_.story += left_.story.empty()
                       ? what
                       : fmt::format(", {} ms later {}", milliseconds(at - left_.at), what);
    left_.at = at;
  }

  WorkerId worker_;
  bool asked_;
  Farewells seen_;
  EndedBefore ended_;
  UnansweredPing ping_;
  Leaving left_;
  std::optional<scenario::Farewell> before_;
};

}  // namespace

std::optional<Leaving> leaving_of(const Evidence& evidence, const View& view, WorkerId worker) {
  if (evidence.trace.pool.empty()) return std::nullopt;
  Story story(view, worker, evidence.scenario.pool.says_goodbye());
  for (const trace::PoolRecord& record : evidence.trace.pool) {
    if (!story.take(record)) break;
  }
  return story.end();
}

std::optional<Fate> fate_of(const Evidence& evidence, const View& view, WorkerId worker) {
  const bool self_report = !evidence.trace.pool.empty();
  const auto known = view.find(worker);
  const bool journalled =
      known && !known->records().empty() && known->records().front().at <= clients_done(evidence);
  const ReportedFate told = told_of(evidence, view, worker);
  if (!view.has_journal(worker) && !self_report) return std::nullopt;
  if (!journalled && !told.ordered) return Fate::unborn;
  if (told.never_ran || (known && could_not_start(*known))) return Fate::unborn;
  const Time until = close_begun(evidence, view);
  if (struck_down(evidence, worker, until)) return Fate::died;
  if (journalled && died_by_itself(*known, until)) return Fate::died;
  if (!self_report) return left_early(view, worker, until) ? Fate::killed : Fate::closed;
  if (told.put_away) return Fate::killed;
  return told.ended ? Fate::died : Fate::closed;
}

}  // namespace poolproof::oracle
