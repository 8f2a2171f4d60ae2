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
  const auto progress = [&](const std::string& id, const std::string& name) {
    return digest_of(R"({"id":)" + id + R"(,"method":"tools/call","params":{"name":")" + name +
                     R"(","_meta":{"progressToken":)" + id + "}}}");
  };
  CHECK(progress("6", "a") == progress("7", "a"));
  CHECK(progress("8", "a") != progress("9", "b"));
  between.ask(R"({"method":"notifications/initialized"})");
  CHECK(between.all<Digest>().size() == 9);
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

TEST_CASE("wrap: machine: a call that is known by a nonce is known by its content too") {
  Between between("");
  const auto digest_of = [&](const std::string& more) {
    between.ask(R"({"command":"echo","args":{"nonce":"a:1",)" + more + "}");
    return between.all<Digest>().back().value;
  };
  const auto first = digest_of(R"("n":1},"id":1,"timestamp":"2026-11-30T10:00:00Z")");
  CHECK(digest_of(R"("n":1},"id":7,"timestamp":"2026-11-30T10:00:01Z")") == first);
  CHECK(digest_of(R"("n":2},"id":1,"timestamp":"2026-11-30T10:00:00Z")") != first);
  CHECK(between.all<Digest>().size() == 3);
}
