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

/// Where a fault strikes. Either a client's call (recognised by the nonce `client:call` in the
/// request's args), or a worker's own coordinates; a coordinate left out means "any". Between a
/// client and a real worker (AimedBy::words) also what the request says.
struct Aim {
  std::string client;      ///< not empty: aimed by {client, call}
  std::uint32_t call = 0;  ///< counted from 1
  std::optional<std::uint32_t> slot;
  std::optional<std::uint32_t> generation;
  std::optional<std::uint64_t> request;  ///< 0 is the init ping
  std::string method = {};               ///< not empty: requests with that method (or command)
  std::string contains = {};             ///< not empty: requests whose text has this in it
  std::uint32_t nth = 0;  ///< which of those that the two fit, counted from 1; 0: each
  bool operator==(const Aim&) const = default;

  /// What the request says decides, which only wrap looks at.
  [[nodiscard]] bool is_by_words() const { return !method.empty() || !contains.empty(); }
  /// Whether its slot and its generation are those of that worker, or left out.
  [[nodiscard]] bool fits(WorkerId worker) const {
    return slot.value_or(worker.slot) == worker.slot &&
           generation.value_or(worker.generation) == worker.generation;
  }
};

/// One fault of a plan, checked against the catalogue: every parameter has its value.
struct PlannedFault {
  std::string id;  ///< names it in receipts: `f0`, `f1`...
  const Fault* fault = nullptr;
  Aim at;
  std::map<std::string, std::int64_t, std::less<>> numbers;
  std::map<std::string, std::string, std::less<>> texts;

  [[nodiscard]] std::int64_t number(std::string_view param) const;
  [[nodiscard]] const std::string& text(std::string_view param) const;
};

using Plan = std::vector<PlannedFault>;

/// What those can aim by who carry a plan out.
enum class AimedBy : std::uint8_t {
  coordinates,  ///< client and call, slot, generation and request
  words,        ///< also the method and the text of a request
};

/// Reads one fault object {"fault": name, "at": {...}, PARAM: value...}; unknown keys, unknown
/// faults, values out of bounds and aims that the fault's moment does not allow are errors that
/// name `where` (a file and JSON pointer) and what would be right. The first form complains to its
/// node; what it gives then is of no use.
PlannedFault read_fault(const JsonNode& node, AimedBy by = AimedBy::coordinates);
Parsed<PlannedFault> read_fault(const nlohmann::json& object, const std::string& where,
                                AimedBy by = AimedBy::coordinates);
nlohmann::json write_fault(const PlannedFault& fault);  ///< with its "id" when not empty

/// A row of the catalogue as the Python worker lists it, too: what may be planned.
nlohmann::json describe(const Fault& fault);

/// A plan file: {"plan_version": 1, "faults": [{"id": "f0", ...fault...}]}.
Parsed<Plan> read_plan(std::string_view json_text, const std::string& where,
                       AimedBy by = AimedBy::coordinates);
std::string write_plan(const Plan& plan);

}  // namespace poolproof::faults
