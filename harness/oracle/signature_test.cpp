#include "harness/oracle/oracle_testing.hpp"

namespace poolproof::oracle {
namespace {

std::string reduced(const std::string& what) {
  return signature({"x", what, {}});
}

TEST_CASE("oracle: signature: what differs from run to run is left out") {
  CHECK(reduced("worker 0.1 was leased to client b while client a.12 held it") ==
        "x: worker # was leased to client # while client # held it");
  CHECK(reduced("client a, step 1 (call a:1) got the reply to b-2:17") ==
        "x: client #, step # (call #) got the reply to #");
  CHECK(reduced("checkout #3 was answered a second time") ==
        "x: checkout # was answered a second time");
  CHECK(reduced("ended after 12.345 ms: too long after its limit of 0.000 ms") ==
        "x: ended after # ms: too long after its limit of # ms");
  CHECK(reduced("the error says \"oh 7 \" and \"no\"") == "x: the error says # and #");
  CHECK(reduced("bytes 57 61 72 6e (\"Warn\") came") == "x: bytes # (#) came");
  CHECK(reduced("its ping was no good (utf8_invalid)") == "x: its ping was no good (utf8_invalid)");
  CHECK(reduced("bytes 57 be ef came, none will be taken") ==
        "x: bytes # came, none will be taken");
  CHECK(reduced("an end without quote \"abc") == "x: an end without quote #");
}

TEST_CASE("oracle: signature: is short, plain, and never empty") {
  CHECK(reduced("") == "x:");
  CHECK(reduced(std::string(5000, 'a')).size() == 160);
  CHECK(reduced(std::string(200, 'a')).size() == 160);
  const std::string odd = reduced("caf\xc3\xa9 \x1b[31m\n\\x07 end");
  CHECK(odd.find_first_not_of(" !#$%&'()*+,-./0123456789:;<=>?@ABCDEFGHIJKLMNOPQRSTUVWXYZ[]^_`abcd"
                              "efghijklmnopqrstuvwxyz{|}~") == std::string::npos);
}

TEST_CASE("oracle: signature: the same for the same fault of another scenario") {
  Story one = told("exclusive_lease");
  Story other = told("exclusive_lease");
  for (auto& step : other.trace.clients) {
    if (step.client == "b") step.client = "somebody-else";
    step.begun += Duration(12345);
    step.ended += Duration(12345);
  }
  const auto found = judge(one.evidence());
  REQUIRE_FALSE(found.empty());
  bool again = false;
  for (const Finding& finding : judge(other.evidence())) {
    again = again || signature(finding) == signature(found.front());
  }
  CHECK(again);
}

}  // namespace
}  // namespace poolproof::oracle
