#pragma once

#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "fake_workers/catalogue.hpp"
#include "harness/base/ids.hpp"
#include "harness/base/json_node.hpp"
#include "harness/base/result.hpp"

namespace poolproof::faults {

/// Where a fault strikes: at a client's call (recognised by the nonce `client:call` in the
/// request's args), or at a worker's own coordinates, where one that is left out means "any".
/// Between a client and a real worker (AimedBy::words), what the request says may decide, too.
struct Aim {
  std::string client;      ///< not empty: aimed by {client, call}
  std::uint32_t call = 0;  ///< which call of the client, from 1
  std::optional<std::uint32_t> slot;
  std::optional<std::uint32_t> generation;
  std::optional<std::uint64_t> request;  ///< which request of the worker; 0 is the init ping
  std::string method = {};               ///< not empty: only requests with that method (or command)
  std::string contains = {};             ///< not empty: only requests whose text contains this
  /// Which of the requests that `method` and `contains` fit, from 1; 0: each
  std::uint32_t nth = 0;
  bool operator==(const Aim&) const = default;

  /// Whether the request's text decides, at which only wrap looks.
  [[nodiscard]] bool is_by_words() const { return !method.empty() || !contains.empty(); }
  /// Whether the aim's slot and generation are those of that worker, or left out.
  [[nodiscard]] bool fits(WorkerId worker) const {
    return slot.value_or(worker.slot) == worker.slot &&
           generation.value_or(worker.generation) == worker.generation;
  }
};

/// One fault of a plan, checked against the catalogue: every parameter has its value.
struct PlannedFault {
  std::string id;  ///< the name by which receipts refer to it: `f0`, `f1`...
  const Fault* fault = nullptr;
  Aim at;
  std::map<std::string, std::int64_t, std::less<>> numbers;
  std::map<std::string, std::string, std::less<>> texts;

  [[nodiscard]] std::int64_t number(std::string_view param) const;
  [[nodiscard]] const std::string& text(std::string_view param) const;
};

using Plan = std::vector<PlannedFault>;

/// What aims a plan may have: it depends on who carries it out.
enum class AimedBy : std::uint8_t {
  coordinates,  ///< client and call, slot, generation and request
  words,        ///< also the method and the text of a request
};

/// Reads one fault object {"fault": name, "at": {...}, PARAM: value...}. Unknown keys, unknown
/// faults, values out of bounds and aims that the fault's moment does not allow are errors that
/// name `where` (a file and JSON pointer) and what would be right. The form with a JsonNode
/// complains to that node; its result is then of no use.
PlannedFault read_fault(const JsonNode& node, AimedBy by = AimedBy::coordinates);
Parsed<PlannedFault> read_fault(const nlohmann::json& object, const std::string& where,
                                AimedBy by = AimedBy::coordinates);
nlohmann::json write_fault(const PlannedFault& fault);  ///< with its "id" if that is not empty

/// A row of the catalogue as JSON, just as the Python worker lists it.
nlohmann::json describe(const Fault& fault);

/// Reads a plan file: {"plan_version": 1, "faults": [{"id": "f0", ...fault...}]}.
Parsed<Plan> read_plan(std::string_view json_text, const std::string& where,
                       AimedBy by = AimedBy::coordinates);
std::string write_plan(const Plan& plan);

}  // namespace poolproof::faults
