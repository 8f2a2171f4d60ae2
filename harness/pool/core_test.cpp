#include "harness/pool/core.hpp"

#include <catch2/catch.hpp>

#include "harness/pool/core_testing.hpp"

namespace poolproof::pool {
namespace {

using testing::idle_pool;
using testing::lazy;
using testing::Script;

// ---- waiters -----------------------------------------------------------------------------------

TEST_CASE("pool: core: a lazy pool starts a worker for the first client and serves it") {
  Script s{lazy(1)};
  CHECK(s.core.next_deadline() == kNever);
  CHECK(s.checkout(1, 5000) == "Start 0.0");
  CHECK(s.started({0, 0}) == "Handshake 0.0 by 5000");
  CHECK(s.good({0, 0}) == "Grant c1 0.0");
  CHECK(s.check_in({0, 0}) == "");
  CHECK(s.checkout(2, 5000) == "Grant c2 0.0");
}

TEST_CASE("pool: core: waiters are served in the order in which they came") {
  Script s = idle_pool(lazy(2));
  s.checkout(1);
  s.checkout(2);
  CHECK(s.checkout(3, 9000) == "");
  CHECK(s.checkout(4, 500) == "");
  CHECK(s.checkout(5, 700) == "");
  CHECK(s.check_in({1, 0}) == "Grant c3 1.0");
  CHECK(s.check_in({0, 0}) == "Grant c4 0.0");
  CHECK(s.check_in({0, 0}) == "Grant c5 0.0");
}

TEST_CASE("pool: core: a newcomer does not overtake a waiter") {
  Config config = lazy(2);
  config.init_mode = InitMode::blocking;
  config.start = StartMode::eager;
  Script s{config};
  s.tick();
  CHECK(s.up({0, 0}) == "Start 1.0");
  CHECK(s.checkout(1, 9000) == "");  // slot 0 is idle, but slot 1 greets
  s.at(5000);
  // The step of the late newcomer is also the one in which slot 1's start is given up.
  CHECK(s.checkout(2, 9000) == "Grant c1 0.0");
  CHECK(s.core.gauges().waiting == 1);
}

TEST_CASE("pool: core: a cancelled waiter is skipped") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.checkout(2);
  s.checkout(3);
  CHECK(s.cancel(2) == "Refuse c2 cancelled: queued since 0");
  CHECK(s.check_in({0, 0}) == "Grant c3 0.0");
}

TEST_CASE("pool: core: a waiter is refused at its deadline and not before") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.at(100).checkout(2, 300);
  CHECK(s.core.next_deadline() == Time(300ms));
  CHECK(s.at(Time(300ms) - Duration(1)).tick() == "");
  CHECK(s.at(300).tick() == "Refuse c2 checkout_timeout: queued since 100");
}

TEST_CASE("pool: core: a late check-in serves nobody whose deadline has come") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.checkout(2, 300);
  s.checkout(3, 400);
  s.checkout(4, 401);
  CHECK(s.at(400).check_in({0, 0}) ==
        "Refuse c2 checkout_timeout: queued since 0; "
        "Refuse c3 checkout_timeout: queued since 0; Grant c4 0.0");
}

TEST_CASE("pool: core: what fell due in one late step is done in the order of its deadlines") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.checkout(2, 400);
  s.checkout(3, 300);
  s.checkout(4, 300);
  CHECK(s.at(900).tick() ==
        "Refuse c3 checkout_timeout: queued since 0; "
        "Refuse c4 checkout_timeout: queued since 0; "
        "Refuse c2 checkout_timeout: queued since 0");
}

TEST_CASE("pool: core: a blocking start that ends with a waiter's time does not serve the waiter") {
  Config config = lazy(2);
  config.init_mode = InitMode::blocking;
  config.start = StartMode::eager;
  Script s{config};
  s.tick();
  CHECK(s.up({0, 0}) == "Start 1.0");
  s.at(1).checkout(1, 5000);
  s.checkout(2, 9000);
  // Both due at 5000: the budget of slot 1, which would let slot 0 be granted, and client 1.
  CHECK(s.at(5000).tick() ==
        "Refuse c1 checkout_timeout: queued of 1.0 since 0, behind_another_start; Grant c2 0.0");
}

TEST_CASE("pool: core: a full queue refuses at once") {
  Config config = lazy(1);
  config.waiters_max = 1;
  Script s = idle_pool(config);
  s.checkout(1);
  s.checkout(2);
  CHECK(s.at(70).checkout(3) == "Refuse c3 queue_full: queued since 70");
}

TEST_CASE("pool: core: a try-checkout gets an idle worker and else is refused at once") {
  Script s = idle_pool(lazy(1));
  s.at(1000);
  CHECK(s.checkout(1, 1000) == "Grant c1 0.0");
  CHECK(s.checkout(2, 1000) == "Refuse c2 checkout_timeout: queued since 1000");
  CHECK(s.checkout(3, 200) == "Refuse c3 checkout_timeout: queued since 1000");
  CHECK(s.core.gauges().waiting == 0);
}

TEST_CASE("pool: core: a try-checkout starts nothing") {
  Script s{lazy(1)};
  CHECK(s.checkout(1, 0) == "Refuse c1 checkout_timeout: queued since 0");
  CHECK(s.core.counters().starts == 0);
}

TEST_CASE("pool: core: a client that already waits is not queued twice") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.checkout(2);
  CHECK(s.checkout(2) == "");
  CHECK(s.core.counters().ignored == 1);
  CHECK(s.check_in({0, 0}) == "Grant c2 0.0");
  CHECK(s.check_in({0, 0}) == "");
}

TEST_CASE("pool: core: time that goes back counts as the latest seen") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.at(1000).tick();
  CHECK(s.at(10).checkout(2, 900) == "Refuse c2 checkout_timeout: queued since 1000");
}

// ---- leases ------------------------------------------------------------------------------------

TEST_CASE("pool: core: reuse takes the worker returned last, or the one returned first") {
  const Reuse reuse = GENERATE(Reuse::last_in_first_out, Reuse::first_in_first_out);
  const bool last = reuse == Reuse::last_in_first_out;
  Config config = lazy(4);
  config.reuse = reuse;
  Script s = idle_pool(config);
  CHECK(s.checkout(1) == (last ? "Grant c1 3.0" : "Grant c1 0.0"));
  CHECK(s.exited({last ? 2U : 1U, 0}) == (last ? "Forget 2.0" : "Forget 1.0"));
  CHECK(s.checkout(2) == (last ? "Grant c2 1.0" : "Grant c2 2.0"));
  s.check_in({last ? 1U : 2U, 0});
  CHECK(s.checkout(3) == (last ? "Grant c3 1.0" : "Grant c3 3.0"));
}

TEST_CASE("pool: core: a lease number is never given twice") {
  Script s = idle_pool(lazy(2));
  std::vector<LeaseId> seen{LeaseId::none};
  for (std::uint64_t checkout = 1; checkout <= 20; ++checkout) {
    s.checkout(checkout);
    const Grant grant = std::get<Grant>(s.effects().front());
    CHECK(std::find(seen.begin(), seen.end(), grant.lease) == seen.end());
    seen.push_back(grant.lease);
    if (checkout % 3 != 0) s.check_in(grant.worker);
    if (checkout % 6 == 0) {
      s.check_in({0, 0});
      s.check_in({1, 0});
    }
  }
}

TEST_CASE("pool: core: only the holder's own check-in counts") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  const LeaseId first = s.lease({0, 0});
  s.check_in({0, 0});
  s.checkout(2);
  CHECK(s.step(CheckedIn{first, true}) == "");
  CHECK(s.step(CheckedIn{first, false}) == "");
  CHECK(s.step(LeaseRevoked{first}) == "");
  CHECK(s.core.counters().ignored == 3);
  CHECK(s.core.state(0) == SlotState::leased);
}

TEST_CASE("pool: core: a check-in after the worker's end is counted and does nothing") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  CHECK(s.exited({0, 0}, {.code = 0, .signal = 9}) == "Forget 0.0; Start 0.1");
  CHECK(s.core.counters().lost == 1);
  CHECK(s.check_in({0, 0}) == "");
  CHECK(s.core.counters().ignored == 1);
  CHECK(s.core.counters().returned_clean == 0);
}

// ---- refusals ----------------------------------------------------------------------------------

TEST_CASE("pool: core: a refusal names the start that the client waited for") {
  Script s{lazy(1)};
  s.at(100).checkout(1, 900);
  s.at(200).checkout(2, 400);
  CHECK(s.at(400).tick() == "Refuse c2 checkout_timeout: starting of 0.0 since 100");
  s.at(500).started({0, 0});
  CHECK(s.at(900).tick() == "Refuse c1 checkout_timeout: handshake of 0.0 since 100");
  const Refuse refusal = std::get<Refuse>(s.effects().front());
  CHECK(refusal.waiting_since == Time(100ms));
}

TEST_CASE("pool: core: a client of busy workers was queued") {
  Script s = idle_pool(lazy(1));
  s.checkout(1);
  s.at(50).checkout(2, 60);
  CHECK(s.at(60).tick() == "Refuse c2 checkout_timeout: queued since 50");
  const Refuse refusal = std::get<Refuse>(s.effects().front());
  CHECK_FALSE(refusal.has_blocker);
  CHECK(refusal.waiting_since == Time(50ms));
}

TEST_CASE("pool: core: a client of a pool that pauses after a failure was cooling") {
  Script s{lazy(1)};
  s.checkout(1, 5000);
  s.at(10).start_failed({0, 0});
  s.at(50);
  s.checkout(2, 60);
  CHECK(s.at(60).tick() == "Refuse c2 checkout_timeout: cooling since 50");
  // For client 1 a start failed while it waited: that is the reason.
  s.at(110).tick();
  s.at(115).start_failed({0, 1});
  s.at(315).tick();
  CHECK(s.at(5000).tick() ==
        "Refuse c1 start_failed: starting of 0.2 since 315, exec_failed of 0.1, 2 in a row");
}

TEST_CASE("pool: core: a client was queued, not cooling, when another worker is leased") {
  Script s{lazy(2)};
  s.checkout(1);
  s.up({0, 0});
  s.checkout(2, 60);
  s.at(10).start_failed({1, 0});
  s.at(20).checkout(3, 50);
  CHECK(s.at(50).tick() == "Refuse c3 checkout_timeout: queued since 20");
}

TEST_CASE("pool: core: starts that failed while a client waited are its reason") {
  Script s{lazy(1)};
  s.at(100).checkout(1, 150);
  s.at(110).started({0, 0});
  s.at(120).bad({0, 0}, StartCause::text_on_stdout);
  s.at(121).checkout(2, 149);
  CHECK(s.at(149).tick() == "Refuse c2 checkout_timeout: cooling since 121");
  CHECK(s.at(150).tick() ==
        "Refuse c1 start_failed: cooling since 100, text_on_stdout of 0.0, 1 in a row");
}

TEST_CASE("pool: core: a start that failed at the moment when its client came is its reason") {
  Script s{lazy(1)};
  s.at(100).checkout(1, 150);
  s.start_failed({0, 0});
  CHECK(s.at(150).tick() ==
        "Refuse c1 start_failed: cooling since 100, exec_failed of 0.0, 1 in a row");
}

TEST_CASE("pool: core: a good start wipes out the failures before it") {
  Script s{lazy(1)};
  s.checkout(1, 900);
  s.checkout(2, 900);
  s.start_failed({0, 0});
  s.at(100).tick();
  CHECK(s.up({0, 1}) == "Grant c1 0.1");
  CHECK(s.at(900).tick() == "Refuse c2 checkout_timeout: queued since 0");
}

TEST_CASE("pool: core: only a client behind another's start is told so") {
  Config config = lazy(2);
  config.init_mode = InitMode::blocking;
  Script s{config};
  s.at(100).checkout(1, 1000);
  CHECK(s.at(200).checkout(2, 900) == "");
  CHECK(s.at(900).tick() ==
        "Refuse c2 checkout_timeout: queued of 0.0 since 100, behind_another_start");
  CHECK(s.at(1000).tick() == "Refuse c1 checkout_timeout: starting of 0.0 since 100");
}

TEST_CASE("pool: core: who gives up behind another's start is not told a cause") {
  Config config = lazy(2);
  config.init_mode = InitMode::blocking;
  Script s{config};
  s.at(100).checkout(1, 1000);
  s.at(200).checkout(2, 900);
  CHECK(s.at(300).cancel(2) == "Refuse c2 cancelled: starting of 0.0 since 100");
}

TEST_CASE("pool: core: nobody is behind another's start where no slot is left to start") {
  Config config = lazy(1);
  config.init_mode = InitMode::blocking;
  Script s{config};
  s.at(100).checkout(1, 1000);
  s.at(200).checkout(2, 900);
  CHECK(s.at(900).tick() == "Refuse c2 checkout_timeout: starting of 0.0 since 100");
}

TEST_CASE("pool: core: a client whose own start has begun is behind nobody's") {
  Config config = lazy(3);
  config.starts_max = 2;
  Script s{config};
  s.at(100).checkout(1, 1000);
  CHECK(s.at(200).checkout(2, 900) == "Start 1.0");
  CHECK(s.at(300).checkout(3, 900) == "");
  CHECK(s.at(900).tick() ==
        "Refuse c2 checkout_timeout: starting of 0.0 since 100; "
        "Refuse c3 checkout_timeout: queued of 0.0 since 100, behind_another_start");
}

TEST_CASE("pool: core: of the starts under way the oldest is named, whichever have ended") {
  Config config = lazy(5);
  config.starts_max = 4;
  Script s{config};
  s.at(100).checkout(1);
  s.at(200).checkout(2);
  s.at(300).checkout(3, 700);
  s.at(400).checkout(4);
  CHECK(s.at(500).up({1, 0}) == "Grant c1 1.0");
  CHECK(s.up({0, 0}) == "Grant c2 0.0");
  CHECK(s.at(700).tick() == "Refuse c3 checkout_timeout: starting of 2.0 since 300");
  CHECK(s.up({3, 0}) == "Grant c4 3.0");
  s.at(800).checkout(5, 1000);
  CHECK(s.checkout(6) == "Start 4.0");
  CHECK(s.at(900).up({2, 0}) == "Grant c5 2.0");
  s.checkout(7, 1000);
  CHECK(s.at(1000).tick() == "Refuse c7 checkout_timeout: starting of 4.0 since 800");
}

TEST_CASE("pool: core: nobody is behind another's start where one more may start") {
  Script s{lazy(2)};
  s.at(100).checkout(1, 150);
  s.at(150).tick();
  s.at(200).checkout(2, 900);  // the start of client 1, who left, is for client 2 now
  CHECK(s.core.counters().starts == 1);
  CHECK(s.at(900).tick() == "Refuse c2 checkout_timeout: starting of 0.0 since 100");
}

// ---- accounts ----------------------------------------------------------------------------------

TEST_CASE("pool: core: counters add up") {
  Script s = idle_pool(lazy(3));
  s.checkout(1);
  s.checkout(2);
  s.checkout(3);
  s.checkout(4);
  s.checkout(5, 50);
  s.checkout(6);
  s.check_in({2, 0});        // now client 4 has it
  s.check_in_dirty({1, 0});  // TERM, and 1.1 is started
  s.revoke({0, 0});
  s.exited({2, 0});
  s.start_failed({1, 1});
  s.cancel(6);
  s.at(50).tick();
  const Counters& c = s.core.counters();
  const Gauges g = s.core.gauges();
  CHECK(c.requested == 6);
  CHECK(c.granted == 4);
  CHECK(c.refused_total() == 1 + 1);
  CHECK(c.refused[static_cast<std::size_t>(Outcome::cancelled)] == 1);
  CHECK(c.returned_clean == 1);
  CHECK(c.returned_dirty == 1);
  CHECK(c.revoked == 1);
  CHECK(c.lost == 1);
  CHECK(c.starts == 3 + 3);
  CHECK(c.starts_failed == 1);
  CHECK(c.forgotten == 2);
  CHECK(adds_up(c, g));
  CHECK(g.leaving == 2);
  CHECK(g.vacant == 1);
  CHECK(g.starting == 2);
}

}  // namespace
}  // namespace poolproof::pool
