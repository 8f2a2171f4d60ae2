#include <string>

#include <catch2/catch.hpp>

#include "harness/wrap/machine_testing.hpp"

using namespace poolproof;
using namespace poolproof::wrap;
using namespace poolproof::wrap::testing;

namespace {

constexpr auto kPing = R"({"args":{},"command":"ping","id":0})";
constexpr auto kPong = R"({"id":0,"success":true,"result":{},"timestamp":7})";

std::string framed(std::string_view payload) {
  return wire::encode_frame(wire::Framing{}, payload).value();
}

std::string fault(const std::string& name, const std::string& more, const std::string& at) {
  return R"({"fault":")" + name + R"(","at":{)" + at + "}" + more + "}";
}

}  // namespace

TEST_CASE("wrap: machine: reading stops just where it is told to, on every wire") {
  const auto wire = GENERATE(wire::Wire::prefix, wire::Wire::varint, wire::Wire::lines,
                             wire::Wire::headers, wire::Wire::node_ipc);
  const auto keep = GENERATE(0U, 1U, 9U);
  Between between(fault("reading_stopped", R"(,"then":"hang","keep_bytes":)" + std::to_string(keep),
                        R"("request":1)"),
                  Speech::opaque, {.wire = wire});
  const std::string first = between.frame("first");
  const std::string both = first + between.frame("the second one");
  between.from_client(first);
  between.reply("its answer");
  std::string read = first;
  while (between.machine.wants_client() > 0) {
    const std::string part = both.substr(read.size(), between.machine.wants_client());
    read += part;
    between.from_client(part);
  }
  CHECK(read == both.substr(0, first.size() + keep));
  CHECK(between.to_worker == first);
  CHECK(between.journal().ends_with("receipt reading_stopped 1"));
}

TEST_CASE("wrap: machine: before reading stops, all that was read is answered") {
  const std::string then = GENERATE("hang", "exit", "kill", "close", "answer");
  const auto keep = GENERATE(0U, 3U);
  INFO(then << " " << keep);
  const std::string params = R"(,"then":")" + then + R"(","keep_bytes":)" + std::to_string(keep);
  Between between(fault("reading_stopped", params, R"("request":1)"));
  between.ask(kPing);
  CHECK(between.journal() == "started, read 0 ping");
  between.reply(kPong);
  CHECK_THAT(between.to_client, Catch::StartsWith(framed(kPong)));
  if (keep > 0) between.from_client(between.frame(kPing).substr(0, keep));
  CHECK_THAT(between.journal(), Catch::StartsWith("started, read 0 ping, wrote 0, receipt "
                                                  "reading_stopped 1"));
  CHECK(between.to_worker == framed(kPing));
  CHECK(between.all<RaiseSignal>().size() == (then == "kill" ? 1 : 0));
}

TEST_CASE("wrap: machine: a reply that is delayed goes out before reading stops") {
  Between between(fault("reply_slow", R"(,"delay_ms":50)", R"("request":0)") + "," +
                  fault("reading_stopped", R"(,"then":"kill")", R"("request":1)"));
  between.ask(kPing);
  between.reply(kPong);
  CHECK(between.all<RaiseSignal>().empty());
  between.pass(50);
  CHECK(between.to_client == framed(kPong));
  CHECK(between.all<RaiseSignal>().size() == 1);
}

TEST_CASE("wrap: machine: reading stops at a request that comes before the replies, too") {
  Between between(fault("reading_stopped", R"(,"then":"kill")", R"("request":1)"));
  between.ask(kPing);
  CHECK(between.machine.wants_client() == 1);
  between.from_client(between.frame(kPing).substr(0, 1));
  CHECK(between.all<RaiseSignal>().size() == 1);
  CHECK(between.to_worker == framed(kPing));
}
