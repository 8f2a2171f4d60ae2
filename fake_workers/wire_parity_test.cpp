#include <set>
#include <string>
#include <vector>

#include "fake_workers/needs.hpp"
#include "fake_workers/parity_testing.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/wires.hpp"

/// The C++ worker and its Python relative on each wire, in each speech: sound answers, odd inputs,
/// each fault, lost streams, and what both refuse to be.
namespace poolproof::faults {
namespace {

using wire::Framing;
using wire::Speech;
using wire::Wire;
using namespace std::string_literals;

constexpr std::size_t kLimit = 2000;

/// How a worker is spoken to.
struct Tongue {
  Framing framing;
  Speech speech;

  [[nodiscard]] const wire::SpeechRow& row() const { return wire::row_of(speech); }
  [[nodiscard]] std::string name() const {
    return fmt::format("{} of {} bytes, {}", wire::row_of(framing.wire).name, framing.prefix_bytes,
                       row().name);
  }
  [[nodiscard]] Argv options() const {
    Argv all{"--wire",
             std::string(wire::row_of(framing.wire).name),
             "--speech",
             std::string(row().name),
             "--max-frame-bytes",
             std::to_string(framing.max_frame_bytes)};
    if (framing.wire != Wire::prefix) return all;
    all.insert(all.end(), {"--prefix-bytes", std::to_string(framing.prefix_bytes), "--byte-order",
                           framing.little_endian ? "little" : "big"});
    return all;
  }
  [[nodiscard]] std::string call(int id, std::string_view command,
                                 const Json& args = Json::object()) const {
    return row().request(id, command, args, "now");
  }
  /// What begins a conversation: the greeting, if there is none, a ping.
  [[nodiscard]] std::string greeting() const {
    return row().greeting == nullptr ? call(0, "ping") : row().greeting("0.0", "now");
  }
  /// What makes a worker leave.
  [[nodiscard]] std::vector<std::string> goodbye(int id) const {
    if (row().goodbye != nullptr) return row().goodbye(id, "0.0", "now");
    return {call(id, "shutdown")};
  }
};

Framing on(Wire wire) {
  return {4, kLimit, wire};
}

std::vector<Tongue> tongues() {
  std::vector<Tongue> all;
  for (const wire::WireRow* const row : wire::wires()) {
    if (row->on_channel) continue;  // the same lines, in other places: wrap's tests hold these
    for (const wire::SpeechRow* const speech : wire::speeches())
      all.push_back({on(row->wire), speech->speech});
  }
  all.push_back({{8, kLimit}, Speech::mcp});
  all.push_back({{8, kLimit, Wire::prefix, true}, Speech::lsp});
  all.push_back({{2, kLimit, Wire::prefix, true}, Speech::bridge});
  all.push_back({{1, kLimit}, Speech::json_rpc});
  return all;
}

void append(std::vector<std::string>& into, const std::vector<std::string>& more) {
  into.insert(into.end(), more.begin(), more.end());
}

/// What people and other programs send, too.
std::vector<std::string> odd_messages(Speech speech) {
  std::vector<std::string> odd{
      "[]",
      "{",
      "nonsense",
      "\xff",
      "null",
      "3",
      "{}",
      "\xef\xbb\xbf{}",
      R"({"id":null,"method":"echo"})",
      R"({"id":1.5,"method":"echo"})",
      R"({"id":true,"method":"echo"})",
      R"({"id":"t \"\u00e9","method":"echo","params":{"a":1}})",
      R"({"id":"","method":"fail"})",
      R"({"id":-5,"method":"echo"})",
      R"({"id":9223372036854775808,"method":"echo"})",
      R"({"id":1,"method":1})",
      R"({"method":1})",
      R"({"id":2})",
      R"({"id":2,"result":{}})",
      R"({"id":"x","error":{"code":1,"message":"m"}})",
      R"({"error":{}})",
      R"({"result":null,"method":"echo"})",
      R"({"id":3,"method":"echo","params":[]})",
      R"({"id":3,"method":"echo","params":null})",
      R"({"id":3,"method":"nonsense"})",
      R"({"id":3,"method":"ping","params":{}})",
      R"({"id":3,"method":"exit"})",
      R"([{"id":3,"method":"ping"}])",
      R"({"jsonrpc":"2.0","method":"$/progress","params":{"x":[]}})",
      R"({"id":4,"method":"tools/call","params":{}})",
      R"({"id":4,"method":"tools/call","params":{"name":1}})",
      R"({"id":4,"method":"tools/call","params":{"name":"echo"}})",
      R"({"id":4,"method":"tools/call","params":{"name":"echo","arguments":[]}})",
      R"({"id":4,"method":"tools/call","params":{"name":"nonsense","arguments":{}}})",
      R"({"id":4,"method":"tools/call","params":{"name":"ping","arguments":{"nonce":"a:1"}}})",
      R"({"id":"u","method":"tools/call","params":{"name":"fail","arguments":{"message":"\u00e9"}}})",
      R"({"id":4,"method":"tools/list"})",
      R"({"id":4,"method":"resources/list"})",
      R"({"id":4,"method":"initialize","params":{"capabilities":{}}})",
  };
  if (speech == Speech::mcp) odd.emplace_back(R"({"id":5,"method":"shutdown"})");
  if (speech != Speech::lsp) odd.emplace_back(R"({"jsonrpc":"2.0","method":"exit"})");
  return odd;
}

/// Every command, good and bad.
std::vector<std::string> commands(const Tongue& tongue) {
  const std::vector<std::pair<std::string, Json>> asked{
      {"ping", Json::object()},
      {"echo", {{"b", {1, -2.5, nullptr}}, {"a", "\u00e9\n\"\\\x7f"}}},
      {"sleep", {{"ms", 1}}},
      {"sleep", Json::object()},
      {"compute", {{"n", 100}}},
      {"grow", {{"bytes", 10}}},
      {"grow", Json::object()},
      {"session_put", {{"session", "s"}, {"key", "k"}, {"value", {1}}}},
      {"session_get", {{"session", "s"}, {"key", "k"}}},
      {"session_get", {{"session", "s"}}},
      {"fail", {{"message", "m\u00e9"}}},
      {"nonsense", Json::object()},
      {"echo", {{"long", std::string(100, 'x')}}},
      {"echo", {{"too_long", std::string(kLimit - 100, 'x')}}},
      {"fail", {{"message", std::string(kLimit - 100, 'x')}}},
      {"stats", Json::object()},
  };
  std::vector<std::string> all;
  for (const auto& [command, args] : asked) {
    const std::string message = tongue.call(static_cast<int>(all.size()) + 1, command, args);
    if (message.size() <= tongue.framing.payload_limit()) all.push_back(message);
  }
  return all;
}

/// The same as others would write it, and an empty frame.
std::string odd_frames(const Framing& framing, const std::string& payload) {
  const std::string empty = wire::header_of(framing, 0).append(wire::end_of(framing));
  if (framing.by_lines()) return empty + payload + "\r\n\r\n" + payload + "\n";
  if (framing.wire != Wire::headers) return empty + frame(payload, framing);
  return empty +
         fmt::format("content-length:{}\r\nContent-Type: x; y\r\n\r\n{}", payload.size(), payload);
}

TEST_CASE("fake_workers: wire parity: each wire carries each speech alike, odd messages too") {
  for (const Tongue& tongue : tongues()) {
    INFO(tongue.name());
    std::vector<std::string> messages{tongue.greeting()};
    if (!tongue.row().greeted.empty()) messages.emplace_back(tongue.row().greeted);
    append(messages, commands(tongue));
    append(messages, odd_messages(tongue.speech));
    std::string input = frames(messages, tongue.framing);
    input += odd_frames(tongue.framing, tongue.call(7, "stats"));
    // A language server that was told to leave is asked once more.
    std::vector<std::string> end = tongue.goodbye(8);
    if (tongue.speech == Speech::lsp) end.insert(end.begin() + 1, tongue.call(9, "echo"));
    const Seen seen = check_same({tongue.options(), input + frames(end, tongue.framing), {}, {}});
    CHECK(seen.exit.code == 0);
    CHECK_FALSE(seen.out.empty());
  }
}

/// It strikes at a reply, and the worker lives on as if nothing had been.
bool strikes_at_replies(const Fault& fault, Wire wire) {
  const bool in_hand = fault.moment == Moment::reply || fault.moment == Moment::request ||
                       fault.moment == Moment::idle;
  return in_hand && fault.end == End::lives && fault.closes == Closes::nothing &&
         can_strike_on(fault, wire);
}

TEST_CASE("fake_workers: wire parity: each fault of a reply is the same in each wire and speech") {
  for (const Tongue& tongue : tongues()) {
    INFO(tongue.name());
    Json faults = Json::array();
    std::vector<std::string> messages{tongue.greeting()};
    const auto call = [&] {
      const int id = static_cast<int>(messages.size());
      messages.push_back(tongue.call(
          id, "echo", {{"x", std::string(static_cast<std::size_t>(id), 'x') + "\u00e9"}}));
    };
    for (const Fault& fault : catalogue()) {
      if (!strikes_at_replies(fault, tongue.framing.wire)) continue;
      for (Json& once : planned_in_all_words(fault)) {
        once["at"] = {{"request", messages.size()}};
        faults.push_back(std::move(once));
        call();
      }
    }
    for (const int keep_bytes : {1, 30, 1'000'000}) {
      faults.push_back({{"fault", "frame_inside_reply"},
                        {"at", {{"request", messages.size()}}},
                        {"keep_bytes", keep_bytes}});
      call();
    }
    const std::size_t planned = faults.size();
    const TemporaryFile plan(plan_text(std::move(faults)));
    Argv options = tongue.options();
    options.insert(options.end(), {"--plan", plan.path()});
    const Seen seen = check_same({options, frames(messages, tongue.framing), {}, {}});
    std::size_t receipts = 0;
    for (const std::string& line : seen.journal)
      receipts += line.find("\"receipt\"") != line.npos ? 1 : 0;
    CHECK(receipts == planned);
  }
}

/// The conversation of a client, and TERM for those whom nothing else ends.
Script script_for(std::string_view fault, const Tongue& tongue) {
  std::vector<std::string> first{tongue.greeting()};
  std::vector<std::string> rest;
  if (!tongue.row().greeted.empty()) rest.emplace_back(tongue.row().greeted);
  rest.push_back(tongue.call(1, "echo", {{"nonce", "a:1"}, {"s", "\u00e9"}}));
  append(rest, tongue.goodbye(2));
  Script script;
  script.input = frames(first, tongue.framing);
  if (fault == "term_ignored") {
    script.term = Term{"wrote"};
    script.input_after_term = frames(rest, tongue.framing);
    return script;
  }
  script.input += frames(rest, tongue.framing);
  if (fault == "reading_stopped" || fault == "stdin_closed") script.term = Term{"receipt"};
  if (fault == "stdin_end_ignored") script.term = Term{"receipt", 2};
  return script;
}

void check_lives(const Tongue& tongue) {
  for (const Fault& fault : catalogue()) {
    const Wire wire = tongue.framing.wire;
    if (strikes_at_replies(fault, wire) || !can_strike_on(fault, wire)) continue;
    INFO(fault.name << " with " << tongue.name());
    const TemporaryFile plan(plan_text(Json::array({planned(fault)})));
    Script script = script_for(fault.name, tongue);
    script.options = tongue.options();
    script.options.insert(script.options.end(), {"--plan", plan.path()});
    CHECK(has_receipt(check_same(script), fault.name) == (fault.moment != Moment::launch));
  }
}

TEST_CASE("fake_workers: wire parity: what ends or closes does so alike: prefix, little-endian") {
  check_lives({{8, kLimit, Wire::prefix, true}, Speech::json_rpc});
}

TEST_CASE("fake_workers: wire parity: what ends or closes does so alike: varint") {
  check_lives({on(Wire::varint), Speech::bridge});
}

TEST_CASE("fake_workers: wire parity: what ends or closes does so alike: lines") {
  check_lives({on(Wire::lines), Speech::mcp});
}

TEST_CASE("fake_workers: wire parity: what ends or closes does so alike: headers") {
  check_lives({on(Wire::headers), Speech::lsp});
}

TEST_CASE("fake_workers: wire parity: reading stops within a request that came with others") {
  for (const Tongue& tongue :
       {Tongue{on(Wire::varint), Speech::json_rpc}, Tongue{on(Wire::lines), Speech::mcp},
        Tongue{on(Wire::headers), Speech::lsp}}) {
    for (const int keep_bytes : {1, 30, 130, 1000}) {
      INFO(tongue.name() << " keeps " << keep_bytes);
      const TemporaryFile plan(plan_text(Json::array({{{"fault", "reading_stopped"},
                                                       {"at", {{"request", 1}}},
                                                       {"keep_bytes", keep_bytes},
                                                       {"then", "answer"}}})));
      Script script = script_for("", tongue);
      script.options = tongue.options();
      script.options.insert(script.options.end(), {"--plan", plan.path()});
      // What is longer than any request stops no worker.
      if (keep_bytes < 100) script.term = Term{"wrote", 2};
      CHECK(has_receipt(check_same(script), "reading_stopped") == (keep_bytes < 100));
    }
  }
}

TEST_CASE("fake_workers: wire parity: both lose the same streams, and say the same of them") {
  const std::vector<std::pair<Framing, std::string>> streams{
      {{8, kLimit}, "Warning: not a frame"},
      {{4, kLimit, Wire::prefix, true}, "\x01\x00\x00\x01{}"s},
      {on(Wire::varint), std::string(9, '\xff') + "\x02"s},
      {on(Wire::varint), "{\"id\":1}"},
      {on(Wire::varint), "\x80\x80\x80\x80\x01xy"s},
      {on(Wire::lines), std::string(kLimit + 1, 'x')},
      {on(Wire::lines), std::string(kLimit + 2, 'x') + "\r\n"},
      {on(Wire::lines), "{\"id\":1"},
      {on(Wire::headers), "Content-Length: 5\r\n\r\nabc"},
      {on(Wire::headers), "{\"id\":1}\n"},
      {on(Wire::headers), "Content-Length: 2\n\n{}"},
      {on(Wire::headers), "Content-Length: 2\r\nContent-length: 2\r\n\r\n{}"},
      {on(Wire::headers), "Content-Type: x\r\n\r\n{}"},
      {on(Wire::headers), "Content-Length: -2\r\n\r\n{}"},
      {on(Wire::headers), "Content-Length: 2001\r\n\r\n{}"},
      {on(Wire::headers), "Content-Length: " + std::string(5000, '9') + "\r\n\r\n{}"},
      {on(Wire::headers), "Content-Length: 99999999999999999999999\r\n\r\n{}"},
      {on(Wire::headers), "A: " + std::string(kLimit, 'x')},
  };
  for (const auto& [framing, stream] : streams) {
    const Tongue tongue{framing, Speech::json_rpc};
    INFO(tongue.name() << ": " << printable(stream, 60));
    const Seen seen = check_same({tongue.options(), stream, {}, {}});
    CHECK(seen.exit.code == 1);
    CHECK(std::ranges::count(seen.err, '\n') == 1);
  }
}

void check_both_refuse(const Argv& options, const Argv& variables = {}) {
  std::set<std::string> lines;
  for (const Argv& program : {kCpp, kPython}) {
    Argv argv = program;
    argv.insert(argv.end(), options.begin(), options.end());
    Argv environment = kEnvironment;
    environment.insert(environment.end(), variables.begin(), variables.end());
    RunningProgram refused(argv, environment);
    lines.insert(refused.read_stderr());
    CHECK(refused.wait() == ExitStatus{64, 0});
  }
  CAPTURE(lines);
  CHECK(lines.size() == 1);
}

TEST_CASE("fake_workers: wire parity: both refuse a fault that can't strike, in the same words") {
  for (const wire::WireRow* const row : wire::wires()) {
    for (const Fault& fault : catalogue()) {
      if (can_strike_on(fault, row->wire)) continue;
      INFO(fault.name << " on " << row->name);
      check_both_refuse({"--fault", std::string(fault.name), "--wire", std::string(row->name)});
    }
  }
}

TEST_CASE("fake_workers: wire parity: both refuse the same options in the same words") {
  check_both_refuse({"--wire", "line"});
  check_both_refuse({"--wire", ""});
  check_both_refuse({"--speech", "MCP\n\u00e9\u202e\xff"});
  check_both_refuse({"--prefix-bytes", "3"});
  check_both_refuse({"--byte-order=Big"});
  check_both_refuse({"--prefix-bytes", "2", "--wire", "lines"});
  check_both_refuse({"--wire=headers", "--byte-order", "big", "--prefix-bytes", "4"});
  check_both_refuse({"--fault", "banner", "--at", "slot=1,slot=2"});
  check_both_refuse({"--fault", "banner", "--at", "slot=1", "--at", "slot=1"});
  check_both_refuse({"--fault", "banner", "--text", "a", "--text", "b"});
  for (const char* plan :
       {R"({"plan_version":1,"faults":[],"faults":[]})",
        R"({"plan_version":1,"faults":[{"fault":"banner","at":{"slot":1,"slot":2}}]})",
        R"({"plan_version":1,"faults":[{"fault":"banner","at":{},"a\u0074":{}}]})"}) {
    const TemporaryFile file(plan);
    check_both_refuse({"--plan", file.path()});
  }
  check_both_refuse({"--slot", std::string(300, '9')});
  check_both_refuse({}, {"POOLPROOF_WIRE=pipe"});
  check_both_refuse({}, {"POOLPROOF_SPEECH=json-rpc"});
  check_both_refuse({}, {"POOLPROOF_BYTE_ORDER=le"});
  check_both_refuse({}, {"POOLPROOF_PREFIX_BYTES=16"});
}

TEST_CASE("fake_workers: wire parity: the environment says which wire and which speech") {
  const std::string list = R"({"jsonrpc":"2.0","id":"l","method":"tools/list"})"
                           "\n";
  std::set<std::string> answers;
  for (const Argv& program : {kCpp, kPython}) {
    Argv environment = kEnvironment;
    environment.insert(environment.end(), {"POOLPROOF_WIRE=lines", "POOLPROOF_SPEECH=mcp"});
    RunningProgram server(program, environment);
    server.send(list);
    server.close_stdin();
    answers.insert(server.read_stdout());
    CHECK(server.wait() == ExitStatus{0, 0});
  }
  CAPTURE(answers);
  REQUIRE(answers.size() == 1);
  CHECK(Json::parse(*answers.begin())["result"]["tools"].size() == 9);
}

}  // namespace
}  // namespace poolproof::faults
