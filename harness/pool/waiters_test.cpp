#include "harness/pool/waiters.hpp"

#include <catch2/catch.hpp>

#include "harness/pool/config.hpp"

namespace poolproof::pool {
namespace {

Waiter waiter(std::uint64_t checkout, Time deadline) {
  return {CheckoutId{checkout}, Time{}, deadline};
}

TEST_CASE("pool: waiters: the first come is the first out") {
  Waiters waiters(3);
  waiters.push(waiter(1, Time(30ms)));
  waiters.push(waiter(2, kNever));
  waiters.push(waiter(3, Time(10ms)));
  CHECK(waiters.size() == 3);
  CHECK(waiters.pop_first().checkout == CheckoutId{1});
  CHECK(waiters.pop_first().checkout == CheckoutId{2});
  CHECK(waiters.pop_first().checkout == CheckoutId{3});
  CHECK(waiters.empty());
}

TEST_CASE("pool: waiters: the earliest deadline is at hand, of equal ones the first come") {
  Waiters waiters(4);
  CHECK(waiters.earliest_deadline() == kNever);
  waiters.push(waiter(1, Time(30ms)));
  waiters.push(waiter(2, Time(10ms)));
  waiters.push(waiter(3, Time(10ms)));
  CHECK(waiters.earliest_deadline() == Time(10ms));
  CHECK(waiters.pop_earliest().checkout == CheckoutId{2});
  CHECK(waiters.pop_earliest().checkout == CheckoutId{3});
  CHECK(waiters.pop_earliest().checkout == CheckoutId{1});
}

TEST_CASE("pool: waiters: who leaves from the middle is gone") {
  Waiters waiters(3);
  for (const std::uint64_t checkout : {1U, 2U, 3U}) waiters.push(waiter(checkout, Time(10ms)));
  const auto removed = waiters.remove(CheckoutId{2});
  REQUIRE(removed.has_value());
  CHECK(removed->checkout == CheckoutId{2});
  CHECK_FALSE(waiters.remove(CheckoutId{2}).has_value());
  CHECK_FALSE(waiters.contains(CheckoutId{2}));
  CHECK(waiters.pop_first().checkout == CheckoutId{1});
  CHECK(waiters.pop_first().checkout == CheckoutId{3});
}

TEST_CASE("pool: waiters: a queue is full at its limit and takes again when one has left") {
  Waiters waiters(1);
  waiters.push(waiter(1, kNever));
  CHECK(waiters.full());
  waiters.pop_first();
  CHECK_FALSE(waiters.full());
  waiters.push(waiter(2, kNever));
  CHECK(waiters.contains(CheckoutId{2}));
}

}  // namespace
}  // namespace poolproof::pool
