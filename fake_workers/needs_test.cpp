#include "fake_workers/needs.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::faults;

namespace {

std::string refusal(std::string_view fault, const Between& between) {
  return cannot_strike(*find(fault), between);
}

Between on(wire::Wire wire) {
  return {.framing = {.wire = wire}};
}

}  // namespace

TEST_CASE("fake_workers: needs: every fault but two can strike between, on a prefix wire") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    const bool can = fault.moment != Moment::launch && fault.name != "header_malformed";
    CHECK(cannot_strike(fault, on(wire::Wire::prefix)).empty() == can);
  }
}

TEST_CASE("fake_workers: needs: only what lies of text that is no ASCII spares a greeting") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    CHECK(can_strike_at_greeting(fault) == (fault.name != "length_in_characters"));
  }
}

TEST_CASE("fake_workers: needs: what a wire or a speech has not can't be spoilt") {
  using wire::Wire;
  CHECK_THAT(refusal("length_zero", on(Wire::lines)), Catch::Contains("prefix, varint or headers"));
  CHECK(refusal("length_zero", on(Wire::headers)).empty());
  CHECK_THAT(refusal("header_malformed", on(Wire::varint)), Catch::Contains("varint has not"));
  CHECK(refusal("header_malformed", on(Wire::headers)).empty());
  CHECK_THAT(refusal("length_little_endian", on(Wire::varint)), Catch::Contains("varint has not"));
  Between one_byte = on(Wire::prefix);
  one_byte.framing.prefix_bytes = 1;
  CHECK_FALSE(refusal("length_little_endian", one_byte).empty());
  CHECK_THAT(refusal("length_over_limit", one_byte), Catch::Contains("--max-frame-bytes"));
  CHECK_FALSE(refusal("input_read_as_lines", on(Wire::lines)).empty());
  CHECK_FALSE(refusal("input_read_as_lines", on(Wire::node_ipc)).empty());
  CHECK_FALSE(refusal("length_huge", on(Wire::node_ipc)).empty());
  const Between opaque{.json = false, .says_success = false, .says_goodbye = false};
  CHECK_THAT(refusal("id_wrong", opaque), Catch::Contains("json_rpc or bridge"));
  CHECK_THAT(refusal("success_missing", opaque), Catch::Contains("bridge"));
  CHECK_THAT(refusal("shutdown_not_obeyed", opaque), Catch::Contains("lsp"));
  CHECK(refusal("reply_dropped", opaque).empty());
}
