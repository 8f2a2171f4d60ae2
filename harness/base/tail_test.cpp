#include "harness/base/tail.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;

TEST_CASE("base: tail: it keeps the last bytes and counts all") {
  Tail tail(5);
  tail.append("ab");
  tail.append("cd");
  CHECK(tail.text() == "abcd");
  tail.append("ef");
  CHECK(tail.text() == "bcdef");
  tail.append("0123456789");
  CHECK(tail.text() == "56789");
  tail.append("");
  CHECK(tail.text() == "56789");
  CHECK(tail.total_bytes() == 16);
  Tail none(0);
  none.append("abc");
  CHECK(none.text().empty());
  CHECK(none.total_bytes() == 3);
}
