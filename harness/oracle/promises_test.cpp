#include <functional>

#include "harness/oracle/oracle_testing.hpp"
#include "harness/oracle/reference_model_testing.hpp"

/// One record of the good story is changed, and one promise of the pool is broken.
namespace poolproof::oracle {
namespace {

using Catch::Matchers::StartsWith;
using pool::RemovalReason;
using pool::StopStep;

constexpr WorkerId kWorker{0, 0};

using Records = std::vector<trace::PoolRecord>;

bool says(const std::function<void(Records&)>& change, std::string_view what) {
  Story story = told("good");
  change(story.trace.pool);
  const auto findings = judge(story.evidence());
  return std::any_of(findings.begin(), findings.end(), [what](const Finding& finding) {
    UNSCOPED_INFO(finding.what);
    return finding.what.find(what) != std::string::npos;
  });
}

/// With that record, before the place in the story.
bool says_with(std::size_t place, const trace::PoolRecord& record, std::string_view what) {
  return says(
      [&](Records& all) { all.insert(all.begin() + static_cast<std::ptrdiff_t>(place), record); },
      what);
}

pool::Refuse told_of(Outcome why) {
  pool::Refuse refusal;
  refusal.checkout = CheckoutId{3};
  refusal.why = why;
  return refusal;
}

TEST_CASE("oracle: promises: a worker that has started is greeted, one that has ended forgotten") {
  CHECK(says([](Records& all) { all[1].effects.clear(); }, "had started, and was not greeted"));
  CHECK(says([](Records& all) { all[7].effects.clear(); }, "had ended, and was not forgotten"));
  CHECK(says([](Records& all) { std::swap(all[1].effects, all[0].effects); },
             "was greeted, but not because it had started"));
}

TEST_CASE("oracle: promises: a slot has one worker at a time, and counts them") {
  const auto start = [](WorkerId worker) {
    return trace::PoolRecord{ms(1.2), pool::Tick{}, {pool::Start{worker}}, 0};
  };
  CHECK(says_with(1, start({0, 1}), "was started beside another in its slot"));
  CHECK(says_with(1, start({0, 0}), "was started twice"));
  CHECK(says_with(0, start({0, 1}), "was started after 0 others in its slot"));
}

TEST_CASE(
    "oracle: promises: a lease is nobody else's, and none is given of a worker that must go") {
  const auto second = [](Records& all) -> pool::Grant& {
    return std::get<pool::Grant>(all[4].effects[0]);
  };
  CHECK(says([&](Records& all) { second(all).lease = LeaseId{1}; }, "a lease that was another's"));
  CHECK(
      says([&](Records& all) { second(all).lease = LeaseId::none; }, "a lease that was another's"));
  CHECK(says([](Records& all) { all[4].event = pool::UnsolicitedOutput{kWorker}; },
             "though it had to go"));
}

TEST_CASE("oracle: promises: a closing pool serves and starts nobody, a closed one only refuses") {
  const pool::CheckoutRequested asks{CheckoutId{3}, ms(9)};
  const trace::PoolRecord close{ms(5.5), pool::CloseRequested{ms(5009)}, {}, 0};
  CHECK(says_with(4, close, "was served by a closing pool"));
  const trace::PoolRecord start{ms(9.5), asks, {pool::Start{{0, 1}}}, 0};
  CHECK(says_with(7, start, "was started by a closing pool"));
  CHECK(says_with(8, start, "a closed pool did more than turn clients away"));
  const trace::PoolRecord refuse{ms(10.1), asks, {told_of(Outcome::pool_closed)}, 0};
  CHECK_FALSE(says_with(8, refuse, "a closed pool did more"));
}

TEST_CASE("oracle: promises: at a close every idle worker is asked at once") {
  CHECK(says([](Records& all) { all[6].effects.clear(); }, "was not pushed on"));
}

TEST_CASE("oracle: promises: on the ladder the reason stays the same") {
  const auto pushed = [](RemovalReason why, std::string_view what) {
    const pool::Stop stop{kWorker, StopStep::end_of_input, why};
    return says(
        [&](Records& all) {
          all.back().at = ms(600);
          all.insert(all.end() - 1, {ms(509.1), pool::Tick{}, {stop}, 0});
        },
        what);
  };
  CHECK(pushed(RemovalReason::dirty, "for another reason than before"));
  CHECK_FALSE(pushed(RemovalReason::closing, "worker 0.0 was pushed"));
}

TEST_CASE("oracle: promises: what a client is told of itself and of the pool is true") {
  const auto asks = [](Outcome why) {
    return trace::PoolRecord{
        ms(4.5), pool::CheckoutRequested{CheckoutId{3}, ms(2000)}, {told_of(why)}, 0};
  };
  CHECK(says_with(3, asks(Outcome::cancelled), "was told cancelled though it was not"));
  CHECK(says_with(3, asks(Outcome::pool_closed), "was told pool_closed by an open pool"));
  CHECK(says_with(3, asks(Outcome::start_failed), "while a worker lived, or would be tried"));
  const auto cancels = [](Outcome why) {
    return says(
        [why](Records& all) {
          const pool::CheckoutRequested asked{CheckoutId{3}, ms(2000)};
          const pool::CheckoutCancelled cancelled{CheckoutId{3}};
          all.insert(all.begin() + 3,
                     {{ms(4.5), asked, {}, 0}, {ms(4.6), cancelled, {told_of(why)}, 0}});
        },
        "though it was cancelled");
  };
  CHECK(cancels(Outcome::queue_full));
  CHECK(cancels(Outcome::worker_gone));
  CHECK_FALSE(cancels(Outcome::cancelled));
}

/// The Core, held against the promises at every step.
struct Held {
  explicit Held(const pool::Config& config) : core(config), witness(config, core) {}

  std::string step(Time at, const pool::Event& event) {
    effects.clear();
    core.step(at, event, effects);
    witness.see(at, event, effects);
    return pool::testing::say(effects);
  }
  std::string step(double at, const pool::Event& event) { return step(ms(at), event); }
  std::string cancel_when_due(std::uint64_t checkout) {
    return step(core.next_deadline(), pool::CheckoutCancelled{CheckoutId{checkout}});
  }
  /// Its worker starts, is leased to the first client, and comes back at that time.
  void serve_first(double at) {
    step(0, pool::Started{kWorker});
    step(0, pool::HandshakeEnded{kWorker, {}});
    const auto lease = std::get<pool::Grant>(effects.front()).lease;
    step(at, pool::CheckedIn{lease, true});
  }

  pool::Core core;
  testing::Witness witness;
  std::vector<pool::Effect> effects;
};

pool::CheckoutRequested strict(std::uint64_t checkout, pool::WhenBusy when_busy) {
  const pool::SessionUse use{SessionId{7}, pool::Affinity::strict, when_busy};
  return {CheckoutId{checkout}, kNever, use};
}

TEST_CASE("oracle: promises: what fell due as a client was cancelled came before that") {
  pool::Config config;
  config.start = pool::StartMode::lazy;
  SECTION("its worker was given to another of its session") {
    config.size = 2;
    config.init_mode = pool::InitMode::blocking;  // nobody is served while one starts
    Held held(config);
    held.step(0, pool::CheckoutRequested{CheckoutId{1}, kNever});
    held.step(0, pool::CheckoutRequested{CheckoutId{2}, ms(5)});
    held.serve_first(5);
    held.step(5, strict(3, pool::WhenBusy::wait));
    held.step(5, strict(4, pool::WhenBusy::fail));
    CHECK_THAT(held.cancel_when_due(4), StartsWith("Grant c3 0.0; Refuse c4 worker_busy"));
  }
  SECTION("its worker was put away") {
    config.size = 1;
    config.idle_ping_interval = 1s;
    Held held(config);
    held.step(0, strict(1, pool::WhenBusy::wait));
    held.serve_first(0);
    CHECK_THAT(held.step(1000, pool::Tick{}), StartsWith("Ping 0.0"));
    held.step(1000, strict(2, pool::WhenBusy::wait));
    CHECK_THAT(held.cancel_when_due(2),
               StartsWith("Stop 0.0 term ping_failed; Refuse c2 worker_gone"));
  }
}

}  // namespace
}  // namespace poolproof::oracle
