#include "harness/scenario/scenario_json.hpp"

#include <algorithm>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/duplicate_key.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::scenario {
namespace {

constexpr int kSchemaVersion = 1;
constexpr std::size_t kWhyBytesMin = 20;
constexpr std::int64_t kCountMax = 10'000;
constexpr std::int64_t kRepeatMax = 1'000'000;

constexpr std::array<std::string_view, 13> kKeys{
    "$schema", "schema_version", "name",    "why",    "tags",   "worlds",  "seed",
    "pool",    "workers",        "clients", "faults", "expect", "schedule"};

std::string read_name(const JsonNode& root) {
  const auto node = root.need("name", "the name of the file without .json");
  if (!node) return "";
  std::string name = node->text();
  if (!is_kebab(name)) node->not_a("lower-case words with hyphens, as \"late-reply\"");
  return name;
}

std::string read_why(const JsonNode& root) {
  const auto node = root.need("why", "one sentence that names the symptom a user would see");
  if (!node) return "";
  std::string why = node->text();
  if (why.size() < kWhyBytesMin) {
    node->not_a(
        fmt::format("a sentence of at least {} bytes: the symptom a user would see", kWhyBytesMin));
  }
  return why;
}

std::vector<std::string> read_tags(const JsonNode& root) {
  std::vector<std::string> tags;
  const auto node = root.find("tags");
  if (!node) return tags;
  for (const JsonNode& tag : node->elements()) {
    tags.push_back(tag.text());
    if (!is_kebab(tags.back())) tag.not_a("lower-case words with hyphens");
    if (std::ranges::count(tags, tags.back()) > 1) {
      tag.not_a("each tag once");
    }
  }
  return tags;
}

std::vector<WorldKind> read_worlds(const JsonNode& root) {
  const auto node = root.find("worlds");
  if (!node) return {WorldKind::sim, WorldKind::host};
  std::vector<WorldKind> worlds;
  for (const JsonNode& world : node->elements(1)) {
    worlds.push_back(static_cast<WorldKind>(world.choice(kWorldNames)));
    if (std::ranges::count(worlds, worlds.back()) > 1) {
      world.not_a("each world once");
    }
  }
  return worlds;
}

/// Reads a seed: a number, or a hexadecimal text, because many JSON readers keep only 53 bits of a
/// number.
std::uint64_t read_seed(const JsonNode& root) {
  const auto node = root.find("seed");
  if (!node) return 0;
  if (node->json().is_number_unsigned()) return node->json().get<std::uint64_t>();
  const std::string text = node->is_text() ? node->text() : "";
  const auto seed = text.starts_with("0x")
                        ? parse_number<std::uint64_t>(std::string_view(text).substr(2), 16)
                        : std::nullopt;
  if (!seed) node->not_a("a whole number from 0, or as text \"0x5eed\" of up to 64 bits");
  return seed.value_or(0);
}

/// Reads a text that a program can be given: without a NUL, which would end it.
std::string read_word(const JsonNode& node) {
  const std::string word = node.text();
  if (word.find('\0') != std::string::npos) node.not_a("a text without a NUL");
  return word;
}

std::map<std::string, std::string> read_env(const JsonNode& node) {
  std::map<std::string, std::string> env;
  if (!node.is_object()) node.not_a("an object of texts");
  for (const std::string& key : node.keys()) {
    const auto value = node.find(key);
    env[key] = read_word(*value);
    if (key.empty() || key.find_first_of(std::string_view("=\0", 2)) != std::string::npos)
      value->wrong("is no variable's name", "a name without \"=\"");
  }
  return env;
}

WorkerSpec read_worker(const JsonNode& node) {
  static constexpr std::array<std::string_view, 4> kWorkerKeys{"kind", "argv", "cwd", "env"};
  WorkerSpec worker;
  if (!node.object(kWorkerKeys)) return worker;
  if (const auto kind = node.need("kind", "fake, python, command or wrapped")) {
    worker.kind = static_cast<WorkerKind>(kind->choice(kWorkerKindNames));
  }
  const bool real = worker.is_real_program();
  const auto argv = real ? node.need("argv", "the program and its arguments") : node.find("argv");
  if (argv && !real) argv->wrong("is there", "no argv: only a command or a wrapped worker has one");
  if (argv) worker.argv = read_all(*argv, 1, read_word);
  if (const auto cwd = node.find("cwd")) {
    worker.cwd = read_word(*cwd);
    if (!real) cwd->wrong("is there", "no cwd: only a command or a wrapped worker has one");
    if (worker.cwd.empty()) cwd->not_a("a folder, as \".\", the scenario's own");
  }
  if (const auto env = node.find("env")) worker.env = read_env(*env);
  return worker;
}

Client read_client(const JsonNode& node) {
  static constexpr std::array<std::string_view, 5> kClientKeys{"name", "after", "count", "repeat",
                                                               "steps"};
  Client client;
  if (!node.object(kClientKeys)) return client;
  if (const auto name = node.need("name", "every client has one")) {
    client.name = name->text();
    if (!is_kebab(client.name)) name->not_a("lower-case words with hyphens, as \"b\"");
    if (client.name == "workers") name->wrong("is \"workers\"", "another name: `expect` has it");
  }
  if (const auto after = node.find("after")) client.after = after->text();
  if (const auto count = node.find("count")) {
    client.count = static_cast<std::uint32_t>(count->whole(1, kCountMax));
  }
  if (const auto repeat = node.find("repeat")) {
    client.repeat = static_cast<std::uint32_t>(repeat->whole(1, kRepeatMax));
  }
  if (const auto steps = node.need("steps", "what it does")) {
    client.steps = read_all(*steps, 1, read_step);
  }
  return client;
}

faults::Plan read_faults(const JsonNode& root, faults::AimedBy by) {
  faults::Plan plan;
  const auto node = root.find("faults");
  if (!node) return plan;
  for (const JsonNode& element : node->elements()) {
    if (element.find("id")) element.wrong("has an \"id\"", "none: its place in the list is its id");
    plan.push_back(faults::read_fault(element, by));
    plan.back().id = fmt::format("f{}", plan.size() - 1);
  }
  return plan;
}

std::optional<std::vector<std::uint32_t>> read_schedule(const JsonNode& root) {
  const auto node = root.find("schedule");
  if (!node) return std::nullopt;
  if (const std::size_t size = node->json().size(); node->is_array() && size > kScheduleMax) {
    node->wrong(fmt::format("has {} entries", size), fmt::format("at most {}", kScheduleMax));
  }
  return read_all(*node, 0, [](const JsonNode& choice) {
    return static_cast<std::uint32_t>(choice.whole(0, kScheduleChoiceMax));
  });
}

void read_version(const JsonNode& root) {
  if (const auto schema = root.find("$schema")) (void)schema->text();
  const auto node = root.need("schema_version", fmt::format("{}", kSchemaVersion));
  if (node && node->whole(0, INT32_MAX) != kSchemaVersion) {
    node->not_a(fmt::format("{}, the only one there is", kSchemaVersion));
  }
}

Scenario read_root(const JsonNode& root) {
  Scenario scenario;
  if (!root.object(kKeys)) return scenario;
  read_version(root);
  scenario.name = read_name(root);
  scenario.why = read_why(root);
  scenario.tags = read_tags(root);
  scenario.worlds = read_worlds(root);
  scenario.seed = read_seed(root);
  if (const auto pool = root.find("pool")) scenario.pool = read_pool(*pool);
  scenario.pool.core.seed = scenario.seed;
  const auto workers = root.find("workers");
  scenario.workers = workers ? read_all(*workers, 1, read_worker) : std::vector<WorkerSpec>(1);
  if (const auto clients = root.need("clients", "who uses the pool")) {
    scenario.clients = read_all(*clients, 1, read_client);
  }
  const bool wrapped = std::ranges::find(scenario.workers, WorkerKind::wrapped,
                                         &WorkerSpec::kind) != scenario.workers.end();
  scenario.faults =
      read_faults(root, wrapped ? faults::AimedBy::words : faults::AimedBy::coordinates);
  if (const auto expect = root.find("expect")) scenario.expect = read_expectations(*expect);
  scenario.schedule = read_schedule(root);
  return scenario;
}

// ---- writing ------------------------------------------------------------------------------------

template <class Enum, class Names>
std::string_view named_in(const Names& names, Enum value) {
  return names[static_cast<std::size_t>(value)];
}

OrderedJson write_worker(const WorkerSpec& worker) {
  OrderedJson json{{"kind", named_in(kWorkerKindNames, worker.kind)}};
  if (!worker.argv.empty()) json["argv"] = worker.argv;
  if (!worker.cwd.empty()) json["cwd"] = worker.cwd;
  if (!worker.env.empty()) json["env"] = worker.env;
  return json;
}

OrderedJson write_client(const Client& client) {
  OrderedJson json{{"name", client.name}};
  if (!client.after.empty()) json["after"] = client.after;
  if (client.count > 1) json["count"] = client.count;
  if (client.repeat > 1) json["repeat"] = client.repeat;
  json["steps"] = OrderedJson::array();
  for (const Step& step : client.steps) json["steps"].push_back(write_step(step));
  return json;
}

OrderedJson write_planned(const faults::PlannedFault& fault) {
  const nlohmann::json written = faults::write_fault(fault);
  OrderedJson json{{"fault", written.at("fault")}, {"at", written.at("at")}};
  for (const auto& item : written.items()) {
    if (item.key() != "id") json[item.key()] = item.value();
  }
  return json;
}

constexpr std::string_view kScheduleMark = "\n  \"schedule\": 0";
constexpr std::size_t kLineBytesMax = 100;

/// Writes the schedule with many numbers in a line: with one a line, as in the rest of the file, it
/// would bury all else.
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

bool is_kebab(std::string_view name) {
  const auto is_word = [](char c) { return (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9'); };
  bool after_word = false;
  for (const char c : name) {
    if (!is_word(c) && (c != '-' || !after_word)) return false;
    after_word = is_word(c);
  }
  return after_word;
}

Parsed<Scenario> read_scenario(std::string_view json_text, const std::string& where) {
  const auto json = wire::parse_json(json_text);
  if (!json) return unexpected(InputError{where, json.error(), "a scenario as JSON"});
  if (auto twice = find_duplicate_key(json_text, where)) return unexpected(*std::move(twice));
  Complaints complaints;
  const JsonNode root(*json, where, complaints);
  Scenario scenario = read_root(root);
  if (complaints.none()) check_coherence(scenario, root);
  if (complaints.none()) check_circles(scenario, root);
  if (complaints.none()) check_expectations(scenario, root);
  if (!complaints.none()) return unexpected(complaints.first());
  return scenario;
}

std::string write_scenario(const Scenario& scenario) {
  OrderedJson json{{"schema_version", 1}, {"name", scenario.name}, {"why", scenario.why}};
  if (!scenario.tags.empty()) json["tags"] = scenario.tags;
  json["worlds"] = OrderedJson::array();
  for (const WorldKind world : scenario.worlds) {
    json["worlds"].push_back(named_in(kWorldNames, world));
  }
  json["seed"] = fmt::format("{:#x}", scenario.seed);
  json["pool"] = write_pool(scenario.pool);
  json["workers"] = OrderedJson::array();
  for (const WorkerSpec& worker : scenario.workers) json["workers"].push_back(write_worker(worker));
  json["clients"] = OrderedJson::array();
  for (const Client& client : scenario.clients) json["clients"].push_back(write_client(client));
  json["faults"] = OrderedJson::array();
  for (const auto& fault : scenario.faults) json["faults"].push_back(write_planned(fault));
  json["expect"] = write_expectations(scenario);
  if (scenario.schedule) json["schedule"] = 0;
  std::string text = json.dump(2, ' ', false, OrderedJson::error_handler_t::replace) + "\n";
  if (scenario.schedule) {
    // The schedule is the last key. No JSON text holds a newline, so the mark is found nowhere
    // else.
    text.replace(text.rfind(kScheduleMark), kScheduleMark.size(),
                 write_schedule(*scenario.schedule));
  }
  return text;
}

}  // namespace poolproof::scenario
