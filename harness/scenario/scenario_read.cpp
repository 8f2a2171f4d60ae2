#include <algorithm>
#include <charconv>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/scenario/read_parts.hpp"
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
    if (std::count(tags.begin(), tags.end(), tags.back()) > 1) {
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
    if (std::count(worlds.begin(), worlds.end(), worlds.back()) > 1) {
      world.not_a("each world once");
    }
  }
  return worlds;
}

/// A number, or as text in hexadecimal: JSON readers elsewhere keep only 53 bits of a number.
std::uint64_t read_seed(const JsonNode& root) {
  const auto node = root.find("seed");
  if (!node) return 0;
  std::uint64_t seed = 0;
  if (node->json().is_number_unsigned()) return node->json().get<std::uint64_t>();
  const std::string text = node->is_text() ? node->text() : "";
  const char* end = text.data() + text.size();
  bool sound = text.starts_with("0x") && text.size() > 2;
  if (sound) {
    const auto [stop, error] = std::from_chars(text.data() + 2, end, seed, 16);
    sound = error == std::errc() && stop == end;
  }
  if (!sound) node->not_a("a whole number from 0, or as text \"0x5eed\" of up to 64 bits");
  return seed;
}

WorkerSpec read_worker(const JsonNode& node) {
  static constexpr std::array<std::string_view, 3> kWorkerKeys{"kind", "argv", "env"};
  WorkerSpec worker;
  if (!node.object(kWorkerKeys)) return worker;
  if (const auto kind = node.need("kind", "fake, python or command")) {
    worker.kind = static_cast<WorkerKind>(kind->choice(kWorkerKindNames));
  }
  const bool command = worker.kind == WorkerKind::command;
  const auto argv =
      command ? node.need("argv", "the program and its arguments") : node.find("argv");
  if (argv && !command) argv->wrong("is there", "no argv: only a command has one");
  if (argv) {
    for (const JsonNode& argument : argv->elements(1)) worker.argv.push_back(argument.text());
  }
  const auto env = node.find("env");
  if (!env) return worker;
  if (!env->is_object()) env->not_a("an object of texts");
  for (const std::string& key : env->keys()) worker.env[key] = env->find(key)->text();
  return worker;
}

std::vector<WorkerSpec> read_workers(const JsonNode& root) {
  const auto node = root.find("workers");
  if (!node) return {WorkerSpec{}};
  std::vector<WorkerSpec> workers;
  for (const JsonNode& worker : node->elements(1)) workers.push_back(read_worker(worker));
  return workers;
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
    for (const JsonNode& step : steps->elements(1)) client.steps.push_back(read_step(step));
  }
  return client;
}

std::vector<Client> read_clients(const JsonNode& root) {
  std::vector<Client> clients;
  const auto node = root.need("clients", "who uses the pool");
  if (!node) return clients;
  for (const JsonNode& client : node->elements(1)) clients.push_back(read_client(client));
  return clients;
}

faults::Plan read_faults(const JsonNode& root) {
  faults::Plan plan;
  const auto node = root.find("faults");
  if (!node) return plan;
  for (const JsonNode& element : node->elements()) {
    if (element.find("id")) element.wrong("has an \"id\"", "none: its place in the list is its id");
    plan.push_back(faults::read_fault(element));
    plan.back().id = fmt::format("f{}", plan.size() - 1);
  }
  return plan;
}

std::optional<std::vector<std::uint32_t>> read_schedule(const JsonNode& root) {
  const auto node = root.find("schedule");
  if (!node) return std::nullopt;
  const auto elements = node->elements();
  if (elements.size() > kScheduleMax) {
    node->wrong(fmt::format("has {} entries", elements.size()),
                fmt::format("at most {}", kScheduleMax));
  }
  std::vector<std::uint32_t> schedule;
  schedule.reserve(elements.size());
  for (const JsonNode& choice : elements) {
    schedule.push_back(static_cast<std::uint32_t>(choice.whole(0, kScheduleChoiceMax)));
  }
  return schedule;
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
  scenario.workers = read_workers(root);
  scenario.clients = read_clients(root);
  scenario.faults = read_faults(root);
  if (const auto expect = root.find("expect")) scenario.expect = read_expectations(*expect);
  scenario.schedule = read_schedule(root);
  return scenario;
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

}  // namespace poolproof::scenario
