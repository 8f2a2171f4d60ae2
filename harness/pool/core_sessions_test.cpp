#include <catch2/catch.hpp>

#include "harness/pool/core.hpp"
#include "harness/pool/core_testing.hpp"

/// Who serves a session.
namespace poolproof::pool {
namespace {

using testing::Script;

constexpr SessionUse strict(std::uint64_t session, WhenBusy when_busy = WhenBusy::wait) {
  return {SessionId{session}, Affinity::strict, when_busy};
}
constexpr SessionUse prefer(std::uint64_t session) {
  return {SessionId{session}, Affinity::prefer, WhenBusy::wait};
}

/// All slots up and idle; the last one returned is the next one leased.
Script idle_pool(std::uint32_t size) {
  return testing::idle_pool(testing::lazy(size));
}
Script idle_pool(const Config& config) {
  return testing::idle_pool(config);
}

TEST_CASE("pool: core: sessions: a strict one meets its first worker again, not the next one") {
  Script s = idle_pool(2);
  CHECK(s.checkout(1, strict(7)) == "Grant c1 1.0");
  s.check_in({1, 0});
  CHECK(s.checkout(2) == "Grant c2 1.0");
  CHECK(s.checkout(3) == "Grant c3 0.0");
  s.check_in({1, 0});
  s.check_in({0, 0});  // the last one returned
  CHECK(s.checkout(4, strict(7)) == "Grant c4 1.0");
  CHECK(s.core.gauges().sessions == 1);
}

TEST_CASE("pool: core: sessions: a strict one waits for its worker beside an idle one") {
  Script s = idle_pool(2);
  s.checkout(1, strict(7));
  CHECK(s.checkout(2, strict(7)) == "");
  CHECK(s.checkout(3) == "Grant c3 0.0");
  CHECK(s.check_in({0, 0}) == "");
  CHECK(s.check_in({1, 0}) == "Grant c2 1.0");
}

TEST_CASE("pool: core: sessions: whoever came first is served, of any worker or of that one") {
  Script s = idle_pool(1);
  s.checkout(1, strict(7));
  s.checkout(2);
  s.checkout(3, strict(7));
  s.checkout(4);
  CHECK(s.check_in({0, 0}) == "Grant c2 0.0");
  CHECK(s.check_in({0, 0}) == "Grant c3 0.0");
  CHECK(s.check_in({0, 0}) == "Grant c4 0.0");
}

TEST_CASE("pool: core: sessions: two first requests of a strict one meet one worker") {
  Config config;
  config.size = 2;
  config.breaker_failures = 0;
  Script s{config};
  CHECK(s.checkout(1, strict(7)) == "Start 0.0");
  CHECK(s.checkout(2, strict(7)) == "Start 1.0");
  CHECK(s.checkout(3, strict(7, WhenBusy::fail)) == "");
  CHECK(s.up({0, 0}) == "Grant c1 0.0; Refuse c3 worker_busy: queued of 0.0 since 0");
  CHECK(s.up({1, 0}) == "");  // idle beside one who waits for another
  CHECK(s.check_in({0, 0}) == "Grant c2 0.0");
}

TEST_CASE("pool: core: sessions: nothing is started for one who waits for a worker that lives") {
  Config config;
  config.size = 2;
  Script s{config};
  s.checkout(1, strict(7));
  s.up({0, 0});
  CHECK(s.checkout(2, strict(7)) == "");
}

TEST_CASE("pool: core: sessions: a busy worker is told of at the deadline, or at once") {
  Script s = idle_pool(2);
  s.at(1).checkout(1, strict(7));
  CHECK(s.at(5).checkout(2, strict(7, WhenBusy::fail)) ==
        "Refuse c2 worker_busy: queued of 1.0 since 1");
  CHECK(s.checkout(3, strict(7), 5) == "Refuse c3 worker_busy: queued of 1.0 since 1");
  CHECK(s.checkout(4, strict(7), 9) == "");
  CHECK(s.at(9).tick() == "Refuse c4 worker_busy: queued of 1.0 since 1");
}

TEST_CASE("pool: core: sessions: a worker that is gone is told of till the session is ended") {
  Script s = idle_pool(2);
  s.checkout(1, strict(7));
  s.checkout(2, strict(7));
  CHECK(s.at(3).exited({1, 0}, {1, 0}) ==
        "Forget 1.0; Refuse c2 worker_gone: queued of 1.0 since 3; Start 1.1");
  CHECK(s.checkout(3, strict(7)) == "Refuse c3 worker_gone: queued of 1.0 since 3");
  s.up({1, 1});
  CHECK(s.checkout(4, strict(7)).starts_with("Refuse c4 worker_gone"));
  CHECK(s.end_session(7) == "SessionOver 7");
  CHECK(s.checkout(5, strict(8)) == "Grant c5 1.1");
}

TEST_CASE("pool: core: sessions: who waits for a worker that is put away is told so") {
  Script s = idle_pool(1);
  s.checkout(1, strict(7));
  s.checkout(2, strict(7));
  CHECK(s.check_in_dirty({0, 0}) ==
        "Stop 0.0 term dirty; Refuse c2 worker_gone: queued of 0.0 since 0; Start 0.1");
}

TEST_CASE("pool: core: sessions: one that prefers a worker gets it if it is idle, else another") {
  Script s = idle_pool(2);
  s.checkout(1, prefer(7));
  s.checkout(2);
  s.check_in({1, 0});
  s.check_in({0, 0});
  CHECK(s.checkout(3, prefer(7)) == "Grant c3 1.0");
  CHECK(s.checkout(4, prefer(7)) == "Grant c4 0.0");
  s.check_in({0, 0});
  s.check_in({1, 0});
  CHECK(s.checkout(5, prefer(7)) == "Grant c5 0.0");  // that served it last
}

TEST_CASE("pool: core: sessions: there are as many as may be, one is over when it is ended") {
  Config config;
  config.size = 2;
  config.sessions_max = 1;
  Script s = idle_pool(config);
  s.checkout(1, strict(7));
  CHECK(s.checkout(2, strict(8)).starts_with("Refuse c2 sessions_full"));
  CHECK(s.end_session(7) == "");  // it goes on for its lease, and takes no room
  CHECK(s.end_session(7) == "");
  CHECK(s.checkout(3, strict(8)) == "Grant c3 0.0");
  CHECK(s.core.gauges().sessions == 1);
  CHECK(s.check_in({1, 0}) == "SessionOver 7");
  CHECK(s.core.gauges().sessions == 1);
}

TEST_CASE("pool: core: sessions: one that was ended goes on for those who wait in it") {
  Config config;
  config.size = 2;
  Script s{config};
  s.checkout(1, strict(7));
  s.checkout(2, strict(7));
  CHECK(s.end_session(7) == "");
  CHECK(s.up({0, 0}) == "Grant c1 0.0");
  CHECK(s.up({1, 0}) == "");  // not a second worker
  CHECK(s.check_in({0, 0}) == "Grant c2 0.0");
  CHECK(s.check_in({0, 0}) == "SessionOver 7");
}

TEST_CASE("pool: core: sessions: whom a strict one belongs to, no other request changes") {
  Script s = idle_pool(2);
  s.checkout(1, strict(7));
  CHECK(s.checkout(2, prefer(7)) == "Grant c2 0.0");
  s.check_in({0, 0});
  CHECK(s.checkout(3, strict(7)) == "");
  CHECK(s.check_in({1, 0}) == "Grant c3 1.0");
  s.exited({1, 0}, {1, 0});
  CHECK(s.checkout(4, prefer(7)) == "Grant c4 0.0");
  CHECK(s.checkout(5, strict(7)).starts_with("Refuse c5 worker_gone"));
}

TEST_CASE("pool: core: sessions: whoever comes when a start is given up waits behind the others") {
  Config config;
  config.size = 2;
  config.init_mode = InitMode::blocking;
  config.breaker_failures = 0;
  config.backoff_jitter_percent = 0;
  Script s{config};
  s.checkout(1, strict(7));
  s.up({0, 0});
  s.checkout(2, 60'000);
  s.check_in({0, 0});
  CHECK(s.checkout(3, strict(7)) == "");
  s.at(5000);  // the start of 1.0 has no process yet, and its budget is over
  CHECK(s.checkout(4, strict(7)).starts_with("Grant c2 0.0"));
}

TEST_CASE("pool: core: sessions: one that nobody was served in is over with its last request") {
  Config config;
  config.size = 1;
  Script s{config};
  s.checkout(1, strict(7), 10);
  s.checkout(2, strict(7), 20);
  CHECK(s.at(10).tick() == "Refuse c1 checkout_timeout: starting of 0.0 since 0");
  CHECK(s.cancel(2) == "Refuse c2 cancelled: starting of 0.0 since 0; SessionOver 7");
  CHECK(s.core.gauges().sessions == 0);
}

TEST_CASE("pool: core: sessions: an idle one is over when its time is up, a used one is not") {
  Config config;
  config.size = 1;
  config.session_idle_timeout = 100ms;
  Script s = idle_pool(config);
  s.at(1).checkout(1, strict(7));
  CHECK(s.core.next_deadline() == kNever);
  s.at(500).check_in({0, 0});
  CHECK(s.core.next_deadline() == Time(600ms));
  s.at(599).checkout(2, strict(7));
  CHECK(s.core.next_deadline() == kNever);
  s.check_in({0, 0});
  CHECK(s.at(699).tick() == "SessionOver 7");
  CHECK(s.core.gauges().sessions == 0);
}

TEST_CASE("pool: core: sessions: a blocking pool keeps its order while it greets") {
  Config config;
  config.size = 2;
  config.init_mode = InitMode::blocking;
  Script s{config};
  s.checkout(1, strict(7));
  s.up({0, 0});
  s.checkout(2);
  s.check_in({0, 0});
  CHECK(s.core.state(0) == SlotState::idle);
  s.started({1, 0});
  CHECK(s.checkout(3, strict(7, WhenBusy::fail)) == "");  // it is not busy
  CHECK(s.good({1, 0}) == "Grant c2 1.0; Grant c3 0.0");
}

TEST_CASE("pool: core: sessions: a closing pool refuses whoever waits, for whomever") {
  Script s = idle_pool(1);
  s.checkout(1, strict(7));
  s.checkout(2, strict(7));
  s.checkout(3);
  CHECK(s.close(100).starts_with("Refuse c3 pool_closed: queued since 0; Refuse c2 pool_closed"));
  CHECK(s.checkout(4, strict(7)).starts_with("Refuse c4 pool_closed"));
}

}  // namespace
}  // namespace poolproof::pool
