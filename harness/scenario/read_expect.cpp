#include <algorithm>

#include <fmt/format.h>

#include "harness/scenario/read_parts.hpp"

namespace poolproof::scenario {
namespace {

/// The words for a step that came to what it should.
constexpr std::array<std::string_view, 6> kWords{"granted", "ok",     "returned",
                                                 "thrown",  "closed", "skipped"};

ExpectedOne read_error(const JsonNode& node) {
  static constexpr std::array<std::string_view, 5> kKeys{"error", "phase", "cause", "says",
                                                         "any_of"};
  ExpectedOne one;
  if (!node.object(kKeys)) return one;
  if (const auto error = node.need("error", "what went wrong, as \"call_timeout\"")) {
    one.outcome = static_cast<Outcome>(error->choice(kOutcomeNames));
    if (one.outcome == Outcome::ok) error->wrong("is \"ok\"", "an error, or the text \"ok\"");
  }
  if (const auto phase = node.find("phase")) {
    one.phase = static_cast<Phase>(phase->choice(kPhaseNames));
  }
  if (const auto cause = node.find("cause")) {
    one.cause = static_cast<StartCause>(cause->choice(kStartCauseNames));
  }
  if (const auto says = node.find("says")) one.says = says->text();
  if (node.find("any_of")) node.wrong("has both \"error\" and \"any_of\"", "one of them");
  return one;
}

ExpectedOne read_one(const JsonNode& node) {
  if (!node.is_text()) return read_error(node);
  ExpectedOne one;
  one.skipped = kWords[node.choice(kWords)] == "skipped";
  return one;
}

Expected read_expected(const JsonNode& node) {
  Expected expected;
  const auto any_of = node.find("any_of");
  if (!any_of || node.find("error")) return {read_one(node)};
  static constexpr std::array<std::string_view, 1> kKeys{"any_of"};
  if (!node.object(kKeys)) return expected;
  for (const JsonNode& one : any_of->elements(1)) expected.push_back(read_one(one));
  return expected;
}

ExpectedFate read_fate(const JsonNode& node) {
  static constexpr std::array<std::string_view, 3> kKeys{"slot", "generation", "fate"};
  ExpectedFate fate;
  if (!node.object(kKeys)) return fate;
  fate.worker = read_worker_id(node);
  const auto value = node.need("fate", "closed, killed, died or unborn");
  if (!value) return fate;
  const std::vector<JsonNode> names =
      value->is_array() ? value->elements(1) : std::vector<JsonNode>{*value};
  for (const JsonNode& name : names) {
    fate.any_of.push_back(static_cast<Fate>(name.choice(kFateNames)));
  }
  return fate;
}

}  // namespace

Expectations read_expectations(const JsonNode& node) {
  Expectations expect;
  if (!node.is_object()) node.not_a("an object: what each client's steps come to");
  for (const std::string& key : node.keys()) {
    const JsonNode value = *node.find(key);
    if (key == "no_success") {
      expect.no_success = value.flag();
    } else if (key == "any_success") {
      expect.any_success = value.flag();
    } else if (key == "workers") {
      for (const JsonNode& fate : value.elements()) expect.workers.push_back(read_fate(fate));
    } else {
      std::vector<Expected>& steps = expect.clients[key];
      for (const JsonNode& step : value.elements()) steps.push_back(read_expected(step));
    }
  }
  return expect;
}

}  // namespace poolproof::scenario
