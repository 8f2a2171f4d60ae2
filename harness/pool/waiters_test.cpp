#include "harness/pool/waiters.hpp"

#include <vector>

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
  CHECK(waiters.pop_first(kAnyWorker).checkout == CheckoutId{1});
  CHECK(waiters.pop_first(kAnyWorker).checkout == CheckoutId{2});
  CHECK(waiters.pop_first(kAnyWorker).checkout == CheckoutId{3});
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
  CHECK(waiters.pop_first(kAnyWorker).checkout == CheckoutId{1});
  CHECK(waiters.pop_first(kAnyWorker).checkout == CheckoutId{3});
}

TEST_CASE(
    "pool: waiters: each line has its own order, whoever joins it late stands where he came") {
  Waiters waiters(5);
  Waiter bound = waiter(2, kNever);
  bound.only = WorkerId{3, 0};
  waiters.push(waiter(1, kNever));
  waiters.push(waiter(4, kNever));
  waiters.push(bound);
  for (const std::uint64_t checkout : {5U, 3U}) {
    bound.checkout = CheckoutId{checkout};
    waiters.push(bound);
  }
  CHECK(waiters.size() == 5);
  CHECK(waiters.size_of_any() == 2);
  CHECK(waiters.empty(2));
  std::vector<std::uint64_t> line;
  waiters.for_each(
      3, [&line](const Waiter& one) { line.push_back(static_cast<std::uint64_t>(one.checkout)); });
  CHECK(line == std::vector<std::uint64_t>{2, 3, 5});
  CHECK(waiters.first(kAnyWorker).checkout == CheckoutId{1});
  CHECK(waiters.pop_first(3).checkout == CheckoutId{2});
  CHECK(waiters.remove(CheckoutId{5}));
  CHECK(waiters.first(3).checkout == CheckoutId{3});
}

TEST_CASE("pool: waiters: a queue is full at its limit and takes again when one has left") {
  Waiters waiters(1);
  waiters.push(waiter(1, kNever));
  CHECK(waiters.full());
  waiters.pop_first(kAnyWorker);
  CHECK_FALSE(waiters.full());
  waiters.push(waiter(2, kNever));
  CHECK(waiters.contains(CheckoutId{2}));
}

}  // namespace
}  // namespace poolproof::pool
