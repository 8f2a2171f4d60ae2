#pragma once

#include <rapidcheck.h>
#include <sstream>
#include <string>
#include <utility>

#include <catch2/catch.hpp>

namespace poolproof {

/// A RapidCheck property as an assertion of a Catch2 case; for tests only.
///
/// `id` is the name under which `RC_PARAMS=reproduce=...` finds it again. A property that ran
/// nothing (the same setting with another id) is a failure: RapidCheck alone would call it a
/// success.
template <class Testable>
void holds(const std::string& id, Testable&& testable) {
  const rc::detail::TestMetadata metadata{id, id};
  const auto result = rc::detail::checkTestable(std::forward<Testable>(testable), metadata);
  std::ostringstream message;
  rc::detail::printResultMessage(result, message);
  INFO(id << "\n" << message.str());
  REQUIRE(result.template is<rc::detail::SuccessResult>());
  REQUIRE(result.template get<rc::detail::SuccessResult>().numSuccess > 0);
}

}  // namespace poolproof
