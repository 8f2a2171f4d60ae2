#include "harness/worlds/board.hpp"

#include <thread>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::worlds;
using scenario::WorkerMoment;

namespace {

constexpr Duration kHang = std::chrono::seconds(60);
constexpr Duration kNow = Duration::zero();
constexpr WorkerId kWorker{0, 0};

pool::HandshakeEnded greeted(StartCause cause) {
  pool::HandshakeEnded event{kWorker, {}};
  event.evidence.cause = cause;
  return event;
}

}  // namespace

TEST_CASE("run: board: who waits for a step is woken when it begins or ends, not before") {
  Board board;
  CHECK_FALSE(board.await_step("a", 1, false, kNow));
  std::thread other([&] { board.step_begun("a", 1); });
  CHECK(board.await_step("a", 1, false, kHang));
  other.join();
  CHECK_FALSE(board.await_step("a", 1, true, kNow));
  CHECK_FALSE(board.await_step("b", 1, false, kNow));
  CHECK_FALSE(board.await_step("a", 2, false, kNow));
  board.step_ended("a", 1);
  CHECK(board.await_step("a", 1, true, kNow));
}

TEST_CASE("run: board: a client that is done is done for all who ask") {
  Board board;
  CHECK_FALSE(board.await_done("a", kNow));
  std::thread other([&] { board.client_done("a"); });
  CHECK(board.await_done("a", kHang));
  other.join();
  CHECK(board.await_done("a", kNow));
  CHECK_FALSE(board.await_done("b", kNow));
}

TEST_CASE("run: board: a worker is started, ready and idle, leased, idle again, gone") {
  Board board;
  const auto is = [&](WorkerMoment moment) { return board.await_worker(kWorker, moment, kNow); };
  CHECK_FALSE(is(WorkerMoment::started));
  board.observed(pool::Started{kWorker}, {});
  CHECK(is(WorkerMoment::started));
  CHECK_FALSE(is(WorkerMoment::ready));
  board.observed(greeted(StartCause::none), {});
  CHECK(is(WorkerMoment::ready));
  CHECK(is(WorkerMoment::idle));
  pool::Grant grant{};
  grant.worker = kWorker;
  grant.lease = LeaseId{8};
  const pool::Effect effects[] = {grant};
  board.observed(pool::Tick{}, effects);
  CHECK_FALSE(is(WorkerMoment::idle));
  CHECK(is(WorkerMoment::ready));
  board.observed(pool::CheckedIn{LeaseId{7}, true}, {});
  CHECK_FALSE(is(WorkerMoment::idle));
  board.observed(pool::CheckedIn{LeaseId{8}, true}, {});
  CHECK(is(WorkerMoment::idle));
  CHECK_FALSE(is(WorkerMoment::exited));
  board.observed(pool::Exited{kWorker, {}}, {});
  CHECK(is(WorkerMoment::exited));
  CHECK_FALSE(board.await_worker({0, 1}, WorkerMoment::started, kNow));
}

TEST_CASE("run: board: a bad greeting makes no ready worker, a dirty check-in no idle one") {
  Board board;
  board.observed(greeted(StartCause::refused), {});
  CHECK_FALSE(board.await_worker(kWorker, WorkerMoment::ready, kNow));
  pool::Grant grant{};
  grant.worker = kWorker;
  grant.lease = LeaseId{8};
  const pool::Effect effects[] = {grant};
  board.observed(greeted(StartCause::none), effects);
  board.observed(pool::CheckedIn{LeaseId{8}, false}, {});
  CHECK_FALSE(board.await_worker(kWorker, WorkerMoment::idle, kNow));
}

TEST_CASE("run: board: every event of the pool wakes whoever waits for one more") {
  Board board;
  CHECK(board.events() == 0);
  CHECK_FALSE(board.await_events_after(0, kNow));
  std::thread other([&] { board.observed(greeted(StartCause::refused), {}); });
  CHECK(board.await_events_after(0, kHang));
  other.join();
  CHECK(board.events() == 1);
  CHECK_FALSE(board.await_events_after(1, kNow));
}
