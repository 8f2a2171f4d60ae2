#include <catch2/catch.hpp>

#include "harness/wrap/jest.hpp"
#include "harness/wrap/machine_testing.hpp"

/// Which request a reply belongs to, whatever else is noted.
using namespace poolproof;
using namespace poolproof::wrap;
using testing::Between;

namespace {

std::string dropped(const std::string& at) {
  return R"({"fault":"reply_dropped","at":{)" + at + "}}";
}

}  // namespace

TEST_CASE("wrap: aims: without ids the nth reply belongs to the nth request") {
  const bool journals = GENERATE(false, true);
  const std::string at = GENERATE(R"("request":2)", R"("contains":"r2")");
  const auto wire = GENERATE(wire::Wire::lines, wire::Wire::varint, wire::Wire::node_ipc);
  Between between(dropped(at), Speech::opaque, {.wire = wire}, journals);
  for (const char* const request : {"r0", "r1", "r2", "r3"}) between.ask(request);
  for (const char* const reply : {"a0", "a1", "a2", "a3"}) between.reply(reply);
  CHECK(between.to_client == between.frame("a0") + between.frame("a1") + between.frame("a3"));
}

TEST_CASE("wrap: aims: a late reply holds its place in the order") {
  Between between(R"({"fault":"reply_late","at":{"request":1},"delay_ms":100})", Speech::opaque,
                  {.wire = wire::Wire::lines}, false);
  for (const char* const request : {"r0", "r1", "r2"}) between.ask(request);
  for (const char* const reply : {"a0", "a1", "a2"}) between.reply(reply);
  CHECK(between.to_client == "a0\na2\n");
  between.pass(100);
  CHECK(between.to_client == "a0\na2\na1\n");
}

TEST_CASE("wrap: aims: where requests have ids, a reply without one belongs to none") {
  Between between(dropped(R"("request":0)"), Speech::json_rpc, {.wire = wire::Wire::lines}, false);
  between.ask(R"({"id":1,"method":"x"})");
  const std::string nobodys = R"({"id":null,"error":{"code":-32700,"message":"what?"}})";
  between.reply(nobodys);
  CHECK(between.to_client == between.frame(nobodys));
  between.reply(R"({"id":1,"result":{}})");
  CHECK(between.to_client == between.frame(nobodys));
}

TEST_CASE("wrap: aims: jest's calls go by their order, and what else it says by none") {
  Between between(dropped(R"("method":"double","nth":1)"), Speech::jest,
                  {.wire = wire::Wire::node_ipc}, false);
  between.ask(R"([0,false,"/task.js",[]])");
  between.ask(R"([1,false,"other",[9]])");
  between.ask(R"([1,false,"double",[21]])");
  between.reply(R"([3,"of its own"])");
  between.reply("[0,9]");
  between.reply(R"([3,"once more"])");
  between.reply("[0,42]");
  CHECK(between.to_client == between.frame(R"([3,"of its own"])") + between.frame("[0,9]") +
                                 between.frame(R"([3,"once more"])"));
}

TEST_CASE("wrap: aims: jest's messages are read as V8 writes them, too") {
  const auto read = [](std::string_view bytes) {
    const auto message = read_jest_message(bytes);
    return message ? std::to_string(message->what) + " " + message->name : "none";
  };
  using namespace std::string_view_literals;
  // As Node 20 sends them: a call of double(21), its result, and the end.
  CHECK(read("\xff\x0f"
             "A\x04I\x02T\"\x06"
             "doubleA\x01I*$\0\x01$\0\x04"sv) == "1 double");
  CHECK(read("\xff\x0f"
             "A\x02I\0IT$\0\x02"sv) == "0 ");
  CHECK(read("\xff\x0f"
             "A\x02I\x04"
             "F$\0\x02"sv) == "2 ");
  CHECK(read(R"([1,false,"double",[21]])") == "1 double");
  for (const std::string_view other :
       {"\xff"sv, "\xff\x0f"sv, "\xff\x0f\"\x01x"sv, "\xff\x0fo$\0"sv,
        "\xff\x0f"
        "A"sv,
        "\xff\x0f"
        "A\x02I\x03"sv,
        "\xff\x0f"
        "A\x80"sv,
        "[]"sv, "{}"sv, "[\"x\"]"sv, ""sv, "[1"sv})
    CHECK(read(other) == "none");
}

TEST_CASE("wrap: aims: what Node says by itself is neither request nor reply") {
  Between between(dropped(R"("request":1)"), Speech::opaque, {.wire = wire::Wire::node_ipc}, false);
  const std::string own = R"({"cmd":"NODE_HANDLE_ACK"})";
  for (const std::string& request : {own, std::string("r0"), own, std::string("r1")})
    between.ask(request);
  for (const std::string& reply : {std::string("a0"), own, std::string("a1")}) between.reply(reply);
  CHECK(between.to_client == between.frame("a0") + between.frame(own));
}
