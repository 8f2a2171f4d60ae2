#include "fake_workers/plan.hpp"

#include <algorithm>
#include <array>
#include <limits>
#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::faults {
namespace {

using Json = nlohmann::json;
using Names = std::vector<std::string_view>;

constexpr int kPlanVersion = 1;

InputError error(std::string where, std::string what, std::string want) {
  return {std::move(where), std::move(what), std::move(want)};
}

std::string in_quotes(std::string_view text) {
  return "\"" + printable(text) + "\"";
}

std::string joined(const Names& names) {
  std::string all;
  for (const std::string_view name : names) all += (all.empty() ? "" : ", ") + std::string(name);
  return all;
}

/// `did you mean "x"?`, or what there is.
std::string suggestion(std::string_view name, const Names& names) {
  const std::string_view near = nearest(name, names);
  if (!near.empty()) return "did you mean " + in_quotes(near) + "?";
  return "one of " + joined(names);
}

Names fault_names() {
  Names names;
  for (const Fault& fault : catalogue()) names.push_back(fault.name);
  return names;
}

/// A text from outside, for an error: short and on one line.
std::string shown(const Json& value) {
  return printable(value.dump(-1, ' ', false, Json::error_handler_t::replace), 60);
}

Parsed<std::int64_t> whole_number(const Json& value, const std::string& where, std::int64_t min,
                                  std::int64_t max) {
  const std::string want =
      "a whole number from " + std::to_string(min) + " to " + std::to_string(max);
  if (!value.is_number_integer())
    return unexpected(error(where, shown(value) + " is no whole number", want));
  const bool above = value.is_number_unsigned() &&
                     value.get<std::uint64_t>() >
                         static_cast<std::uint64_t>(std::numeric_limits<std::int64_t>::max());
  const std::int64_t number = above ? max : value.get<std::int64_t>();
  if (above || number < min || number > max) {
    return unexpected(error(where, shown(value) + " is out of bounds", want));
  }
  return number;
}

Parsed<std::string> text(const Json& value, const std::string& where, const std::string& want) {
  if (!value.is_string()) return unexpected(error(where, shown(value) + " is no text", want));
  return value.get<std::string>();
}

/// Which coordinates the fault's moment allows.
Names coordinates(const Fault& fault) {
  if (aimed_by_incarnation(fault)) return {"slot", "generation"};
  if (!aimed_by_call(fault)) return {"slot", "generation", "request"};
  return {"client", "call", "slot", "generation", "request"};
}

bool contains(const Names& names, std::string_view name) {
  return std::ranges::find(names, name) != names.end();
}

std::optional<InputError> wrong_coordinate(const Fault& fault, const Json& at,
                                           const std::string& where) {
  static constexpr std::array<std::string_view, 5> kAll{"client", "call", "slot", "generation",
                                                        "request"};
  const Names allowed = coordinates(fault);
  for (const auto& [key, value] : at.items()) {
    const std::string here = where + "/" + key;
    if (contains(allowed, key)) continue;
    if (contains({kAll.begin(), kAll.end()}, key)) {
      return error(here,
                   "impossible coordinate " + in_quotes(key) + " for " + std::string(fault.name),
                   "it is aimed by " + joined(allowed));
    }
    return error(where, "unknown key " + in_quotes(key), suggestion(key, allowed));
  }
  return std::nullopt;
}

/// The aim by a client's call.
Parsed<Aim> read_call(const Json& at, const std::string& where) {
  if (!at.contains("client")) {
    return unexpected(error(where, "\"call\" without \"client\"", "whose call it is"));
  }
  if (!at.contains("call")) {
    return unexpected(error(where, "\"client\" without \"call\"", "which call, counted from 1"));
  }
  if (at.size() > 2) {
    return unexpected(error(where, "both a client's call and a worker's coordinates",
                            "either {client, call} or {slot, generation, request}"));
  }
  auto client = text(at.at("client"), where + "/client", "a client's name");
  if (!client) return unexpected(client.error());
  if (client->empty()) {
    return unexpected(error(where + "/client", "an empty name", "a client's name"));
  }
  const auto call =
      whole_number(at.at("call"), where + "/call", 1, std::numeric_limits<std::uint32_t>::max());
  if (!call) return unexpected(call.error());
  Aim aim;
  aim.client = *client;
  aim.call = static_cast<std::uint32_t>(*call);
  return aim;
}

template <class Number>
Parsed<std::optional<Number>> coordinate(const Json& at, const char* key,
                                         const std::string& where) {
  if (!at.contains(key)) return std::optional<Number>();
  const auto number =
      whole_number(at.at(key), where + "/" + key, 0, std::numeric_limits<std::uint32_t>::max());
  if (!number) return unexpected(number.error());
  return std::optional<Number>(static_cast<Number>(*number));
}

Parsed<Aim> read_aim(const Fault& fault, const Json& at, const std::string& where) {
  if (!at.is_object()) {
    return unexpected(error(where, shown(at) + " is no object", "{} strikes everywhere"));
  }
  if (auto wrong = wrong_coordinate(fault, at, where)) return unexpected(*std::move(wrong));
  if (at.contains("client") || at.contains("call")) return read_call(at, where);
  const auto slot = coordinate<std::uint32_t>(at, "slot", where);
  if (!slot) return unexpected(slot.error());
  const auto generation = coordinate<std::uint32_t>(at, "generation", where);
  if (!generation) return unexpected(generation.error());
  const auto request = coordinate<std::uint64_t>(at, "request", where);
  if (!request) return unexpected(request.error());
  return Aim{{}, 0, *slot, *generation, *request};
}

std::optional<InputError> read_text_param(const Param& param, const Json& value,
                                          const std::string& where, PlannedFault& into) {
  auto read = text(value, where, "a text");
  if (!read) return read.error();
  if (read->size() > static_cast<std::size_t>(param.max)) {
    return error(where, "a text of " + std::to_string(read->size()) + " bytes",
                 "at most " + std::to_string(param.max));
  }
  if (!param.words.empty() && std::ranges::find(param.words, *read) == param.words.end()) {
    return error(where, in_quotes(*read) + " is none of its words",
                 suggestion(*read, {param.words.begin(), param.words.end()}));
  }
  into.texts[std::string(param.name)] = *std::move(read);
  return std::nullopt;
}

std::optional<InputError> read_params(const Json& object, const std::string& where,
                                      PlannedFault& into) {
  for (const Param& param : into.fault->params) {
    const std::string key(param.name);
    const auto given = object.find(key);
    if (param.is_text && given == object.end()) {
      into.texts[key] = param.default_text;
    } else if (param.is_text) {
      if (auto wrong = read_text_param(param, *given, where + "/" + key, into)) return wrong;
    } else if (given == object.end()) {
      into.numbers[key] = param.default_number;
    } else {
      const auto number = whole_number(*given, where + "/" + key, param.min, param.max);
      if (!number) return number.error();
      into.numbers[key] = *number;
    }
  }
  return std::nullopt;
}

std::optional<InputError> unknown_key(const Json& object, const std::string& where,
                                      const Names& known) {
  for (const auto& [key, value] : object.items()) {
    if (!contains(known, key)) {
      return error(where, "unknown key " + in_quotes(key), suggestion(key, known));
    }
  }
  return std::nullopt;
}

Names fault_keys(const Fault& fault) {
  Names names{"id", "fault", "at"};
  for (const Param& param : fault.params) names.push_back(param.name);
  return names;
}

Parsed<const Fault*> read_name(const Json& object, const std::string& where) {
  const auto given = object.find("fault");
  if (given == object.end()) {
    return unexpected(error(where, "no \"fault\"", "the name of a fault"));
  }
  const auto name = text(*given, where + "/fault", "the name of a fault");
  if (!name) return unexpected(name.error());
  const Fault* fault = find(*name);
  if (fault == nullptr) {
    return unexpected(error(where + "/fault", "unknown fault " + in_quotes(*name),
                            suggestion(*name, fault_names())));
  }
  return fault;
}

Parsed<Plan> read_faults(const Json& list, const std::string& where) {
  Plan plan;
  std::set<std::string> ids;
  for (std::size_t i = 0; i < list.size(); ++i) {
    const std::string here = where + "/" + std::to_string(i);
    auto fault = read_fault(list[i], here);
    if (!fault) return unexpected(fault.error());
    if (fault->id.empty()) fault->id = fmt::format("f{}", i);
    if (!ids.insert(fault->id).second) {
      return unexpected(
          error(here + "/id", "a second " + in_quotes(fault->id), "an id of its own"));
    }
    plan.push_back(*std::move(fault));
  }
  return plan;
}

Json write_aim(const Aim& aim) {
  Json at = Json::object();
  if (!aim.client.empty()) at = {{"client", aim.client}, {"call", aim.call}};
  if (aim.slot) at["slot"] = *aim.slot;
  if (aim.generation) at["generation"] = *aim.generation;
  if (aim.request) at["request"] = *aim.request;
  return at;
}

}  // namespace

Parsed<PlannedFault> read_fault(const Json& object, const std::string& where) {
  if (!object.is_object()) {
    return unexpected(error(where, shown(object) + " is no object", "{\"fault\", \"at\", ...}"));
  }
  const auto fault = read_name(object, where);
  if (!fault) return unexpected(fault.error());
  if (auto wrong = unknown_key(object, where, fault_keys(**fault))) {
    return unexpected(*std::move(wrong));
  }
  if (!object.contains("at")) {
    return unexpected(error(where, "no \"at\"", "where it strikes; {} is everywhere"));
  }
  auto aim = read_aim(**fault, object.at("at"), where + "/at");
  if (!aim) return unexpected(aim.error());

  PlannedFault planned;
  planned.fault = *fault;
  planned.at = *std::move(aim);
  if (object.contains("id")) {
    auto id = text(object.at("id"), where + "/id", "a name for receipts");
    if (!id) return unexpected(id.error());
    planned.id = *std::move(id);
  }
  if (auto wrong = read_params(object, where, planned)) return unexpected(*std::move(wrong));
  return planned;
}

Json write_fault(const PlannedFault& fault) {
  Json object{{"fault", fault.fault->name}, {"at", write_aim(fault.at)}};
  if (!fault.id.empty()) object["id"] = fault.id;
  for (const auto& [name, value] : fault.numbers) object[name] = value;
  for (const auto& [name, value] : fault.texts) object[name] = value;
  return object;
}

Parsed<Plan> read_plan(std::string_view json_text, const std::string& where) {
  const auto root = wire::parse_json(json_text);
  if (!root) return unexpected(error(where, root.error(), "a plan as JSON"));
  if (!root->is_object()) {
    return unexpected(error(where, "not an object", "{\"plan_version\": 1, \"faults\": [...]}"));
  }
  if (auto wrong = unknown_key(*root, where + "#", {"plan_version", "faults"})) {
    return unexpected(*std::move(wrong));
  }
  if (root->value("plan_version", Json()) != kPlanVersion) {
    return unexpected(error(where + "#/plan_version", "missing or unknown",
                            "this program reads version " + std::to_string(kPlanVersion)));
  }
  const auto faults = root->find("faults");
  if (faults == root->end() || !faults->is_array()) {
    return unexpected(error(where + "#/faults", "missing or no list", "a list of faults"));
  }
  return read_faults(*faults, where + "#/faults");
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
