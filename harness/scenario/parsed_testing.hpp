#pragma once

#include <string>
#include <utility>

#include <catch2/catch.hpp>

#include "harness/scenario/scenario.hpp"

/// Small scenarios for the tests of every room above this one.
namespace poolproof::scenario::testing {

/// One client, one echo; `call` is what is expected of it: `ok`, or an object.
inline std::string echo_text(const std::string& call, const std::string& more = "",
                             const std::string& name = "echo") {
  const std::string expected = call == "ok" ? R"("ok")" : call;
  return R"({"schema_version":1,"name":")" + name +
         R"(","why":"one echo, so that there is something to judge","pool":{"size":1},)"
         R"("workers":[{"kind":"fake"}],"clients":[{"name":"a","steps":[{"checkout":{}},)"
         R"({"call":{"command":"echo"}},{"checkin":{}}]}],"expect":{"a":["granted",)" +
         expected + R"(,"returned"]})" + more + "}";
}

inline Scenario parsed(const std::string& text) {
  auto scenario = read_scenario(text, "echo.json");
  if (!scenario) FAIL(scenario.error().line());
  return std::move(*scenario);
}

/// With JSON its request is too large for a frame, and nobody goes on; with terse messages it has
/// more moves than a sweep's case may have.
inline Scenario endless_with_terse_messages() {
  return parsed(R"({
    "schema_version": 1, "name": "x", "why": "JSON is longer than terse messages are",
    "pool": {"size": 1, "max_frame_bytes": 190},
    "workers": [{"kind": "fake"}],
    "clients": [
      {"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo", "pad_bytes": 130}},
        {"checkin": {}}]},
      {"name": "b", "repeat": 100000, "steps": [{"await": {"fault": "reply_slow"}},
        {"pause": {"span_ms": 0}}]}
    ],
    "faults": [{"fault": "reply_slow", "at": {"client": "a", "call": 1}, "delay_ms": 50}],
    "expect": {"any_success": true}})");
}

}  // namespace poolproof::scenario::testing
