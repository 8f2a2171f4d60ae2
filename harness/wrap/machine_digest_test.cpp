#include <string>

#include <catch2/catch.hpp>

#include "harness/wrap/machine_testing.hpp"

using namespace poolproof;
using namespace poolproof::wrap;
using testing::Between;

TEST_CASE("wrap: machine: a call that is made once more is known by all but its id") {
  Between between("", Speech::mcp);
  const auto digest_of = [&](const std::string& request) {
    between.ask(request);
    return between.all<Digest>().back().value;
  };
  const auto first = digest_of(R"({"id":1,"method":"tools/call","params":{"name":"a"}})");
  CHECK(digest_of(R"({"id":2,"method":"tools/call","params":{"name":"a"}})") == first);
  CHECK(digest_of(R"({"id":3, "method": "tools/call", "params":{"name":"a"}})") == first);
  CHECK(digest_of(R"({"id":4,"method":"tools/call","params":{"name":"b"}})") != first);
  CHECK(digest_of(R"({"id":5,"method":"tools/cal","params":{"name":"a"}})") != first);
  between.ask(R"({"id":6,"method":"x","params":{"nonce":"a:1"}})");
  between.ask(R"({"method":"notifications/initialized"})");
  CHECK(between.all<Digest>().size() == 5);
  for (const char* id : {"\"req-1\"", "1.5", "18446744073709551616", "\"\""}) {
    INFO(id);
    const std::string request = std::string(R"({"id":)") + id;
    CHECK(digest_of(request + R"(,"method":"tools/call","params":{"name":"a"}})") == first);
    const auto read = between.all<faults::JournalRecord>().back();
    CHECK_FALSE(read.id);
    CHECK(read.has_id());
  }
  CHECK(between.all<faults::JournalRecord>().back().other_id == "\"\"");
}
