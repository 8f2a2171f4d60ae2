#include "fake_workers/plan.hpp"

#include <algorithm>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/duplicate_key.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;
using Names = std::vector<std::string_view>;

constexpr int kPlanVersion = 1;
constexpr std::int64_t kMost = std::numeric_limits<std::uint32_t>::max();

std::string in_quotes(std::string_view text) {
  return "\"" + printable(text) + "\"";
}

std::string joined(const Names& names) {
  return fmt::format("{}", fmt::join(names, ", "));
}

/// `did you mean "x"?`, or the list of all names.
std::string suggestion(std::string_view name, const Names& names) {
  const std::string near = did_you_mean(name, names);
  return near.empty() ? "one of " + joined(names) : near;
}

Names fault_names() {
  Names names;
  for (const Fault& fault : catalogue()) names.push_back(fault.name);
  return names;
}

/// A value from outside, for an error: short and on one line.
std::string shown(const JsonNode& node) {
  return printable(node.json().dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

std::int64_t whole_number(const JsonNode& node, std::int64_t min, std::int64_t max) {
  const auto number = whole_within(node.json(), min, max);
  if (!number) {
    const bool whole = node.json().is_number_integer();
    node.wrong(shown(node) + (whole ? " is out of bounds" : " is no whole number"),
               fmt::format("a whole number from {} to {}", min, max));
  }
  return number.value_or(min);
}

std::string text(const JsonNode& node, std::string want) {
  if (node.is_text()) return node.text();
  node.wrong(shown(node) + " is no text", std::move(want));
  return "";
}

/// The coordinates that an aim of the fault may have.
Names coordinates(const Fault& fault, AimedBy by) {
  if (aimed_by_incarnation(fault)) return {"slot", "generation"};
  if (!aimed_by_call(fault)) return {"slot", "generation", "request"};
  Names names{"client", "call", "slot", "generation", "request"};
  if (by == AimedBy::words) names.insert(names.end(), {"method", "contains", "nth"});
  return names;
}

bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

/// False, with a complaint: the aim has a coordinate that the fault's moment does not allow.
bool has_coordinates(const Fault& fault, const JsonNode& at, AimedBy by) {
  const Names allowed = coordinates(fault, by);
  const auto other = unknown_key(at.json(), allowed);
  if (!other) return true;
  const bool of_words = contains({"method", "contains", "nth"}, *other);
  if (of_words || contains({"client", "call", "slot", "generation", "request"}, *other)) {
    const bool only_wrap = of_words && by == AimedBy::coordinates;
    at.find(*other)->wrong(
        "impossible coordinate " + in_quotes(*other) + " for " + std::string(fault.name),
        "it is aimed by " + joined(allowed) +
            (only_wrap ? "; what a request says is known to poolproof wrap alone" : ""));
  } else {
    at.wrong("unknown key " + in_quotes(*other), suggestion(*other, allowed));
  }
  return false;
}

/// Reads an aim by a client's call.
Aim read_call(const JsonNode& at) {
  Aim aim;
  const auto client = at.find("client");
  const auto call = at.find("call");
  if (!client) at.wrong("\"call\" without \"client\"", "whose call it is");
  if (!call) at.wrong("\"client\" without \"call\"", "which call, counted from 1");
  if (at.json().size() > 2) {
    at.wrong("both a client's call and a worker's coordinates",
             "either {client, call} or {slot, generation, request}");
  }
  if (!client || !call) return aim;
  aim.client = text(*client, "a client's name");
  if (aim.client.empty()) client->wrong("an empty name", "a client's name");
  aim.call = static_cast<std::uint32_t>(whole_number(*call, 1, kMost));
  return aim;
}

template <class Number>
void read_coordinate(const JsonNode& at, std::string_view key, std::optional<Number>& into) {
  if (const auto given = at.find(key)) into = static_cast<Number>(whole_number(*given, 0, kMost));
}

/// Reads an aim by what a request says.
void read_words(const JsonNode& at, Aim& aim) {
  const auto word = [&](std::string_view key, std::string want, std::string& into) {
    const auto given = at.find(key);
    if (!given) return;
    into = text(*given, want);
    if (into.empty()) given->wrong("an empty text", std::move(want));
  };
  word("method", "a method's name, as in \"tools/call\"", aim.method);
  word("contains", "what the request has in it", aim.contains);
  const auto nth = at.find("nth");
  if (nth) aim.nth = static_cast<std::uint32_t>(whole_number(*nth, 1, kMost));
  const bool words = !aim.method.empty() || !aim.contains.empty();
  if (nth && !words)
    at.wrong("\"nth\" of nothing", "\"method\" or \"contains\" beside it, or \"request\"");
  if (words && aim.request)
    at.wrong("both \"request\" and what the request says",
             "one of them; \"nth\" counts the latter");
}

Aim read_aim(const Fault& fault, const JsonNode& at, AimedBy by) {
  Aim aim;
  if (!at.is_object()) at.wrong(shown(at) + " is no object", "{} strikes everywhere");
  if (!at.is_object() || !has_coordinates(fault, at, by)) return aim;
  if (at.find("client") || at.find("call")) return read_call(at);
  read_coordinate(at, "slot", aim.slot);
  read_coordinate(at, "generation", aim.generation);
  read_coordinate(at, "request", aim.request);
  read_words(at, aim);
  return aim;
}

std::string read_text_param(const Param& param, const JsonNode& node) {
  std::string read = text(node, "a text");
  if (read.size() > static_cast<std::size_t>(param.max)) {
    node.wrong(fmt::format("a text of {} bytes", read.size()),
               fmt::format("at most {}", param.max));
  }
  if (!param.words.empty() && std::ranges::find(param.words, read) == param.words.end()) {
    node.wrong(in_quotes(read) + " is none of its words",
               suggestion(read, {param.words.begin(), param.words.end()}));
  }
  return read;
}

void read_params(const JsonNode& node, PlannedFault& into) {
  for (const Param& param : into.fault->params) {
    const std::string key(param.name);
    const auto given = node.find(key);
    if (param.is_text) {
      into.texts[key] = given ? read_text_param(param, *given) : std::string(param.default_text);
    } else {
      into.numbers[key] = given ? whole_number(*given, param.min, param.max) : param.default_number;
    }
  }
}

/// False, with a complaint: the object has a key that is not in `known`.
bool has_only(const JsonNode& node, const Names& known) {
  const auto other = unknown_key(node.json(), known);
  if (other) node.wrong("unknown key " + in_quotes(*other), suggestion(*other, known));
  return !other;
}

Names fault_keys(const Fault& fault) {
  Names names{"id", "fault", "at"};
  for (const Param& param : fault.params) names.push_back(param.name);
  return names;
}

/// Reads the fault's name. Null, with a complaint: there is no such fault.
const Fault* read_name(const JsonNode& node) {
  const auto given = node.find("fault");
  if (!given) node.wrong("no \"fault\"", "the name of a fault");
  if (!given) return nullptr;
  const std::string name = text(*given, "the name of a fault");
  const Fault* fault = find(name);
  if (fault == nullptr) {
    given->wrong("unknown fault " + in_quotes(name), suggestion(name, fault_names()));
  }
  return fault;
}

Plan read_faults(const JsonNode& list, AimedBy by) {
  Plan plan;
  std::set<std::string> ids;
  for (const JsonNode& one : list.elements()) {
    PlannedFault fault = read_fault(one, by);
    if (fault.id.empty()) fault.id = fmt::format("f{}", plan.size());
    if (!ids.insert(fault.id).second) {
      list.complaints().add(one.where() + "/id", "a second " + in_quotes(fault.id),
                            "an id of its own");
    }
    plan.push_back(std::move(fault));
  }
  return plan;
}

Json write_aim(const Aim& aim) {
  Json at = Json::object();
  if (!aim.client.empty()) at = {{"client", aim.client}, {"call", aim.call}};
  if (aim.slot) at["slot"] = *aim.slot;
  if (aim.generation) at["generation"] = *aim.generation;
  if (aim.request) at["request"] = *aim.request;
  if (!aim.method.empty()) at["method"] = aim.method;
  if (!aim.contains.empty()) at["contains"] = aim.contains;
  if (aim.nth > 0) at["nth"] = aim.nth;
  return at;
}

Json listed(const Param& param) {
  if (!param.words.empty()) {
    return {{"name", param.name}, {"default", param.default_text}, {"words", param.words}};
  }
  if (param.is_text) return {{"name", param.name}, {"default", param.default_text}};
  return {{"name", param.name},
          {"default", param.default_number},
          {"min", param.min},
          {"max", param.max}};
}

}  // namespace

PlannedFault read_fault(const JsonNode& node, AimedBy by) {
  PlannedFault planned;
  if (!node.is_object()) node.wrong(shown(node) + " is no object", "{\"fault\", \"at\", ...}");
  const Fault* const fault = node.is_object() ? read_name(node) : nullptr;
  if (fault == nullptr || !has_only(node, fault_keys(*fault))) return planned;
  const auto at = node.find("at");
  if (!at) node.wrong("no \"at\"", "where it strikes; {} is everywhere");
  if (!at) return planned;
  planned.fault = fault;
  planned.at = read_aim(*fault, *at, by);
  if (const auto id = node.find("id")) planned.id = text(*id, "a name for receipts");
  read_params(node, planned);
  return planned;
}

Parsed<PlannedFault> read_fault(const Json& object, const std::string& where, AimedBy by) {
  Complaints complaints;
  PlannedFault fault = read_fault(JsonNode(object, where, complaints, "/"), by);
  if (!complaints.none()) return unexpected(complaints.first());
  return fault;
}

Json write_fault(const PlannedFault& fault) {
  Json object{{"fault", fault.fault->name}, {"at", write_aim(fault.at)}};
  if (!fault.id.empty()) object["id"] = fault.id;
  for (const auto& [name, value] : fault.numbers) object[name] = value;
  for (const auto& [name, value] : fault.texts) object[name] = value;
  return object;
}

Json describe(const Fault& fault) {
  Json params = Json::array();
  for (const Param& param : fault.params) params.push_back(listed(param));
  return {{"name", fault.name},
          {"family", name(fault.family)},
          {"moment", name(fault.moment)},
          {"harmless", fault.harmless},
          {"params", params}};
}

Parsed<Plan> read_plan(std::string_view json_text, const std::string& where, AimedBy by) {
  const auto root = wire::parse_json(json_text);
  if (!root) return unexpected(InputError{where, root.error(), "a plan as JSON"});
  if (!root->is_object()) {
    return unexpected(
        InputError{where, "not an object", "{\"plan_version\": 1, \"faults\": [...]}"});
  }
  if (auto twice = find_duplicate_key(json_text, where)) return unexpected(*std::move(twice));
  Complaints complaints;
  const JsonNode node(*root, where + "#", complaints, "/");
  const auto faults = node.find("faults");
  const bool has_list = faults && faults->is_array();
  static_cast<void>(has_only(node, {"plan_version", "faults"}));
  if (root->value("plan_version", Json()) != kPlanVersion) {
    complaints.add(where + "#/plan_version", "missing or unknown",
                   fmt::format("this program reads version {}", kPlanVersion));
  }
  if (!has_list) complaints.add(where + "#/faults", "missing or no list", "a list of faults");
  Plan plan = has_list ? read_faults(*faults, by) : Plan();
  if (!complaints.none()) return unexpected(complaints.first());
  return plan;
}

std::string write_plan(const Plan& plan) {
  Json faults = Json::array();
  for (const PlannedFault& fault : plan) faults.push_back(write_fault(fault));
  const Json root{{"plan_version", kPlanVersion}, {"faults", faults}};
  return root.dump(-1, ' ', false, Json::error_handler_t::replace) + "\n";
}

std::int64_t PlannedFault::number(std::string_view param) const {
  const auto found = numbers.find(param);
  POOLPROOF_ASSERT(found != numbers.end());
  return found->second;
}

const std::string& PlannedFault::text(std::string_view param) const {
  const auto found = texts.find(param);
  POOLPROOF_ASSERT(found != texts.end());
  return found->second;
}

}  // namespace poolproof::faults
