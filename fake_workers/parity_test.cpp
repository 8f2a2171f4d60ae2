#include <algorithm>
#include <map>
#include <sstream>
#include <string>
#include <vector>

#include "fake_workers/needs.hpp"
#include "fake_workers/parity_testing.hpp"
#include "fake_workers/reply.hpp"

/// The C++ worker and its Python relative: the same plan and the same input give the same bytes,
/// the same journal and the same end.
namespace poolproof::faults {
namespace {

constexpr wire::Framing kFour{};

std::string message(int id, const std::string& command, const std::string& args = "{}") {
  return "{\"id\":" + std::to_string(id) + ",\"command\":\"" + command + "\",\"args\":" + args +
         ",\"timestamp\":\"2024-01-01T00:00:00Z\"}";
}

/// Ping, a call of client a, and the request to leave.
std::vector<std::string> conversation() {
  return {message(0, "ping", R"({"initialization":true,"worker_id":"0.0"})"),
          message(1, "echo",
                  R"({"nonce":"a:1","s":"h\u00e9 \u4e2d\ud83d\ude00 \"\\\n\u007f","n":[1,2.5]})"),
          message(2, "shutdown")};
}

/// The conversation, and TERM for those whom nothing else ends.
Script script_for(std::string_view fault, const wire::Framing& framing) {
  Script script;
  script.input = frames(conversation(), framing);
  if (fault == "reading_stopped" || fault == "stdin_closed") script.term = Term{"receipt"};
  if (fault == "stdin_end_ignored") script.term = Term{"receipt", 2};
  if (fault == "term_ignored") {
    const auto all = conversation();
    script.input = frames({all[0]}, framing);
    script.term = Term{"wrote"};
    script.input_after_term = frames({all[1], all[2]}, framing);
  }
  return script;
}

/// The fault as planned, with that framing.
Seen shown_by_both(const Fault& fault, const Json& once, const wire::Framing& framing) {
  const TemporaryFile plan(plan_text(Json::array({once})));
  Script script = script_for(fault.name, framing);
  script.options = {"--plan",
                    plan.path(),
                    "--prefix-bytes",
                    std::to_string(framing.prefix_bytes),
                    "--max-frame-bytes",
                    std::to_string(framing.max_frame_bytes)};
  return check_same(script);
}

TEST_CASE("fake_workers: parity: every fault gives the same bytes and the same journal") {
  for (const wire::Framing framing : {wire::Framing{}, wire::Framing{2, 60'000}}) {
    for (const Fault& fault : catalogue()) {
      for (const Json& once : planned_in_all_words(fault)) {
        INFO(once.dump() << " with " << int{framing.prefix_bytes} << " bytes of length");
        const Seen seen = shown_by_both(fault, once, framing);
        // Where no worker runs, it has nothing to show, and whoever starts workers has the receipt.
        const bool shown = fault.moment != Moment::launch && can_strike_on(fault, framing.wire);
        CHECK(has_receipt(seen, fault.name) == shown);
      }
    }
  }
}

TEST_CASE("fake_workers: parity: frames about the limit are the same") {
  for (const wire::Framing framing :
       {wire::Framing{4, 1000}, wire::Framing{2, 1000}, wire::Framing{1, 1000}}) {
    for (const std::string fault : {"length_over_limit", "reply_padded"}) {
      INFO(fault << " with " << int{framing.prefix_bytes} << " bytes of length");
      Json everywhere = planned(*find(fault));
      everywhere["at"] = {{"slot", 0}};
      const TemporaryFile plan(plan_text(Json::array({everywhere})));
      Script script = script_for(fault, framing);
      script.options = {"--plan",
                        plan.path(),
                        "--prefix-bytes",
                        std::to_string(framing.prefix_bytes),
                        "--max-frame-bytes",
                        "1000"};
      const Seen seen = check_same(script);
      const std::size_t over = fault == "reply_padded" ? 0 : 1;
      CHECK(seen.out.size() == 3 * (framing.prefix_bytes + framing.payload_limit() + over));
    }
  }
}

TEST_CASE("fake_workers: parity: every ending within a frame is the same") {
  const std::size_t pong_bytes =
      run(kCpp, {{}, frames({conversation().front()}, kFour), {}, {}}).out.size();
  for (const std::string fault : {"reply_truncated", "reading_stopped"}) {
    for (const std::string_view then : kReadEndingNames) {
      if (then == "answer" && fault == "reply_truncated") continue;
      for (const int keep_bytes : {0, 3, 4, 20, 100'000}) {
        INFO(fault << " keeps " << keep_bytes << ", then " << then);
        const Json cut{{"fault", fault},
                       {"at", {{"request", 1}}},
                       {"keep_bytes", keep_bytes},
                       {"then", then},
                       {"code", 5}};
        const TemporaryFile plan(plan_text(Json::array({cut})));
        Script script{{"--plan", plan.path()}, frames(conversation(), kFour), {}, {}};
        const bool reads = fault == "reading_stopped";
        const bool strikes = !reads || keep_bytes < 100'000;
        const bool stays = then == "hang" || then == "answer" || (then == "close" && reads);
        if (strikes && stays) script.term = Term{"receipt"};
        // What is kept of the reply comes after the receipt, and the whole of it is noted last.
        if (!reads && stays)
          script.term->out_bytes = pong_bytes + static_cast<std::size_t>(std::min(keep_bytes, 100));
        if (!reads && stays && keep_bytes == 100'000) script.term = Term{"wrote", 2};
        if (strikes && then == "answer") script.term = Term{"wrote", 2};
        CHECK(has_receipt(check_same(script), fault) == strikes);
      }
    }
  }
}

TEST_CASE(
    "fake_workers: parity: every shape of a reply is the same, alone and beside other faults") {
  for (const std::string_view shape : kShapeNames) {
    for (const std::string beside : {"", "id_wrong", "error_reply", "success_missing", "id_text"}) {
      for (const bool first : {true, false}) {
        INFO(shape << (first ? " before " : " after ") << beside);
        const Json reshaped{{"fault", "reply_reshaped"}, {"at", Json::object()}, {"shape", shape}};
        Json faults = Json::array({reshaped});
        if (!beside.empty()) {
          const Json other{{"fault", beside}, {"at", Json::object()}};
          faults.insert(first ? faults.end() : faults.begin(), other);
        }
        const TemporaryFile plan(plan_text(faults));
        CHECK(has_receipt(
            check_same({{"--plan", plan.path()}, frames(conversation(), kFour), {}, {}}),
            "reply_reshaped"));
      }
    }
  }
}

TEST_CASE("fake_workers: parity: faults aimed at the same request compose in the same way") {
  const std::vector<std::vector<std::string>> groups{
      {"reply_truncated", "text_while_idle", "reply_slow", "id_wrong", "stderr_flood"},
      {"json_invalid", "id_text", "reply_twice", "length_too_long"},
      {"length_over_limit", "reply_padded", "length_too_short", "json_invalid"},
      {"id_wrong", "json_invalid", "text_after_reply", "text_before_reply"},
      {"error_reply", "success_missing", "length_too_short", "reply_fragmented"},
      {"reply_dropped", "error_reply", "text_while_idle"},
      {"reply_unflushed", "reply_twice", "exit_code_at_shutdown", "exit_slow"},
      {"length_zero", "reply_unframed", "nan_result", "error_reply"},
      {"frames_before_reply", "text_before_reply", "frame_inside_reply", "reply_padded"},
      {"frame_inside_reply", "reply_twice", "reply_truncated"},
      {"json_invalid", "length_in_characters", "reply_padded"},
      {"stdout_closed_while_idle", "killed_while_idle"},
      {"exit_mid_call", "stderr_flood"},
      {"import_slow", "banner", "shutdown_not_obeyed"},
      {"banner", "exit_at_start", "import_slow"},
      {"exit_while_idle", "text_while_idle"},
      {"stdout_closed", "text_while_idle", "exit_code_at_shutdown"},
      {"input_read_as_lines", "exit_code_at_shutdown"},
  };
  for (const auto& group : groups) {
    Json faults = Json::array();
    std::string names;
    for (const std::string& name : group) {
      faults.push_back(planned(*find(name)));
      names += name + " ";
    }
    INFO(names);
    const TemporaryFile plan(plan_text(faults));
    check_same({{"--plan", plan.path()}, frames(conversation(), kFour), {}, {}});
  }
}

TEST_CASE("fake_workers: parity: TERM writes nothing of a reply that is still to come") {
  const TemporaryFile plan(plan_text(Json::array({planned(*find("reply_unflushed"))})));
  const std::vector<std::string> asked{message(0, "ping"),
                                       message(1, "sleep", R"({"nonce":"a:1","ms":60000})")};
  const Seen seen =
      check_same({{"--plan", plan.path()}, frames(asked, kFour), Term{R"("a:1")"}, {}});
  const auto wrote = std::ranges::count_if(
      seen.journal, [](const auto& line) { return line.find("wrote") != line.npos; });
  CHECK(wrote == 1);
  CHECK_FALSE(has_receipt(seen, "reply_unflushed"));
}

TEST_CASE("fake_workers: parity: of a reply that was cut to nothing nothing more is cut") {
  const Json emptied{{"fault", "json_deep"}, {"at", Json::object()}, {"depth", 1}};
  const Json cut{{"fault", "json_invalid"}, {"at", Json::object()}};
  for (const std::string then : {"json_invalid", "reply_padded", "length_too_short", "reply_twice",
                                 "reply_truncated", "text_after_reply"}) {
    INFO(then);
    Json faults = Json::array({emptied, cut, cut, cut, planned(*find(then))});
    const TemporaryFile plan(plan_text(std::move(faults)));
    CHECK(has_receipt(check_same({{"--plan", plan.path()}, frames(conversation(), kFour), {}, {}}),
                      "json_invalid"));
  }
}

TEST_CASE("fake_workers: parity: every command has the same answer, good or bad") {
  const std::vector<std::string> requests{
      message(0, "ping"),
      message(1, "echo", R"({"b":1,"a":{"d":[null,true,-0.5,1e100],"c":""}})"),
      message(2, "sleep", R"({"ms":1})"),
      message(3, "sleep", "{}"),
      message(4, "sleep", R"({"ms":true})"),
      message(5, "compute", R"({"n":1000})"),
      message(6, "compute", R"({"n":-1})"),
      message(6, "grow", R"({"bytes":10})"),
      message(6, "grow", R"({"bytes":-1})"),
      message(7, "session_put", R"({"session":"s","key":"k","value":{"x":"\u00e9"}})"),
      message(8, "session_get", R"({"session":"s","key":"k"})"),
      message(9, "session_get", R"({"session":"s","key":"l"})"),
      message(10, "session_get", R"({"session":"s"})"),
      message(11, "session_put", R"({"session":"s","key":"k"})"),
      message(12, "fail"),
      message(13, "fail", R"({"message":"m\u00e9"})"),
      message(14, "fail", R"({"message":1})"),
      message(15, "nons\\u00e9nse"),
      message(16, "stats"),
      message(17, "echo", "[]"),
      R"({"id":18,"command":"echo"})",
      R"({"id":true,"command":"ping"})",
      R"({"id":1.0,"command":"ping"})",
      R"({"id":"1","command":"ping"})",
      R"({"id":9223372036854775808,"command":"ping"})",
      R"({"id":123456789012345678901234567890,"command":"ping"})",
      R"({"id": 1.50e1 , "command":"ping"})",
      "{\"id\":\"" + std::string(126, 'x') + "\\u00e9\",\"command\":\"ping\"}",
      R"({"id":-5,"command":"ping"})",
      R"({"id":1,"command":1})",
      R"({"id":1})",
      "[]",
      "{",
      "nonsense",
      "\xff",
      R"({"id":1,"command":"echo","args":{"x":NaN}})",
      message(30, "stats"),
  };
  check_same(
      {{}, frames(requests, kFour) + std::string(4, '\0') + frame(message(31, "stats")), {}, {}});
}

TEST_CASE("fake_workers: parity: every id is noted the same, and spoilt the same") {
  const wire::Framing lines{4, 16U << 20U, wire::Wire::lines};
  const std::vector<std::string> requests{
      R"({"id":"req-1","method":"ping"})",
      R"({"id":"","method":"ping"})",
      R"({"id":"\u00e9\"\\\n\u007f","method":"ping"})",
      "{\"id\":\"" + std::string(126, 'x') + "\\u00e9\",\"method\":\"ping\"}",
      R"({"id":1.50,"method":"ping"})",
      R"({"id":18446744073709551616,"method":"ping"})",
      R"({"id":9,"method":"ping"})",
      R"({"id":[1],"method":"ping"})",
  };
  for (const Argv& fault : {Argv{}, Argv{"--fault", "id_text"}, Argv{"--fault", "id_wrong"},
                            Argv{"--fault", "reply_reshaped", "--shape", "id_fraction"}}) {
    Argv options{"--wire", "lines", "--speech", "json_rpc"};
    options.insert(options.end(), fault.begin(), fault.end());
    const Seen seen = check_same({options, frames(requests, lines), {}, {}});
    std::istringstream out(seen.out);
    for (std::string line; std::getline(out, line);) {
      INFO(line);
      CHECK(Json::accept(line));
    }
    const auto notes = [&](const std::string& id) {
      return std::ranges::any_of(seen.journal, [&](const std::string& line) {
        return line.find("\"id\":" + id + ",\"kind\":\"read\"") != std::string::npos;
      });
    };
    CHECK(notes(R"("\"req-1\"")"));
    CHECK(notes(R"("\"\"")"));
    CHECK(notes(R"("1.50")"));
    CHECK(notes(R"("18446744073709551616")"));
    CHECK(notes("9"));
    CHECK(notes("null"));
  }
}

TEST_CASE("fake_workers: parity: input that ends or leads nowhere ends both in the same way") {
  const std::string ping = frame(message(0, "ping"));
  check_same({{}, "", {}, {}});
  check_same({{}, ping + std::string("\0\0", 2), {}, {}});
  check_same({{}, ping + ping.substr(0, 20), {}, {}});
  check_same({{}, ping + "Warning", {}, {}});
  check_same({{"--slot", "3", "--generation", "4", "--worker-id", "w"}, ping, {}, {}});
  check_same({{"--prefix-bytes", "1"},
              frames({message(1, "echo", "{\"s\":\"" + std::string(150, 'x') + "\"}")}, {1, 255}),
              {},
              {}});
}

TEST_CASE("fake_workers: parity: both have the same fault table") {
  const auto table = [](Argv argv) {
    argv.emplace_back("--list");
    RunningProgram program(argv, kEnvironment);
    const Json list = Json::parse(program.read_stdout(), nullptr, false);
    CHECK(program.wait() == ExitStatus{0, 0});
    return list;
  };
  const Json cpp = table(kCpp);
  const Json python = table(kPython);
  REQUIRE(cpp.is_array());
  REQUIRE(python.is_array());
  CHECK(cpp.size() == catalogue().size());
  std::map<std::string, Json> in_python;
  for (const Json& row : python) in_python[row.at("name")] = row;
  for (const Json& row : cpp) {
    INFO("of " << row.at("name") << ", in Python's table");
    CHECK(row == in_python[row.at("name")]);
    in_python.erase(row.at("name"));
  }
  for (const auto& [name, row] : in_python) FAIL_CHECK("only Python has " << name);
  CHECK(cpp == python);  // in the same order
}

TEST_CASE("fake_workers: parity: both refuse to be the worker that can't be started") {
  for (const Argv& program : {kCpp, kPython}) {
    Argv argv = program;
    argv.insert(argv.end(), {"--fault", "start_fails"});
    RunningProgram refused(argv, kEnvironment);
    CHECK(refused.wait() == ExitStatus{64, 0});
    CHECK(refused.read_stderr().find("--fault start_fails: strikes before there is a worker") !=
          std::string::npos);
  }
}

TEST_CASE("fake_workers: parity: both refuse the same plans") {
  for (const char* fault :
       {R"({"fault":"reply_lat","at":{}})", R"({"fault":"reply_late"})",
        R"({"fault":"reply_late","at":{},"delay":1})",
        R"({"fault":"reply_late","at":{},"delay_ms":0})",
        R"({"fault":"reply_late","at":{},"delay_ms":true})",
        R"({"fault":"banner","at":{"request":0}})", R"({"fault":"reply_late","at":{"client":"a"}})",
        R"({"fault":"reply_late","at":{"client":"a","call":1,"slot":0}})",
        R"({"fault":"reading_stopped","at":{"client":"a","call":1}})",
        R"({"fault":"banner","at":{},"text":1})",
        R"({"fault":"reply_truncated","at":{},"then":"stop"})",
        R"({"fault":"reply_reshaped","at":{},"shape":"list"})",
        R"({"fault":"start_fails","at":{},"errno":"ENOMEM"})",
        R"({"fault":"start_fails","at":{"request":0}})"}) {
    INFO(fault);
    const TemporaryFile plan(std::string(R"({"plan_version":1,"faults":[)") + fault + "]}");
    for (const Argv& program : {kCpp, kPython}) {
      Argv argv = program;
      argv.insert(argv.end(), {"--plan", plan.path()});
      RunningProgram refused(argv, kEnvironment);
      CHECK(refused.wait() == ExitStatus{64, 0});
    }
  }
}

}  // namespace
}  // namespace poolproof::faults
