#include "harness/pool/histogram.hpp"

#include <catch2/catch.hpp>

namespace poolproof::pool {
namespace {

using namespace std::chrono_literals;

/// The bucket that a span falls into.
std::size_t bucket_of(Duration span) {
  Histogram one;
  one.add(span);
  std::size_t bucket = 0;
  while (one.in(bucket) == 0) ++bucket;
  return bucket;
}

TEST_CASE("pool: histogram: a span of a bucket's bound falls into it, a longer one into the next") {
  for (std::size_t bucket = 0; bucket < Histogram::kBounds; ++bucket) {
    INFO(bucket);
    CHECK(bucket_of(Histogram::bound(bucket)) == bucket);
    CHECK(bucket_of(Histogram::bound(bucket) + 1us) == bucket + 1);
  }
  CHECK(Histogram::bound(0) == 1us);
  CHECK(Histogram::bound(Histogram::kBounds - 1) == 134'217'728us);
}

TEST_CASE("pool: histogram: no span is too short or too long") {
  CHECK(bucket_of(0us) == 0);
  CHECK(bucket_of(-1h) == 0);
  CHECK(bucket_of(24h) == Histogram::kBounds);
  CHECK(bucket_of(Duration::max()) == Histogram::kBounds);
  Histogram below;
  below.add(-1h);
  CHECK(below.sum() == 0us);
}

TEST_CASE("pool: histogram: count and sum are of all spans") {
  Histogram histogram;
  CHECK(histogram.count() == 0);
  for (const Duration span : {0us, 3us, 4us, 5us}) histogram.add(span);
  CHECK(histogram.count() == 4);
  CHECK(histogram.sum() == 12us);
  CHECK(histogram.in(0) == 1);
  CHECK(histogram.in(1) == 0);
  CHECK(histogram.in(2) == 2);
  CHECK(histogram.in(3) == 1);
}

}  // namespace
}  // namespace poolproof::pool
