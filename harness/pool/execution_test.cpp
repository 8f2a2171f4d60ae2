#include "harness/pool/execution.hpp"

#include <catch2/catch.hpp>

namespace poolproof::pool {
namespace {

using namespace std::chrono_literals;

Error error(Outcome kind, bool retryable = false) {
  Error error;
  error.kind = kind;
  error.message = "no luck";
  error.worker = WorkerId{};
  error.retryable = retryable;
  return error;
}

ExecuteOptions options(Retry retry) {
  ExecuteOptions options;
  options.timeout = 100ms;
  options.affinity = Affinity::prefer;
  options.retry = retry;
  return options;
}

bool tries_again(Retry retry, const Error& failed) {
  return Execution(options(retry), 1s, true, Time{}).try_again(failed, Time(1ms));
}

TEST_CASE("pool: execution: one limit bounds queue, call and further tries") {
  ExecuteOptions some = options(Retry::idempotent);
  some.try_timeout = 60ms;
  Execution execution(some, 1s, false, Time(10ms));
  CHECK(execution.timeout() == 100ms);
  CHECK(execution.left(Time(10ms)) == 100ms);
  CHECK(execution.call_limit(Time(20ms)) == 60ms);
  CHECK(execution.try_again(error(Outcome::call_timeout), Time(80ms)));
  CHECK(execution.left(Time(80ms)) == 30ms);
  CHECK(execution.call_limit(Time(80ms)) == 30ms);
  CHECK(execution.left(Time(200ms)) == 0ms);
  CHECK_FALSE(execution.try_again(error(Outcome::call_timeout), Time(110ms)));
  some.timeout = {};
  CHECK(Execution(some, 1s, false, Time{}).left(Time{}) == 1s);
}

TEST_CASE("pool: execution: an error tells how many tries there might have been, however many") {
  ExecuteOptions some = options(Retry::idempotent);
  some.retries_max = UINT32_MAX;
  Execution execution(some, 1s, false, Time{});
  CHECK(execution.try_again(error(Outcome::call_timeout), Time(1ms)));
  CHECK(execution.conclude(error(Outcome::call_timeout)).message ==
        "no luck (try 2 of 4294967296)");
}

TEST_CASE("pool: execution: which failures are tried again") {
  CHECK_FALSE(tries_again(Retry::never, error(Outcome::worker_died)));
  CHECK_FALSE(tries_again(Retry::never, error(Outcome::stale_worker, true)));
  CHECK(tries_again(Retry::if_unread, error(Outcome::stale_worker, true)));
  CHECK_FALSE(tries_again(Retry::if_unread, error(Outcome::worker_died)));
  for (const Outcome outcome :
       {Outcome::call_timeout, Outcome::worker_died, Outcome::stdout_closed, Outcome::stdin_closed,
        Outcome::protocol_error, Outcome::stale_worker, Outcome::lease_over}) {
    INFO(name(outcome));
    CHECK(tries_again(Retry::idempotent, error(outcome)));
  }
  for (const Outcome outcome :
       {Outcome::worker_error, Outcome::cancelled, Outcome::request_too_large, Outcome::pool_closed,
        Outcome::checkout_timeout, Outcome::worker_gone}) {
    INFO(name(outcome));
    CHECK_FALSE(tries_again(Retry::idempotent, error(outcome, true)));
  }
}

TEST_CASE("pool: execution: a strict session tries nothing again, nobody tries for ever") {
  ExecuteOptions some = options(Retry::idempotent);
  some.affinity = Affinity::strict;
  CHECK_FALSE(Execution(some, 1s, true, Time{}).try_again(error(Outcome::worker_died), Time{}));
  Execution alone(some, 1s, false, Time{});  // in no session
  CHECK(alone.try_again(error(Outcome::worker_died), Time{}));
  CHECK(alone.try_again(error(Outcome::worker_died), Time{}));
  CHECK_FALSE(alone.try_again(error(Outcome::worker_died), Time{}));
  CHECK(alone.tries() == 3);
  CHECK(alone.conclude(error(Outcome::worker_died)).message == "no luck (try 3 of 3)");
  CHECK(Execution(some, 1s, true, Time{}).conclude(error(Outcome::worker_died)).message ==
        "no luck");
}

}  // namespace
}  // namespace poolproof::pool
