#include "harness/worlds/milestones.hpp"

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

TEST_CASE("run: milestones: who waits for a step is woken when it begins or ends, not before") {
  Milestones milestones;
  CHECK_FALSE(milestones.await(Progress::begun, "a", 1, kNow));
  std::thread other([&] { milestones.note(Progress::begun, "a", 1); });
  CHECK(milestones.await(Progress::begun, "a", 1, kHang));
  other.join();
  CHECK_FALSE(milestones.await(Progress::ended, "a", 1, kNow));
  CHECK_FALSE(milestones.await(Progress::begun, "b", 1, kNow));
  CHECK_FALSE(milestones.await(Progress::begun, "a", 2, kNow));
  milestones.note(Progress::ended, "a", 1);
  CHECK(milestones.await(Progress::ended, "a", 1, kNow));
}

TEST_CASE("run: milestones: a client that is done is done for all who ask") {
  Milestones milestones;
  CHECK_FALSE(milestones.await(Progress::done, "a", 0, kNow));
  std::thread other([&] { milestones.note(Progress::done, "a", 0); });
  CHECK(milestones.await(Progress::done, "a", 0, kHang));
  other.join();
  CHECK(milestones.await(Progress::done, "a", 0, kNow));
  CHECK_FALSE(milestones.await(Progress::done, "b", 0, kNow));
}

TEST_CASE("run: milestones: a worker is started, ready and idle, leased, idle again, gone") {
  Milestones milestones;
  const auto is = [&](WorkerMoment moment) {
    return milestones.await_worker(kWorker, moment, kNow);
  };
  CHECK_FALSE(is(WorkerMoment::started));
  milestones.observed(pool::Started{kWorker}, {});
  CHECK(is(WorkerMoment::started));
  CHECK_FALSE(is(WorkerMoment::ready));
  milestones.observed(greeted(StartCause::none), {});
  CHECK(is(WorkerMoment::ready));
  CHECK(is(WorkerMoment::idle));
  pool::Grant grant{};
  grant.worker = kWorker;
  grant.lease = LeaseId{8};
  const pool::Effect effects[] = {grant};
  milestones.observed(pool::Tick{}, effects);
  CHECK_FALSE(is(WorkerMoment::idle));
  CHECK(is(WorkerMoment::ready));
  milestones.observed(pool::CheckedIn{LeaseId{7}, true}, {});
  CHECK_FALSE(is(WorkerMoment::idle));
  milestones.observed(pool::CheckedIn{LeaseId{8}, true}, {});
  CHECK(is(WorkerMoment::idle));
  CHECK_FALSE(is(WorkerMoment::exited));
  milestones.observed(pool::Exited{kWorker, {}}, {});
  CHECK(is(WorkerMoment::exited));
  CHECK_FALSE(milestones.await_worker({0, 1}, WorkerMoment::started, kNow));
}

TEST_CASE("run: milestones: a bad handshake makes no ready worker, a dirty check-in no idle one") {
  Milestones milestones;
  milestones.observed(greeted(StartCause::refused), {});
  CHECK_FALSE(milestones.await_worker(kWorker, WorkerMoment::ready, kNow));
  pool::Grant grant{};
  grant.worker = kWorker;
  grant.lease = LeaseId{8};
  const pool::Effect effects[] = {grant};
  milestones.observed(greeted(StartCause::none), effects);
  milestones.observed(pool::CheckedIn{LeaseId{8}, false}, {});
  CHECK_FALSE(milestones.await_worker(kWorker, WorkerMoment::idle, kNow));
}

TEST_CASE("run: milestones: every event of the pool wakes whoever waits for one more") {
  Milestones milestones;
  CHECK(milestones.events() == 0);
  CHECK_FALSE(milestones.await_events_after(0, kNow));
  std::thread other([&] { milestones.observed(greeted(StartCause::refused), {}); });
  CHECK(milestones.await_events_after(0, kHang));
  other.join();
  CHECK(milestones.events() == 1);
  CHECK_FALSE(milestones.await_events_after(1, kNow));
}
