#pragma once

#include <rapidcheck.h>
#include <sstream>
#include <string>

#include <catch2/catch.hpp>

/// For properties only.
namespace poolproof::pool::testing {

/// Runs `body` with RapidCheck for so many cases of growing size. A run of no case at all (a
/// `reproduce` for another property) is a failure.
template <class Body>
void holds(const std::string& what, int cases, int size_max, const Body& body) {
  rc::detail::TestParams params = rc::detail::configuration().testParams;
  params.maxSuccess = cases;
  params.maxSize = size_max;
  int ran = 0;
  const auto counted = [&] {
    ++ran;
    body();
  };
  const auto result =
      rc::detail::checkTestable(counted, rc::detail::TestMetadata{what, what}, params);
  std::ostringstream message;
  rc::detail::printResultMessage(result, message);
  INFO(what << ": " << message.str());
  CHECK(result.template is<rc::detail::SuccessResult>());
  CHECK(ran > 0);
}

}  // namespace poolproof::pool::testing
