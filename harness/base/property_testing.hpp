#pragma once

#include <rapidcheck.h>
#include <sstream>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

namespace poolproof {

/// How much of a property is run. 0 leaves it to RapidCheck (100 cases of sizes up to 100).
struct Effort {
  int cases = 0;
  int size_max = 0;
};

/// Turns a RapidCheck property into an assertion of a Catch2 case.
///
/// `id` is the name under which `RC_PARAMS=reproduce=...` finds the property again. A property that
/// ran nothing (the same setting with another id) is a failure here; RapidCheck alone would call it
/// a success.
template <class Testable>
void holds(const std::string& id, Effort effort, Testable&& testable) {
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  if (effort.cases > 0) params.maxSuccess = effort.cases;
  if (effort.size_max > 0) params.maxSize = effort.size_max;
  const rc::detail::TestMetadata metadata{id, id};
  const auto result = rc::detail::checkTestable(std::forward<Testable>(testable), metadata, params);
  std::ostringstream message;
  rc::detail::printResultMessage(result, message);
  INFO(id << "\n" << message.str());
  REQUIRE(result.template is<rc::detail::SuccessResult>());
  REQUIRE(result.template get<rc::detail::SuccessResult>().numSuccess > 0);
}

template <class Testable>
void holds(const std::string& id, Testable&& testable) {
  holds(id, Effort{}, std::forward<Testable>(testable));
}

}  // namespace poolproof
