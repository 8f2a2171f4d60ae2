#include "harness/base/choices.hpp"

#include <array>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

namespace poolproof {
namespace {

std::vector<std::uint32_t> some(Choices& choices) {
  std::vector<std::uint32_t> chosen;
  for (std::uint32_t bound = 1; bound < 40; ++bound) chosen.push_back(choices.below(bound));
  return chosen;
}

}  // namespace

// The numbers come from a second implementation (Python), as those of the random source do.
TEST_CASE("base: choices: a seed gives the same choices with every compiler") {
  auto choices = Choices::random(0x5eed, "pool");
  std::vector<std::uint32_t> chosen;
  for (int i = 0; i < 8; ++i) chosen.push_back(choices.below(1000));
  CHECK(chosen == std::vector<std::uint32_t>{369, 452, 29, 813, 292, 0, 629, 54});
  CHECK(choices.taken() == chosen);
}

TEST_CASE("base: choices: what was taken makes the same choices again") {
  auto first = Choices::random(7, "x");
  const auto chosen = some(first);
  auto again = Choices::replayed(first.taken());
  CHECK(some(again) == chosen);
  CHECK(again.taken() == first.taken());
}

TEST_CASE("base: choices: after the end of a sequence every choice is the smallest") {
  auto choices = Choices::replayed({3});
  CHECK(choices.below(4) == 3);
  CHECK(choices.below(4) == 0);
  CHECK_FALSE(choices.one_in(2));
  const std::array<std::uint32_t, 3> weights{0, 2, 5};
  CHECK(choices.weighted(weights) == 1);
  CHECK(choices.taken() == std::vector<std::uint32_t>{3, 0, 0, 0});
}

TEST_CASE("base: choices: a number too large counts modulo the bound") {
  auto choices = Choices::replayed({6, 4'000'000'000});
  CHECK(choices.below(4) == 2);
  CHECK(choices.below(UINT32_MAX) == 4'000'000'000);
  CHECK(choices.taken() == std::vector<std::uint32_t>{2, 4'000'000'000});
}

TEST_CASE("base: choices: one way is no choice") {
  auto choices = Choices::replayed({1});
  CHECK(choices.below(1) == 0);
  CHECK(choices.one_in(1));
  const std::array<std::uint32_t, 2> nothing{0, 0};
  CHECK(choices.weighted(nothing) == 0);
  CHECK(choices.taken().empty());
  CHECK(choices.below(2) == 1);
}

TEST_CASE("base: choices: every way is taken about as often as its weight says") {
  auto choices = Choices::random(1, "weights");
  const std::array<std::uint32_t, 4> weights{1, 0, 2, 5};
  std::array<int, 4> seen{};
  int hits = 0;
  std::array<int, 5> plain{};
  for (int i = 0; i < 8000; ++i) {
    ++seen[choices.weighted(weights)];
    if (choices.one_in(8)) ++hits;
    ++plain[choices.below(5)];
  }
  CHECK(seen[0] == Approx(1000).margin(150));
  CHECK(seen[1] == 0);
  CHECK(seen[2] == Approx(2000).margin(200));
  CHECK(seen[3] == Approx(5000).margin(250));
  CHECK(hits == Approx(1000).margin(150));
  for (const int times : plain) CHECK(times == Approx(1600).margin(200));
}

TEST_CASE("base: choices: the streams of a book do not touch one another") {
  auto one = ChoiceBook::random(5);
  const auto pool = some(one.stream("pool"));
  const auto client = some(one.stream("client.1"));
  CHECK(pool != client);

  auto other = ChoiceBook::random(5);
  CHECK(some(other.stream("client.1")) == client);
  CHECK(some(other.stream("pool")) == pool);
  CHECK(other.taken() == one.taken());
  CHECK(some(other.stream("pool")) != pool);  // the stream goes on where it was
}

TEST_CASE("base: choices: a book is replayed stream by stream") {
  auto book = ChoiceBook::random(6);
  const auto pool = some(book.stream("pool"));
  some(book.stream("client.1"));
  auto sequences = book.taken();
  sequences.erase("client.1");

  auto again = ChoiceBook::replayed(sequences);
  CHECK(some(again.stream("pool")) == pool);
  CHECK(some(again.stream("client.1")) == std::vector<std::uint32_t>(39, 0));
}

TEST_CASE("base: choices: a stream stays where it is while others come") {
  auto book = ChoiceBook::random(8);
  Choices& first = book.stream("first");
  for (int i = 0; i < 100; ++i) book.stream("other." + std::to_string(i));
  CHECK(&book.stream("first") == &first);
}

TEST_CASE("base: choices: a book begun anew is like a new one") {
  auto book = ChoiceBook::replayed({{"pool", {9, 9, 9}}});
  some(book.stream("pool"));
  some(book.stream("old"));
  book.restart(3);
  auto fresh = ChoiceBook::random(3);
  CHECK(some(book.stream("pool")) == some(fresh.stream("pool")));
  CHECK(book.taken() == fresh.taken());
}

}  // namespace poolproof
