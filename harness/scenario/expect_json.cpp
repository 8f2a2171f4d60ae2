
#include <algorithm>

#include <nlohmann/json.hpp>

#include "harness/base/signals.hpp"
#include "harness/scenario/scenario_json.hpp"

namespace poolproof::scenario {
namespace {

/// The words for a step that came to what it should, such as "granted".
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
  const auto any_of = node.find("any_of");
  if (!any_of || node.find("error")) return {read_one(node)};
  static constexpr std::array<std::string_view, 1> kKeys{"any_of"};
  if (!node.object(kKeys)) return {};
  return read_all(*any_of, 1, read_one);
}

/// Reads one name, or a list of at least one.
template <class Enum>
std::vector<Enum> read_any_of(const JsonNode& node, std::span<const std::string_view> names) {
  std::vector<Enum> any_of;
  const auto listed = node.is_array() ? node.elements(1) : std::vector<JsonNode>{node};
  for (const JsonNode& one : listed) any_of.push_back(static_cast<Enum>(one.choice(names)));
  return any_of;
}

/// Reads an exit status: an exit code, or {"signal": a number or a name}.
ExitStatus read_exit(const JsonNode& node) {
  constexpr int kExitCodeMax = 255;
  ExitStatus exit;
  if (!node.is_object()) {
    exit.code = static_cast<int>(node.whole(0, kExitCodeMax));
    return exit;
  }
  static constexpr std::array<std::string_view, 1> kKeys{"signal"};
  if (!node.object(kKeys)) return exit;
  const auto signal = node.need("signal", "its name or number, as \"KILL\"");
  if (!signal) return exit;
  exit.signal = signal->is_text() ? kSignalNumbers[signal->choice(kSignalNames)]
                                  : static_cast<int>(signal->whole(1, kSignalMax));
  return exit;
}

ExpectedFate read_fate(const JsonNode& node) {
  static constexpr std::array<std::string_view, 5> kKeys{"slot", "generation", "fate", "by",
                                                         "exit"};
  ExpectedFate fate;
  if (!node.object(kKeys)) return fate;
  fate.worker = read_worker_id(node);
  if (const auto value = node.need("fate", "closed, killed, died or unborn")) {
    fate.any_of = read_any_of<Fate>(*value, kFateNames);
  }
  if (const auto by = node.find("by")) fate.by = read_any_of<Farewell>(*by, kFarewellNames);
  if (const auto exit = node.find("exit")) fate.exit = read_exit(*exit);
  return fate;
}

OrderedJson write_one(const ExpectedOne& one, const Step& step) {
  if (one.skipped) return "skipped";
  if (one.outcome == Outcome::ok) return good_word(step);
  OrderedJson json{{"error", name(one.outcome)}};
  if (one.phase) json["phase"] = name(*one.phase);
  if (one.cause) json["cause"] = name(*one.cause);
  if (!one.says.empty()) json["says"] = one.says;
  return json;
}

OrderedJson write_expected(const Expected& expected, const Step& step) {
  if (expected.size() == 1) return write_one(expected.front(), step);
  OrderedJson any_of = OrderedJson::array();
  for (const ExpectedOne& one : expected) any_of.push_back(write_one(one, step));
  return {{"any_of", any_of}};
}

OrderedJson write_steps(const std::vector<Expected>& expected, const Client& client) {
  OrderedJson json = OrderedJson::array();
  std::size_t next = 0;
  for (const Step& step : client.steps) {
    if (!has_outcome(kind(step)) || next == expected.size()) continue;
    json.push_back(write_expected(expected[next++], step));
  }
  return json;
}

template <class Enum, class Names>
OrderedJson write_any_of(const std::vector<Enum>& any_of, const Names& names) {
  OrderedJson json = OrderedJson::array();
  for (const Enum one : any_of) json.push_back(names[static_cast<std::size_t>(one)]);
  return json.size() == 1 ? json.front() : json;
}

OrderedJson write_exit(ExitStatus exit) {
  if (exit.signal == 0) return exit.code;
  const auto* const known = std::ranges::find(kSignalNumbers, exit.signal);
  if (known == kSignalNumbers.end()) return {{"signal", exit.signal}};
  return {{"signal", kSignalNames[static_cast<std::size_t>(known - kSignalNumbers.begin())]}};
}

OrderedJson write_fate(const ExpectedFate& fate) {
  OrderedJson json = write_worker_id(fate.worker);
  json["fate"] = write_any_of(fate.any_of, kFateNames);
  if (!fate.by.empty()) json["by"] = write_any_of(fate.by, kFarewellNames);
  if (fate.exit) json["exit"] = write_exit(*fate.exit);
  return json;
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
      expect.workers = read_all(value, 0, read_fate);
    } else {
      expect.clients[key] = read_all(value, 0, read_expected);
    }
  }
  return expect;
}

OrderedJson write_expectations(const Scenario& scenario) {
  OrderedJson json = OrderedJson::object();
  for (const Client& client : scenario.clients) {
    const auto expected = scenario.expect.clients.find(client.name);
    if (expected == scenario.expect.clients.end()) continue;
    json[client.name] = write_steps(expected->second, client);
  }
  for (const ExpectedFate& fate : scenario.expect.workers) {
    json["workers"].push_back(write_fate(fate));
  }
  if (scenario.expect.no_success) json["no_success"] = true;
  if (scenario.expect.any_success) json["any_success"] = true;
  return json;
}

}  // namespace poolproof::scenario
