#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/json_node.hpp"
#include "harness/scenario/scenario.hpp"

/// The parts of a scenario file, each read from its own JSON value and written as one. Each reader
/// looks at its own part only; check_coherence() checks that the parts fit together.
namespace poolproof::scenario {

using OrderedJson = nlohmann::ordered_json;

PoolSpec read_pool(const JsonNode& node);
/// Writes only the options that differ from their defaults.
OrderedJson write_pool(const PoolSpec& pool);

Step read_step(const JsonNode& node);
OrderedJson write_step(const Step& step);

/// Reads `{slot, generation}` among other keys, which the caller has checked.
WorkerId read_worker_id(const JsonNode& node);
OrderedJson write_worker_id(const WorkerId& worker);

Expectations read_expectations(const JsonNode& node);
OrderedJson write_expectations(const Scenario& scenario);

/// Reads an array of at least `min` elements, each by `read`.
template <class Read>
auto read_all(const JsonNode& array, std::size_t min, Read read) {
  std::vector<std::decay_t<std::invoke_result_t<Read, const JsonNode&>>> all;
  for (const JsonNode& element : array.elements(min)) all.push_back(std::invoke(read, element));
  return all;
}

/// Whether the name is lower-case words with single hyphens between them.
bool is_kebab(std::string_view name);

/// Refuses what shows only when several parts are looked at together: awaited clients that do not
/// exist, faults aimed at calls that are never made or at nobody...
void check_coherence(const Scenario& scenario, const JsonNode& root);

/// Refuses waits that can never end, because they wait for one another.
void check_circles(const Scenario& scenario, const JsonNode& root);

/// Refuses expectations for nobody, for more steps than there are, or that no step can meet.
void check_expectations(const Scenario& scenario, const JsonNode& root);

}  // namespace poolproof::scenario
