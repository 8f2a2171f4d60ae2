#include <algorithm>

#include <catch2/catch.hpp>

#include "harness/pool/core_testing.hpp"

namespace poolproof::pool {
namespace {

using testing::Script;

/// Where the worker in question, 0.2 in a pool of one, is. (0.0 and 0.1 have lived and died.)
enum class Where {
  vacant,  ///< not started yet
  cooling,
  starting,
  handshake,
  fresh,     ///< idle, and has served nobody yet
  idle,      ///< and has served
  leased,    ///< nobody waits
  wanted,    ///< leased, and c4 waits
  draining,  ///< leased in a closing pool
  asked,     ///< and the pool closes, as there is no other way there
  stdin_closed,
  termed,
  killed,
  unstarted,  ///< told to go before the order to start was answered
};
constexpr std::array<std::string_view, 14> kWhereNames{
    "vacant", "cooling",  "starting", "handshake",    "fresh",  "idle",   "leased",
    "wanted", "draining", "asked",    "stdin_closed", "termed", "killed", "unstarted"};

/// What happens to it. `requested`: by c9; `cancelled`: by c3, for whom it was started.
enum class What {
  requested,
  cancelled,
  clean,
  dirty,
  revoked,
  started,
  start_failed,
  good,
  bad,
  unsolicited,
  exited,
  tick_early,  ///< just before the next deadline
  tick_due,    ///< at it; a day later if there is none
  close,
};
constexpr std::array<std::string_view, 14> kWhatNames{
    "requested", "cancelled", "clean",       "dirty",  "revoked",    "started",  "start_failed",
    "good",      "bad",       "unsolicited", "exited", "tick_early", "tick_due", "close"};

struct Row {
  Where where;
  What what;
  std::string_view state;    ///< of the slot afterwards; "+": and 0.2 is leaving
  std::string_view effects;  ///< "ignored": none, and the event is counted as ignored
};

using enum Where;
using enum What;

/// Every state x every event. A missing or a doubled row is an error.
// clang-format off
constexpr Row kTable[] = {
  {vacant, requested, "starting", "Start 0.2"},
  {vacant, cancelled, "vacant", "ignored"},
  {vacant, clean, "vacant", "ignored"},
  {vacant, dirty, "vacant", "ignored"},
  {vacant, revoked, "vacant", "ignored"},
  {vacant, started, "vacant", "ignored"},
  {vacant, start_failed, "vacant", "ignored"},
  {vacant, good, "vacant", "ignored"},
  {vacant, bad, "vacant", "ignored"},
  {vacant, unsolicited, "vacant", "ignored"},
  {vacant, exited, "vacant", "ignored"},
  {vacant, tick_early, "vacant", ""},
  {vacant, tick_due, "vacant", ""},
  {vacant, close, "vacant", "Closed"},

  {cooling, requested, "cooling", ""},
  {cooling, cancelled, "cooling", "Refuse c3 cancelled: cooling since 1000"},
  {cooling, clean, "cooling", "ignored"},
  {cooling, dirty, "cooling", "ignored"},
  {cooling, revoked, "cooling", "ignored"},
  {cooling, started, "cooling", "ignored"},
  {cooling, start_failed, "cooling", "ignored"},
  {cooling, good, "cooling", "ignored"},
  {cooling, bad, "cooling", "ignored"},
  {cooling, unsolicited, "cooling", "ignored"},
  {cooling, exited, "cooling", "ignored"},
  {cooling, tick_early, "cooling", ""},
  {cooling, tick_due, "starting", "Start 0.3"},
  {cooling, close, "vacant", "Refuse c3 pool_closed: cooling since 1000; Closed"},

  {starting, requested, "starting", ""},
  {starting, cancelled, "starting", "Refuse c3 cancelled: starting of 0.2 since 1000"},
  {starting, clean, "starting", "ignored"},
  {starting, dirty, "starting", "ignored"},
  {starting, revoked, "starting", "ignored"},
  {starting, started, "handshake", "Handshake 0.2 by 6000"},
  {starting, start_failed, "cooling", "Forget 0.2"},
  {starting, good, "starting", "ignored"},
  {starting, bad, "starting", "ignored"},
  {starting, unsolicited, "starting", "ignored"},
  {starting, exited, "starting", "ignored"},
  {starting, tick_early, "starting", ""},
  {starting, tick_due, "cooling+", ""},
  {starting, close, "vacant+", "Refuse c3 pool_closed: starting of 0.2 since 1000"},

  {handshake, requested, "handshake", ""},
  {handshake, cancelled, "handshake", "Refuse c3 cancelled: handshake of 0.2 since 1000"},
  {handshake, clean, "handshake", "ignored"},
  {handshake, dirty, "handshake", "ignored"},
  {handshake, revoked, "handshake", "ignored"},
  {handshake, started, "handshake", "ignored"},
  {handshake, start_failed, "handshake", "ignored"},
  {handshake, good, "leased", "Grant c3 0.2"},
  {handshake, bad, "cooling+", "Stop 0.2 term start_failed"},
  {handshake, unsolicited, "handshake", "ignored"},
  {handshake, exited, "cooling", "Forget 0.2"},
  {handshake, tick_early, "handshake", ""},
  {handshake, tick_due, "cooling+", "Stop 0.2 kill budget_spent"},
  {handshake, close, "vacant+", "Refuse c3 pool_closed: handshake of 0.2 since 1000; Stop 0.2 kill closing"},

  {fresh, requested, "leased", "Grant c9 0.2"},
  {fresh, cancelled, "idle", "ignored"},
  {fresh, clean, "idle", "ignored"},
  {fresh, dirty, "idle", "ignored"},
  {fresh, revoked, "idle", "ignored"},
  {fresh, started, "idle", "ignored"},
  {fresh, start_failed, "idle", "ignored"},
  {fresh, good, "idle", "ignored"},
  {fresh, bad, "idle", "ignored"},
  {fresh, unsolicited, "cooling+", "Stop 0.2 term unsolicited"},
  {fresh, exited, "cooling", "Forget 0.2"},
  {fresh, tick_early, "idle", ""},
  {fresh, tick_due, "idle", ""},
  {fresh, close, "vacant+", "Stop 0.2 ask closing"},

  {idle, requested, "leased", "Grant c9 0.2"},
  {idle, cancelled, "idle", "ignored"},
  {idle, clean, "idle", "ignored"},
  {idle, dirty, "idle", "ignored"},
  {idle, revoked, "idle", "ignored"},
  {idle, started, "idle", "ignored"},
  {idle, start_failed, "idle", "ignored"},
  {idle, good, "idle", "ignored"},
  {idle, bad, "idle", "ignored"},
  {idle, unsolicited, "vacant+", "Stop 0.2 term unsolicited"},
  {idle, exited, "vacant", "Forget 0.2"},
  {idle, tick_early, "idle", ""},
  {idle, tick_due, "idle", ""},
  {idle, close, "vacant+", "Stop 0.2 ask closing"},

  {leased, requested, "leased", ""},
  {leased, cancelled, "leased", "ignored"},
  {leased, clean, "idle", ""},
  {leased, dirty, "vacant+", "Stop 0.2 term dirty"},
  {leased, revoked, "vacant+", "Stop 0.2 term revoked"},
  {leased, started, "leased", "ignored"},
  {leased, start_failed, "leased", "ignored"},
  {leased, good, "leased", "ignored"},
  {leased, bad, "leased", "ignored"},
  {leased, unsolicited, "leased", "ignored"},
  {leased, exited, "vacant", "Forget 0.2"},
  {leased, tick_early, "leased", ""},
  {leased, tick_due, "leased", ""},
  {leased, close, "leased", ""},

  {wanted, requested, "leased", ""},
  {wanted, cancelled, "leased", "ignored"},
  {wanted, clean, "leased", "Grant c4 0.2"},
  {wanted, dirty, "starting+", "Stop 0.2 term dirty; Start 0.3"},
  {wanted, revoked, "starting+", "Stop 0.2 term revoked; Start 0.3"},
  {wanted, started, "leased", "ignored"},
  {wanted, start_failed, "leased", "ignored"},
  {wanted, good, "leased", "ignored"},
  {wanted, bad, "leased", "ignored"},
  {wanted, unsolicited, "leased", "ignored"},
  {wanted, exited, "starting", "Forget 0.2; Start 0.3"},
  {wanted, tick_early, "leased", ""},
  {wanted, tick_due, "leased", ""},
  {wanted, close, "leased", "Refuse c4 pool_closed: queued since 1000"},

  {draining, requested, "leased", "Refuse c9 pool_closed: queued since 1000"},
  {draining, cancelled, "leased", "ignored"},
  {draining, clean, "vacant+", "Stop 0.2 ask closing"},
  {draining, dirty, "vacant+", "Stop 0.2 term dirty"},
  {draining, revoked, "vacant+", "Stop 0.2 term revoked"},
  {draining, started, "leased", "ignored"},
  {draining, start_failed, "leased", "ignored"},
  {draining, good, "leased", "ignored"},
  {draining, bad, "leased", "ignored"},
  {draining, unsolicited, "leased", "ignored"},
  {draining, exited, "vacant", "Forget 0.2; Closed"},
  {draining, tick_early, "leased", ""},
  {draining, tick_due, "vacant+", "Stop 0.2 term closing"},
  {draining, close, "leased", ""},

  {asked, requested, "vacant+", "Refuse c9 pool_closed: queued since 1000"},
  {asked, cancelled, "vacant+", "ignored"},
  {asked, clean, "vacant+", "ignored"},
  {asked, dirty, "vacant+", "ignored"},
  {asked, revoked, "vacant+", "ignored"},
  {asked, started, "vacant+", "ignored"},
  {asked, start_failed, "vacant+", "ignored"},
  {asked, good, "vacant+", "ignored"},
  {asked, bad, "vacant+", "ignored"},
  {asked, unsolicited, "vacant+", "ignored"},
  {asked, exited, "vacant", "Forget 0.2; Closed"},
  {asked, tick_early, "vacant+", ""},
  {asked, tick_due, "vacant+", "Stop 0.2 end_of_input closing"},
  {asked, close, "vacant+", ""},

  {stdin_closed, requested, "vacant+", "Refuse c9 pool_closed: queued since 1500"},
  {stdin_closed, cancelled, "vacant+", "ignored"},
  {stdin_closed, clean, "vacant+", "ignored"},
  {stdin_closed, dirty, "vacant+", "ignored"},
  {stdin_closed, revoked, "vacant+", "ignored"},
  {stdin_closed, started, "vacant+", "ignored"},
  {stdin_closed, start_failed, "vacant+", "ignored"},
  {stdin_closed, good, "vacant+", "ignored"},
  {stdin_closed, bad, "vacant+", "ignored"},
  {stdin_closed, unsolicited, "vacant+", "ignored"},
  {stdin_closed, exited, "vacant", "Forget 0.2; Closed"},
  {stdin_closed, tick_early, "vacant+", ""},
  {stdin_closed, tick_due, "vacant+", "Stop 0.2 term closing"},
  {stdin_closed, close, "vacant+", ""},

  {termed, requested, "starting+", "Start 0.3"},
  {termed, cancelled, "vacant+", "ignored"},
  {termed, clean, "vacant+", "ignored"},
  {termed, dirty, "vacant+", "ignored"},
  {termed, revoked, "vacant+", "ignored"},
  {termed, started, "vacant+", "ignored"},
  {termed, start_failed, "vacant+", "ignored"},
  {termed, good, "vacant+", "ignored"},
  {termed, bad, "vacant+", "ignored"},
  {termed, unsolicited, "vacant+", "ignored"},
  {termed, exited, "vacant", "Forget 0.2"},
  {termed, tick_early, "vacant+", ""},
  {termed, tick_due, "vacant+", "Stop 0.2 kill dirty"},
  {termed, close, "vacant+", ""},

  {killed, requested, "starting+", "Start 0.3"},
  {killed, cancelled, "vacant+", "ignored"},
  {killed, clean, "vacant+", "ignored"},
  {killed, dirty, "vacant+", "ignored"},
  {killed, revoked, "vacant+", "ignored"},
  {killed, started, "vacant+", "ignored"},
  {killed, start_failed, "vacant+", "ignored"},
  {killed, good, "vacant+", "ignored"},
  {killed, bad, "vacant+", "ignored"},
  {killed, unsolicited, "vacant+", "ignored"},
  {killed, exited, "vacant", "Forget 0.2"},
  {killed, tick_early, "vacant+", ""},
  {killed, tick_due, "vacant+", ""},
  {killed, close, "vacant+", ""},

  {unstarted, requested, "cooling+", ""},
  {unstarted, cancelled, "cooling+", "ignored"},
  {unstarted, clean, "cooling+", "ignored"},
  {unstarted, dirty, "cooling+", "ignored"},
  {unstarted, revoked, "cooling+", "ignored"},
  {unstarted, started, "cooling+", "Stop 0.2 kill budget_spent"},
  {unstarted, start_failed, "cooling", "Forget 0.2"},
  {unstarted, good, "cooling+", "ignored"},
  {unstarted, bad, "cooling+", "ignored"},
  {unstarted, unsolicited, "cooling+", "ignored"},
  {unstarted, exited, "cooling+", "ignored"},
  {unstarted, tick_early, "cooling+", ""},
  {unstarted, tick_due, "vacant+", ""},
  {unstarted, close, "vacant+", ""},
};
// clang-format on

Config pool_of_one() {
  Config config;
  config.backoff_jitter_percent = 0;
  config.breaker_failures = 0;
  return config;
}

constexpr WorkerId kWorker{0, 2};

/// At 1000 ms, two workers have come and gone.
Script after_two() {
  Script script{pool_of_one()};
  for (const WorkerId worker : {WorkerId{0, 0}, WorkerId{0, 1}}) {
    script.checkout(worker.generation + 1);
    script.up(worker);
    script.exited(worker);
  }
  script.at(1000);
  return script;
}

Script in_service(Where where) {
  Script script = after_two();
  script.checkout(3);
  script.up(kWorker);
  if (where == wanted) script.checkout(4);
  if (where == draining) script.close(60'000);
  if (where == termed || where == killed) script.check_in_dirty(kWorker);
  if (where == idle || where == asked || where == stdin_closed) script.check_in(kWorker);
  if (where == asked || where == stdin_closed) script.close(60'000);
  if (where == killed || where == stdin_closed) script.tick_when_due();
  return script;
}

Script bring(Where where) {
  Script script = after_two();
  if (where == vacant) return script;
  script.checkout(3);
  if (where == starting) return script;
  if (where == cooling) {
    script.start_failed(kWorker);
    return script;
  }
  if (where == unstarted) {
    script.tick_when_due();
    script.cancel(3);
    return script;
  }
  script.started(kWorker);
  if (where == handshake) return script;
  if (where != fresh) return in_service(where);
  script.cancel(3);
  script.good(kWorker);
  return script;
}

std::string let_happen(Script& script, What what) {
  const WorkerId worker = script.core.current(0);
  const Time due = script.core.next_deadline();
  switch (what) {
    case requested:
      return script.checkout(9);
    case cancelled:
      return script.cancel(3);
    case clean:
      return script.check_in(worker);
    case dirty:
      return script.check_in_dirty(worker);
    case revoked:
      return script.revoke(worker);
    case started:
      return script.started(worker);
    case start_failed:
      return script.start_failed(worker);
    case good:
      return script.good(worker);
    case bad:
      return script.bad(worker);
    case unsolicited:
      return script.unsolicited(worker);
    case exited:
      return script.exited(worker);
    case tick_early:
      return script.at(due == kNever ? Time(24h) : due - Duration(1)).tick();
    case tick_due:
      return script.at(due == kNever ? Time(24h) : due).tick();
    case close:
      return script.close(90'000);
  }
  return "unknown event";
}

std::string state_of(const Script& script) {
  return std::string(kSlotStateNames[static_cast<std::size_t>(script.core.state(0))]) +
         (script.core.gauges().leaving > 0 ? "+" : "");
}

std::string name_of(Where where, What what) {
  return std::string(kWhereNames[static_cast<std::size_t>(where)]) + " x " +
         std::string(kWhatNames[static_cast<std::size_t>(what)]);
}

TEST_CASE("pool: core: every event in every state does what the table says") {
  for (std::size_t i = 0; i < kWhereNames.size(); ++i) {
    for (std::size_t j = 0; j < kWhatNames.size(); ++j) {
      const auto where = static_cast<Where>(i);
      const auto what = static_cast<What>(j);
      INFO(name_of(where, what));
      const auto is_it = [&](const Row& r) { return r.where == where && r.what == what; };
      CHECK(std::count_if(std::begin(kTable), std::end(kTable), is_it) == 1);
      const auto* const row = std::find_if(std::begin(kTable), std::end(kTable), is_it);
      REQUIRE(row != std::end(kTable));

      Script script = bring(where);
      const std::uint64_t ignored_before = script.core.counters().ignored;
      const std::string effects = let_happen(script, what);
      const bool ignored = row->effects == "ignored";
      CHECK(effects == (ignored ? "" : row->effects));
      CHECK(state_of(script) == row->state);
      CHECK(script.core.counters().ignored - ignored_before == (ignored ? 1 : 0));
    }
  }
}

/// Events that name nothing that is there now: a past or future incarnation, another slot, an
/// ended or unknown lease, an unknown checkout.
std::vector<Event> strangers(const Script& script) {
  StartEvidence failed;
  failed.cause = StartCause::exited;
  std::vector<Event> events;
  for (const WorkerId w : {WorkerId{0, 0}, WorkerId{0, 9}, WorkerId{7, 0}, WorkerId{7, 2},
                           WorkerId{UINT32_MAX, UINT32_MAX}}) {
    const std::initializer_list<Event> about_it{
        Started{w},           StartFailed{w, 2}, HandshakeEnded{w, {}}, HandshakeEnded{w, failed},
        UnsolicitedOutput{w}, Exited{w, {}}};
    events.insert(events.end(), about_it);
  }
  for (const LeaseId lease : {script.lease({0, 0}), LeaseId::none, LeaseId{12345}}) {
    events.insert(events.end(),
                  {CheckedIn{lease, true}, CheckedIn{lease, false}, LeaseRevoked{lease}});
  }
  events.emplace_back(CheckoutCancelled{CheckoutId::none});
  events.emplace_back(CheckoutCancelled{CheckoutId{77}});
  return events;
}

TEST_CASE("pool: core: an event about nobody who is there is ignored in every state") {
  for (std::size_t i = 0; i < kWhereNames.size(); ++i) {
    for (const Event& event : strangers(bring(static_cast<Where>(i)))) {
      INFO(kWhereNames[i] << ", event of kind " << event.index());
      Script script = bring(static_cast<Where>(i));
      const std::string state_before = state_of(script);
      const Time deadline_before = script.core.next_deadline();
      const std::uint64_t ignored_before = script.core.counters().ignored;
      CHECK(script.step(event) == "");
      CHECK(state_of(script) == state_before);
      CHECK(script.core.next_deadline() == deadline_before);
      CHECK(script.core.counters().ignored == ignored_before + 1);
    }
  }
}
}  // namespace
}  // namespace poolproof::pool
