#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/scenario/pool_options.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/scenario/signals.hpp"

namespace poolproof::scenario {
namespace {

using Json = nlohmann::ordered_json;

template <class Enum, class Names>
std::string_view named_in(const Names& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

/// Only what differs from the default.
Json write_pool(const PoolSpec& pool) {
  const PoolSpec defaults;
  Json json = Json::object();
  for (const PoolOption& option : pool_options()) {
    const std::int64_t value = option.get(pool);
    if (value == option.get(defaults)) continue;
    if (option.unit == pool::Unit::choice) {
      json[option.name] = option.names[static_cast<std::size_t>(value)];
    } else {
      json[option.name] = value;
    }
  }
  return json;
}

Json write_worker(const WorkerSpec& worker) {
  Json json{{"kind", named_in(kWorkerKindNames, worker.kind)}};
  if (!worker.argv.empty()) json["argv"] = worker.argv;
  if (!worker.env.empty()) json["env"] = worker.env;
  return json;
}

Json with_timeout(Json json, const std::optional<Duration>& timeout) {
  if (timeout) json["timeout_ms"] = to_ms(*timeout);
  return json;
}

Json write_id(const WorkerId& worker) {
  return {{"slot", worker.slot}, {"generation", worker.generation}};
}

Json write_signal(int signal) {
  for (const auto& [name, number] : kSignals) {
    if (number == signal) return name;
  }
  return signal;
}

Json body(const Checkout& step) {
  return with_timeout(Json::object(), step.timeout);
}
Json body(const Call& step) {
  Json json{{"command", step.command}};
  if (!step.args->empty()) json["args"] = *step.args;
  json = with_timeout(std::move(json), step.timeout);
  if (step.pad_bytes > 0) json["pad_bytes"] = step.pad_bytes;
  return json;
}
Json body(const CallBytes& step) {
  return with_timeout({{"text", step.text}}, step.timeout);
}
Json body(const Checkin& /*step*/) {
  return Json::object();
}
Json body(const Throw& /*step*/) {
  return Json::object();
}
Json body(const AwaitClient& step) {
  return {{"client", step.client}, {"step", step.step}, {"moment", step.ended ? "ended" : "begun"}};
}
Json body(const AwaitWorker& step) {
  return {{"worker", write_id(step.worker)}, {"moment", named_in(kWorkerMomentNames, step.moment)}};
}
Json body(const AwaitFault& step) {
  return {{"fault", step.fault}};
}
Json body(const Pause& step) {
  return {{"span_ms", to_ms(step.span)}};
}
Json body(const Cancel& step) {
  return {{"client", step.client}};
}
Json body(const SignalWorker& step) {
  Json json = write_id(step.worker);
  json["signal"] = write_signal(step.signal);
  return json;
}
Json body(const Close& step) {
  return with_timeout(Json::object(), step.timeout);
}

Json write_step(const Step& step) {
  Json json = Json::object();
  json[name(kind(step))] = std::visit([](const auto& kind) { return body(kind); }, step);
  return json;
}

Json write_client(const Client& client) {
  Json json{{"name", client.name}};
  if (!client.after.empty()) json["after"] = client.after;
  if (client.count > 1) json["count"] = client.count;
  if (client.repeat > 1) json["repeat"] = client.repeat;
  json["steps"] = Json::array();
  for (const Step& step : client.steps) json["steps"].push_back(write_step(step));
  return json;
}

Json write_planned(const faults::PlannedFault& fault) {
  const nlohmann::json written = faults::write_fault(fault);
  Json json{{"fault", written.at("fault")}, {"at", written.at("at")}};
  for (const auto& item : written.items()) {
    if (item.key() != "id") json[item.key()] = item.value();
  }
  return json;
}

Json write_one(const ExpectedOne& one, const Step& step) {
  if (one.skipped) return "skipped";
  if (one.outcome == Outcome::ok) return good_word(step);
  Json json{{"error", name(one.outcome)}};
  if (one.phase) json["phase"] = name(*one.phase);
  if (one.cause) json["cause"] = name(*one.cause);
  if (!one.says.empty()) json["says"] = one.says;
  return json;
}

Json write_expected(const Expected& expected, const Step& step) {
  if (expected.size() == 1) return write_one(expected.front(), step);
  Json any_of = Json::array();
  for (const ExpectedOne& one : expected) any_of.push_back(write_one(one, step));
  return {{"any_of", any_of}};
}

Json write_steps(const std::vector<Expected>& expected, const Client& client) {
  Json json = Json::array();
  std::size_t next = 0;
  for (const Step& step : client.steps) {
    if (!has_outcome(kind(step)) || next == expected.size()) continue;
    json.push_back(write_expected(expected[next++], step));
  }
  return json;
}

Json write_fate(const ExpectedFate& fate) {
  Json json = write_id(fate.worker);
  Json names = Json::array();
  for (const Fate one : fate.any_of) names.push_back(named_in(kFateNames, one));
  json["fate"] = names.size() == 1 ? names.front() : names;
  return json;
}

Json write_expect(const Scenario& scenario) {
  Json json = Json::object();
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

constexpr std::string_view kScheduleMark = "\n  \"schedule\": 0";
constexpr std::size_t kLineBytesMax = 100;

/// In lines of many numbers: one a line, as the rest of the file is written, would bury it.
std::string write_schedule(const std::vector<std::uint32_t>& schedule) {
  std::string text = "\n  \"schedule\": [";
  std::size_t line_begin = 1;
  for (std::size_t i = 0; i < schedule.size(); ++i) {
    const std::string number = std::to_string(schedule[i]) + (i + 1 < schedule.size() ? "," : "]");
    if (i > 0 && text.size() - line_begin + 1 + number.size() > kLineBytesMax) {
      text += "\n   ";
      line_begin = text.size() - 3;
    }
    text += (i == 0 ? "" : " ") + number;
  }
  return schedule.empty() ? text + "]" : text;
}

}  // namespace

std::string write_scenario(const Scenario& scenario) {
  Json json{{"schema_version", 1}, {"name", scenario.name}, {"why", scenario.why}};
  if (!scenario.tags.empty()) json["tags"] = scenario.tags;
  json["worlds"] = Json::array();
  for (const WorldKind world : scenario.worlds) {
    json["worlds"].push_back(named_in(kWorldNames, world));
  }
  json["seed"] = fmt::format("{:#x}", scenario.seed);
  json["pool"] = write_pool(scenario.pool);
  json["workers"] = Json::array();
  for (const WorkerSpec& worker : scenario.workers) json["workers"].push_back(write_worker(worker));
  json["clients"] = Json::array();
  for (const Client& client : scenario.clients) json["clients"].push_back(write_client(client));
  json["faults"] = Json::array();
  for (const auto& fault : scenario.faults) json["faults"].push_back(write_planned(fault));
  json["expect"] = write_expect(scenario);
  if (scenario.schedule) json["schedule"] = 0;
  std::string text = json.dump(2, ' ', false, Json::error_handler_t::replace) + "\n";
  if (scenario.schedule) {
    // The last key. No text in JSON holds a newline, so that the mark is found nowhere else.
    text.replace(text.rfind(kScheduleMark), kScheduleMark.size(),
                 write_schedule(*scenario.schedule));
  }
  return text;
}

}  // namespace poolproof::scenario
