#include "harness/wrap/machine.hpp"

#include <algorithm>

#include <catch2/catch.hpp>

#include "harness/base/signals.hpp"
#include "harness/wrap/machine_testing.hpp"

using namespace poolproof;
using namespace poolproof::wrap;
using namespace poolproof::wrap::testing;
using namespace std::string_literals;

namespace {

constexpr auto kPing = R"({"args":{},"command":"ping","id":0})";
constexpr auto kPong = R"({"id":0,"result":{"a":[1,"}"]},"success":true,"timestamp":7})";

std::string framed(std::string_view payload) {
  return wire::encode_frame({}, payload).value();
}

/// What reaches the client of one ping and its pong.
std::string spoilt(const std::string& fault, Speech speech = Speech::bridge,
                   wire::Framing framing = {}, std::string_view ask = kPing,
                   std::string_view pong = kPong) {
  Between between(fault, speech, framing);
  between.ask(ask);
  between.reply(pong);
  return between.to_client;
}

std::string fault(const std::string& name, const std::string& more = "",
                  const std::string& at = "") {
  return R"({"fault":")" + name + R"(","at":{)" + at + "}" + more + "}";
}

}  // namespace

TEST_CASE("wrap: machine: each fault of a reply leaves of a real one what it leaves of a fake's") {
  const auto [name, more, bytes] = GENERATE(table<std::string, std::string, std::string>({
      {"reply_dropped", "", ""},
      {"reply_unframed", "", kPong + "\n"s},
      {"text_before_reply", R"(,"text":"hm\n")", "hm\n" + framed(kPong)},
      {"text_after_reply", R"(,"text":"ok\n")", framed(kPong) + "ok\n"},
      {"text_while_idle", R"(,"text":"tick\n")", framed(kPong) + "tick\n"},
      {"reply_twice", "", framed(kPong) + framed(kPong)},
      {"length_zero", "", "\0\0\0\0"s},
      {"length_too_long", R"(,"extra_bytes":2)", "\0\0\0\x3e"s + kPong},
      {"length_little_endian", "", "\x3c\0\0\0"s + kPong},
      {"json_invalid", "", framed(std::string(kPong).substr(0, 59))},
      {"json_deep", R"(,"depth":2)", framed("[[]]")},
      {"nan_result", "", framed(R"({"id":0,"result":NaN,"success":true,"timestamp":7})")},
      {"utf8_invalid", "",
       framed("{\"id\":0,\"result\":\"\xff\xfe\",\"success\":true,\"timestamp\":7}")},
      {"id_wrong", R"(,"offset":5)",
       framed(R"({"id":5,"result":{"a":[1,"}"]},"success":true,"timestamp":7})")},
      {"id_text", "", framed(R"({"id":"0","result":{"a":[1,"}"]},"success":true,"timestamp":7})")},
      {"success_missing", "", framed(R"({"id":0,"result":{"a":[1,"}"]},"timestamp":7})")},
      {"reply_reshaped", R"(,"shape":"no_result")",
       framed(R"({"id":0,"success":true,"timestamp":7})")},
      {"reply_reshaped", R"(,"shape":"null_id_error")",
       framed(R"({"id":null,"error":"the request has no integer id","success":false,)"
              R"("timestamp":7})")},
      {"reply_reshaped", R"(,"shape":"id_null")",
       framed(R"({"id":null,"result":{"a":[1,"}"]},"success":true,"timestamp":7})")},
      {"reply_reshaped", R"(,"shape":"null")", framed("null")},
      {"reply_reshaped", R"(,"shape":"batch")", framed("["s + kPong + "]")},
      {"frames_before_reply", R"(,"frames":2)",
       framed(R"({"event":"busy"})") + framed(R"({"event":"busy"})") + framed(kPong)},
      {"frames_before_reply", R"(,"shape":"request_same_id")",
       framed(R"({"command":"ping","id":0})") + framed(kPong)},
      {"frames_before_reply", R"(,"shape":"previous_reply")", framed(kPong)},
      {"frame_inside_reply", R"(,"keep_bytes":6)",
       framed(kPong).substr(0, 6) + framed(R"({"event":"busy"})") + framed(kPong).substr(6)},
      {"error_reply", R"(,"message":"no")",
       framed(R"({"id":0,"error":"no","success":false,"timestamp":7})")},
      {"reply_padded", R"(,"payload_bytes":62)", framed(kPong + "  "s)},
      {"reply_truncated", R"(,"then":"hang","keep_bytes":6)", framed(kPong).substr(0, 6)},
      {"banner", R"(,"text":"hi\n")", "hi\n" + framed(kPong)},
  }));
  CAPTURE(name, more);
  CHECK(spoilt(fault(name, more)) == bytes);
}

TEST_CASE("wrap: machine: a reply may come behind the one before, said once more") {
  Between between(fault("frames_before_reply", R"(,"shape":"previous_reply")", R"("request":2)"));
  const std::string pongs = framed(R"({"id":0,"success":true})") + framed(R"({"id":1,"a":[]})");
  for (const int id : {0, 1, 2}) {
    between.ask(R"({"command":"ping","id":)" + std::to_string(id) + "}");
    if (id < 2) between.reply(id == 0 ? R"({"id":0,"success":true})" : R"({"id":1,"a":[]})");
  }
  CHECK(between.to_client == pongs);
  between.reply(R"({"id":2})");
  CHECK(between.to_client == pongs + framed(R"({"id":1,"a":[]})") + framed(R"({"id":2})"));
}

TEST_CASE("wrap: machine: what answers a request that the worker never made does not reach it") {
  const std::string shape = GENERATE("request", "request_same_id");
  const wire::Framing lines{.wire = wire::Wire::lines};
  Between between(fault("frames_before_reply", R"(,"frames":2,"shape":")" + shape + "\""),
                  Speech::mcp, lines);
  between.ask(R"({"id":4,"method":"tools/call"})");
  between.reply(R"({"id":4,"result":{}})");
  const bool own = shape == "request";
  const std::string first = own ? R"("poolproof-0")" : "4";
  CHECK(between.to_client == R"({"id":)" + first + R"(,"jsonrpc":"2.0","method":"ping"})" + "\n" +
                                 R"({"id":)" + (own ? R"("poolproof-1")" : "4") +
                                 R"(,"jsonrpc":"2.0","method":"ping"})" + "\n" +
                                 R"({"id":4,"result":{}})" + "\n");
  const std::string before = between.to_worker;
  between.ask(R"({"id":)" + first + R"(,"result":{}})");
  between.ask(R"({"id":)" + (own ? R"("poolproof-1")"s : "4"s) + R"(,"error":{}})");
  CHECK(between.to_worker == before);
  // What answers the worker's own requests goes on to it, and so does the next request.
  const std::string rest = R"({"id":9,"result":{}})"
                           "\n"
                           R"({"id":4,"method":"tools/list"})"
                           "\n";
  between.from_client(rest);
  CHECK(between.to_worker == before + rest);
}

TEST_CASE("wrap: machine: headers are malformed, or count characters") {
  const wire::Framing headers{.wire = wire::Wire::headers};
  const auto sent = [&](const std::string& one, std::string_view pong) {
    return spoilt(one, Speech::lsp, headers, R"({"id":1,"method":"x"})", pong);
  };
  CHECK(sent(fault("header_malformed", R"(,"shape":"line_feed")"), R"({"id":1})") ==
        "Content-Length: 8\n\n{\"id\":1}");
  CHECK(sent(fault("length_in_characters"), "{\"id\":1,\"a\":\"\xc3\xbc\"}") ==
        "Content-Length: 16\r\n\r\n{\"id\":1,\"a\":\"\xc3\xbc\"}");
  CHECK(sent(fault("length_in_characters"), R"({"id":1})") ==
        "Content-Length: 8\r\n\r\n{\"id\":1}");
}

TEST_CASE("wrap: machine: behind a reply it may be killed, or close its output") {
  Between killed(fault("killed_while_idle", R"(,"signal":11)"));
  killed.ask(kPing);
  killed.reply(kPong);
  CHECK(killed.to_client == framed(kPong));
  CHECK(killed.all<RaiseSignal>() == std::vector<RaiseSignal>{{11}});
  Between closed(fault("stdout_closed_while_idle"));
  closed.ask(kPing);
  closed.reply(kPong);
  CHECK(closed.to_client == framed(kPong));
  CHECK(closed.all<CloseOutput>().size() == 1);
  closed.ask(kPing);
  CHECK(closed.to_worker == framed(kPing));
}

TEST_CASE("wrap: machine: a fault writes its receipt when it strikes, and not before") {
  Between between(fault("id_wrong", "", R"("request":1)"));
  between.ask(kPing);
  between.reply(kPong);
  CHECK(between.journal() == "started, read 0 ping, wrote 0");
  CHECK(between.to_client == framed(kPong));
  between.ask(R"({"command":"echo","id":1})");
  between.reply(R"({"id":1,"success":true})");
  CHECK(between.journal() ==
        "started, read 0 ping, wrote 0, read 1 echo, receipt id_wrong 1, wrote 1");
}

TEST_CASE("wrap: machine: JSON-RPC keeps its own members, ids and shape of an error") {
  const std::string ask = R"({"jsonrpc":"2.0","id":"a","method":"x"})";
  const std::string pong = R"({"jsonrpc": "2.0", "id": "a", "result": {"id": 3}})";
  const wire::Framing lines{.wire = wire::Wire::lines};
  const auto sent = [&](const std::string& one) {
    return spoilt(one, Speech::json_rpc, lines, ask, pong);
  };
  CHECK(sent(fault("error_reply", R"(,"message":"no")")) ==
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"error\":{\"code\":-32000,\"message\":\"no\"}}\n");
  CHECK(sent(fault("id_wrong")) == "{\"jsonrpc\":\"2.0\",\"id\":1,\"result\":{\"id\": 3}}\n");
  CHECK(sent(fault("utf8_invalid")) ==
        "{\"jsonrpc\":\"2.0\",\"id\":\"a\",\"result\":\"\xff\xfe\"}\n");
  CHECK(sent(fault("reply_unframed")) == pong);
  CHECK(sent(fault("reply_twice")) == pong + "\n" + pong + "\n");
}

TEST_CASE("wrap: machine: several faults of one reply each find what the one before left") {
  CHECK(spoilt(fault("id_wrong") + "," + fault("error_reply", R"(,"message":"no")") + "," +
               fault("json_invalid")) ==
        framed(R"({"id":1,"error":"no","success":false,"timestamp":7)"));
  // What stands in for all of it has no members any more.
  CHECK(spoilt(fault("json_deep", R"(,"depth":1)") + "," + fault("id_wrong")) == framed("[]"));
  CHECK(spoilt(fault("id_wrong") + "," + fault("reply_twice")).size() == 2 * framed(kPong).size());
}

TEST_CASE("wrap: machine: aimed by the method, the nth of it, and what the request says") {
  const auto struck = [](const std::string& at) {
    Between between(fault("reply_dropped", "", at), Speech::mcp, {.wire = wire::Wire::lines});
    const auto call = [&](int id, const std::string& method, const std::string& params) {
      between.ask(R"({"id":)" + std::to_string(id) + R"(,"method":")" + method + R"(","params":)" +
                  params + "}");
    };
    call(0, "initialize", "{}");
    between.ask(R"({"method":"notifications/initialized"})");
    call(1, "tools/call", R"({"name":"echo","arguments":{"nonce":"a:1"}})");
    call(2, "tools/list", "{}");
    call(3, "tools/call", R"({"name":"sum","arguments":{"nonce":"a:2"}})");
    std::string dropped;
    // In another order, and with what the worker says by itself in between.
    for (const int id : {3, 0, 2, 1}) {
      between.reply(R"({"method":"notifications/progress","params":{}})");
      between.reply(R"({"id":1,"method":"sampling/createMessage"})");
      const std::string reply = R"({"id":)" + std::to_string(id) + R"(,"result":{}})";
      const std::size_t before = between.to_client.size();
      between.reply(reply);
      if (between.to_client.size() == before) dropped += std::to_string(id);
    }
    return dropped;
  };
  CHECK(struck(R"("method":"tools/call","nth":2)") == "3");
  CHECK(struck(R"("method":"tools/call")") == "31");
  CHECK(struck(R"("contains":"\"sum\"")") == "3");
  CHECK(struck(R"("contains":"nonce","nth":1)") == "1");
  CHECK(struck(R"("request":0)") == "0");
  CHECK(struck(R"("request":2)") == "2");
  CHECK(struck(R"("client":"a","call":2)") == "3");
  CHECK(struck(R"("method":"tools/cal")").empty());
  CHECK(struck(R"("slot":7)").empty());
}

TEST_CASE("wrap: machine: without ids replies belong to requests in their order") {
  Between between(fault("reply_dropped", "", R"("request":1)"), Speech::opaque,
                  {.wire = wire::Wire::varint});
  for (const auto* const bytes : {"one", "two", "three"}) between.ask(bytes);
  for (const auto* const bytes : {"1", "2", "3"}) between.reply(bytes);
  CHECK(between.to_client == "\x01"s + "1\x01" + "3");
}

TEST_CASE("wrap: machine: a late reply comes late, and holds no other one") {
  Between between(fault("reply_late", R"(,"delay_ms":300)", R"("request":0)"));
  between.ask(kPing);
  between.ask(R"({"command":"echo","id":1})");
  between.reply(kPong);
  between.reply(R"({"id":1,"success":true})");
  CHECK(between.to_client == framed(R"({"id":1,"success":true})"));
  CHECK(between.machine.next_deadline(between.now) ==
        after(between.now, std::chrono::milliseconds(300)));
  between.pass(299);
  CHECK(between.all<End>().empty());
  CHECK_FALSE(between.to_client.ends_with(framed(kPong)));
  between.pass(1);
  CHECK(between.to_client.ends_with(framed(kPong)));
}

TEST_CASE("wrap: machine: a worker that is told to leave meanwhile still says what is late") {
  Between between(fault("reply_late", R"(,"delay_ms":300)"));
  between.ask(kPing);
  between.reply(kPong);
  between.end_input();
  CHECK(between.all<EndWorkerInput>().size() == 1);
  between.exit({0, 0});
  CHECK(between.all<End>().empty());
  between.pass(300);
  CHECK(between.to_client == framed(kPong));
  CHECK(between.all<End>() == std::vector{End{{0, 0}}});
}

TEST_CASE("wrap: machine: what is killed says nothing more") {
  Between between(fault("reply_late", R"(,"delay_ms":300)"));
  between.ask(kPing);
  between.reply(kPong);
  between.exit({0, SIGKILL});
  CHECK(between.to_client.empty());
  CHECK(between.all<End>() == std::vector{End{{0, SIGKILL}}});
}

TEST_CASE("wrap: machine: chunks are writes of their own, with pauses after each") {
  Between between(fault("reply_trickled", R"(,"gap_ms":10,"chunk_bytes":40)"));
  between.ask(kPing);
  between.reply(kPong);
  CHECK(between.writes.size() == 1);
  between.pass(10);
  CHECK(between.to_client == framed(kPong));
  CHECK(between.writes.size() == 2);
  CHECK(between.journal().ends_with("wrote 0"));
}

TEST_CASE("wrap: machine: a process that is to end in a call never has the request passed on") {
  Between between(fault("exit_mid_call", R"(,"code":5)", R"("request":1)"));
  between.ask(kPing);
  between.ask(R"({"command":"echo","id":1})");
  CHECK(between.to_worker == framed(kPing));
  CHECK(between.all<End>() == std::vector{End{{5, 0}}});
  CHECK(between.journal().ends_with("read 1 echo, receipt exit_mid_call 1, exiting"));
}

TEST_CASE("wrap: machine: a signal that is survived changes nothing but the order of things") {
  Between between(fault("killed_mid_call", R"(,"signal":19)"));
  between.ask(kPing);
  CHECK(between.all<RaiseSignal>() == std::vector{RaiseSignal{SIGSTOP}});
  CHECK(between.to_worker == framed(kPing));
  Between dead(fault("killed_mid_call"));
  dead.ask(kPing);
  CHECK(dead.all<RaiseSignal>() == std::vector{RaiseSignal{SIGKILL}});
  CHECK(dead.to_worker.empty());
}

TEST_CASE("wrap: machine: faults of a start come before the worker") {
  Between slow(fault("import_slow", R"(,"delay_ms":50)"));
  CHECK(slow.all<StartWorker>().empty());
  CHECK(slow.machine.wants_client() == 0);
  slow.pass(50);
  CHECK(slow.all<StartWorker>().size() == 1);
  CHECK(slow.machine.wants_client() > 0);
  Between dead(fault("exit_at_start", R"(,"code":3,"stderr_text":"no")"));
  CHECK(dead.all<StartWorker>().empty());
  CHECK(dead.all<SayAside>() == std::vector{SayAside{"no"}, SayAside{"\n"}});
  CHECK(dead.all<End>() == std::vector{End{{3, 0}}});
}

TEST_CASE("wrap: machine: a slow start that is told to leave ends by that") {
  Between slow(fault("import_slow", R"(,"delay_ms":50)"));
  slow.term();
  CHECK(slow.all<End>() == std::vector{End{{0, SIGTERM}}});
  slow.pass(50);
  CHECK(slow.all<StartWorker>().empty());
}

TEST_CASE("wrap: machine: a closed stream is closed for the client alone") {
  Between out(fault("stdout_closed"));
  out.ask(kPing);
  CHECK(out.all<CloseOutput>().size() == 1);
  CHECK(out.to_worker.empty());
  out.reply(kPong);
  CHECK(out.to_client.empty());
  out.end_input();
  CHECK(out.all<EndWorkerInput>().size() == 1);
  Between in(fault("stdin_closed"));
  in.ask(kPing);
  in.reply(kPong);
  CHECK(in.to_client == framed(kPong));
  CHECK(in.all<CloseInput>().size() == 1);
  CHECK(in.all<EndWorkerInput>().empty());
  CHECK(in.machine.wants_client() == 0);
}

TEST_CASE("wrap: machine: a cut reply ends in each of its ways") {
  const auto cut = [](const std::string& then) {
    Between between(fault("reply_truncated", R"(,"keep_bytes":2,"code":4,"then":")" + then + "\""));
    between.ask(kPing);
    between.reply(kPong);
    CHECK(between.to_client == framed(kPong).substr(0, 2));
    return between;
  };
  CHECK(cut("exit").all<End>() == std::vector{End{{4, 0}}});
  CHECK(cut("kill").all<RaiseSignal>() == std::vector{RaiseSignal{SIGKILL}});
  CHECK(cut("close").all<CloseOutput>().size() == 1);
  Between hangs = cut("hang");
  CHECK(hangs.machine.wants_client() == 0);
  hangs.reply(kPong);
  CHECK(hangs.to_client == framed(kPong).substr(0, 2));
  hangs.term();
  CHECK(hangs.all<SignalWorker>() == std::vector{SignalWorker{SIGTERM}});
}

TEST_CASE("wrap: machine: an unflushed reply comes with the end") {
  Between between(fault("reply_unflushed"));
  between.ask(kPing);
  between.reply(kPong);
  CHECK(between.to_client.empty());
  between.end_input();
  CHECK(between.to_client == framed(kPong));
  Between late(fault("reply_unflushed"));
  late.ask(kPing);
  late.end_input();
  late.reply(kPong);
  CHECK(late.to_client.empty());
  late.exit({});
  CHECK(late.to_client == framed(kPong));
}

TEST_CASE("wrap: machine: whoever is to be told to leave is not told, or takes its time") {
  Between deaf(fault("stdin_end_ignored"));
  deaf.end_input();
  CHECK(deaf.all<EndWorkerInput>().empty());
  Between calm(fault("term_ignored"));
  calm.term();
  CHECK(calm.all<SignalWorker>().empty());
  CHECK(calm.journal() == "started, receipt term_ignored");
  Between slow(fault("exit_slow", R"(,"delay_ms":80)") + "," +
               fault("exit_code_at_shutdown", R"(,"code":9)"));
  slow.term();
  CHECK(slow.all<SignalWorker>().size() == 1);
  slow.machine.worker_output_ended(slow.now);
  slow.exit({0, SIGTERM});
  CHECK(slow.all<End>().empty());
  CHECK(slow.all<CloseOutput>().empty());
  slow.pass(80);
  CHECK(slow.all<End>() == std::vector{End{{9, 0}}});
}

TEST_CASE("wrap: machine: a shutdown that is not obeyed outlives the worker") {
  Between between(fault("shutdown_not_obeyed"));
  between.ask(R"({"command":"shutdown","id":0})");
  between.reply(R"({"id":0,"success":true})");
  between.exit({});
  CHECK(between.all<End>().empty());
  CHECK(between.all<CloseOutput>().empty());
  CHECK(between.machine.wants_client() > 0);
  between.end_input();
  CHECK(between.all<End>() == std::vector{End{{0, 0}}});
}

TEST_CASE("wrap: machine: what breaks the wire is passed on as it is, and noted") {
  Between between("", Speech::bridge);
  between.reply(kPong);
  between.from_worker("Traceback (most recent call last)\n");
  between.from_worker("more\n");
  between.end_input();
  between.exit({1, 0});
  CHECK(between.to_client == framed(kPong) + "Traceback (most recent call last)\nmore\n");
  const auto records = between.all<faults::JournalRecord>();
  REQUIRE(records.size() == 4);
  CHECK(records[1].kind == faults::JournalRecord::Kind::misframed);
  CHECK_THAT(records[1].text, Catch::StartsWith("the worker: frame length 1416782179 is above"));
  CHECK(between.all<End>() == std::vector{End{{1, 0}}});
}

TEST_CASE("wrap: machine: a broken line spoils no later one") {
  Between between(fault("reply_dropped"), Speech::json_rpc, {4, 30, wire::Wire::lines});
  between.ask(R"({"id":1,"method":"x"})");
  between.from_worker("\n" + std::string(100, 'x') + "\nlog\n" + R"({"id":1,"result":1})" + "\n");
  CHECK(between.to_client == "\n" + std::string(100, 'x') + "\nlog\n");
  const auto records = between.all<faults::JournalRecord>();
  CHECK(std::ranges::count(records, faults::JournalRecord::Kind::misframed,
                           &faults::JournalRecord::kind) == 2);
}

TEST_CASE("wrap: machine: nothing is read on while the other side takes nothing") {
  Between between(fault("reply_dropped", "", R"("request":7)"), Speech::opaque);
  between.takes = 0;
  std::size_t let_in = 0;
  const std::string one = between.frame(std::string(60'000, 'x'));
  while (between.machine.wants_worker() > 0) {
    const std::size_t part = std::min(one.size(), between.machine.wants_worker());
    let_in += part;
    between.from_worker(one.substr(0, part));
  }
  CHECK(let_in <= 4 * one.size());
  let_in = 0;
  while (between.machine.wants_client() > 0) {
    let_in += one.size();
    between.from_client(one);
  }
  CHECK(let_in <= 4 * one.size());
}

TEST_CASE("wrap: machine: a client that reads no more closes the worker's stdout") {
  Between between(fault("reply_late"));
  between.ask(kPing);
  between.reply(kPong);
  between.machine.client_left();
  between.pass(1000);
  CHECK(between.to_client.empty());
  between.exit({3, 0});
  CHECK(between.all<End>() == std::vector{End{{3, 0}}});
}
