#pragma once

#include <functional>
#include <string>
#include <string_view>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/json_node.hpp"
#include "harness/scenario/scenario.hpp"

/// The parts of a scenario file, each read from its own JSON value and written as one. Readers look
/// only at what they read; what must fit together across parts is check_coherence()'s.
namespace poolproof::scenario {

using OrderedJson = nlohmann::ordered_json;

PoolSpec read_pool(const JsonNode& node);
/// Only what differs from the default.
OrderedJson write_pool(const PoolSpec& pool);

Step read_step(const JsonNode& node);
OrderedJson write_step(const Step& step);

/// `{slot, generation}` among other keys, which the caller has checked.
WorkerId read_worker_id(const JsonNode& node);
OrderedJson write_worker_id(const WorkerId& worker);

Expectations read_expectations(const JsonNode& node);
OrderedJson write_expectations(const Scenario& scenario);

/// What `read` makes of each element of an array of at least `min` of them.
template <class Read>
auto read_all(const JsonNode& array, std::size_t min, Read read) {
  std::vector<std::decay_t<std::invoke_result_t<Read, const JsonNode&>>> all;
  for (const JsonNode& element : array.elements(min)) all.push_back(std::invoke(read, element));
  return all;
}

/// Lower-case words with single hyphens between them.
bool is_kebab(std::string_view name);

/// What can be refuted only by looking at several parts together: clients awaited that do not
/// exist, calls that are never made, faults aimed at nobody...
void check_coherence(const Scenario& scenario, const JsonNode& root);

/// Waits that can never end, since they wait for one another.
void check_circles(const Scenario& scenario, const JsonNode& root);

/// Expectations for nobody, for more steps than there are, or that no step can come to.
void check_expectations(const Scenario& scenario, const JsonNode& root);

}  // namespace poolproof::scenario
