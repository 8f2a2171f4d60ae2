#include "harness/trace/jsonl.hpp"

#include <sstream>

#include <catch2/catch.hpp>

#include "harness/trace/jsonl_testing.hpp"

namespace poolproof::trace {
namespace {

std::vector<std::string> lines_of(const std::string& text) {
  std::istringstream stream(text);
  std::vector<std::string> lines;
  for (std::string line; std::getline(stream, line);) lines.push_back(line);
  return lines;
}

std::string error_of(const std::string& text) {
  const auto trace = read_trace(text, "t.jsonl");
  REQUIRE_FALSE(trace.has_value());
  return trace.error().line();
}

const std::string kHeader =
    R"({"trace_version":2,"scenario":"x","world":"host","role":"run","seed":"0x1","version":"0",)"
    R"("scenario_json":{}})"
    "\n";

TEST_CASE("trace: jsonl: the lines are those of the contract") {
  Trace trace;
  trace.header = {"x", "host", "run", 0x5eed, "0.1.0", "{ \"name\" : \"x\" }", "", false};
  trace.clients.push_back(a_call());
  trace.environment.push_back({ms(0.5), {0, 1}, 9, true});
  trace.pool.push_back({ms(1.234), pool::Exited{{0, 1}, {0, 9}}, {pool::Forget{{0, 1}}}});
  trace.os.push_back({ms(0), "before", 1, 0, 12, 3, {}});
  faults::JournalRecord read;
  read.kind = faults::JournalRecord::Kind::exiting;
  trace.workers.push_back({ms(1.234), {0, 1}, 4711, read});
  CHECK(
      lines_of(write_trace(trace)) ==
      std::vector<std::string>{
          R"({"trace_version":2,"scenario":"x","world":"host","role":"run","seed":"0x5eed","version":"0.1.0","scenario_json":{"name":"x"}})",
          R"({"seq":0,"at_ms":0.000,"from":"os","kind":"before","children":1,"zombies":0,"descriptors":12,"threads":3})",
          R"({"seq":1,"at_ms":0.500,"from":"environment","kind":"signal_worker","worker":"0.1","signal":9,"delivered":true})",
          R"({"seq":2,"from":"worker","at_ms":1.234,"code":0,"generation":1,"kind":"exiting","pid":4711,"slot":0})",
          R"({"seq":3,"at_ms":1.234,"from":"pool","kind":"exited","worker":"0.1","code":0,"signal":9,"effects":[{"kind":"forget","worker":"0.1"}]})",
          R"({"seq":4,"at_ms":110.250,"from":"client","kind":"call","client":"a","repetition":1,"step":2,"begun_ms":10.000,"outcome":"call_timeout","phase":"awaiting_reply","cause":"exited","message":"no reply: \"\u001b[31m\né","limit_ms":100.000,"lease":1,"worker":"0.1","command":"echo","nonce":"a:1","reply_nonce":"b:1","reply_differs":true,"reply_hash":18446744073709551615,"reply_shown":"{\"n\":2}","written_bytes":80,"in_doubt":true,"retryable":true})"});
}

TEST_CASE("trace: jsonl: every kind of record is written, and reading it back loses nothing") {
  const std::string text = write_trace(every_record());
  const auto again = read_trace(text, "t.jsonl");
  if (!again) FAIL(again.error().line());
  CHECK(write_trace(*again) == text);
  for (const char* word : {"\"first_hex\":\"57ff006e\"", "\"errno\":13", "18446744073709551615",
                           "\"deadline_ms\":null", "\"survivors\":[\"pid 4712 (sleep 60)\"]",
                           "\"outlived_stdin\":true", "\"skipped\":true"}) {
    INFO(word);
    CHECK(text.find(word) != std::string::npos);
  }
  CHECK(again->header.seed == 0x5eed);
  CHECK(again->header.scenario_json == R"({"name":"late-reply"})");
  CHECK(again->header.trouble == "client b waited in vain");
  CHECK(again->header.endless);
  CHECK(again->workers == every_record().workers);
  CHECK(again->pool.back().effects.size() == 17);
  CHECK(std::get<pool::CheckoutRequested>(again->pool[0].event).deadline == kNever);
  CHECK(std::get<pool::Refuse>(again->pool.back().effects[1]).since == ms(1.001));
}

TEST_CASE("trace: jsonl: every kind of step is written by its name, and read back") {
  for (const std::string_view word : kStepKindNames) {
    Trace trace;
    ClientStep step = a_call();
    step.kind = named<StepKind>(kStepKindNames, word).value();
    trace.clients.push_back(step);
    const std::string text = write_trace(trace);
    CHECK(text.find("\"kind\":\"" + std::string(word) + "\"") != std::string::npos);
    CHECK(read_trace(text, "t.jsonl").value().clients == trace.clients);
  }
}

TEST_CASE("trace: jsonl: the order of the witnesses' lists does not matter, only time does") {
  Trace trace = every_record();
  std::swap(trace.clients[0], trace.clients[2]);
  std::swap(trace.os[0], trace.os[1]);
  CHECK(write_trace(trace) == write_trace(every_record()));
}

TEST_CASE("trace: jsonl: a scenario that is no JSON object is kept as text") {
  Trace trace;
  trace.header.scenario_json = "half a {";
  const auto again = read_trace(write_trace(trace), "t.jsonl");
  REQUIRE(again.has_value());
  CHECK(again->header.scenario_json == "half a {");
}

TEST_CASE("trace: jsonl: broken UTF-8 never stops a trace from being written") {
  Trace trace;
  trace.clients.push_back(a_call());
  trace.clients[0].message = "\xff\xfe";
  CHECK(read_trace(write_trace(trace), "t.jsonl").has_value());
}

TEST_CASE("trace: jsonl: what is wrong with a line is said with file and line") {
  CHECK(error_of("").starts_with("t.jsonl:1: no header"));
  CHECK(error_of("{}").starts_with("t.jsonl:1: \"trace_version\" is missing"));
  CHECK(error_of("nonsense").starts_with("t.jsonl:1: "));
  std::string other = kHeader;
  other.replace(other.find(":2,"), 3, ":1,");
  CHECK(error_of(other).starts_with("t.jsonl:1: \"trace_version\" is not known here; 2"));
  const auto second = [](const std::string& line) { return error_of(kHeader + line); };
  CHECK(second("\n").starts_with("t.jsonl:2: "));
  CHECK(second("[]").starts_with("t.jsonl:2: not an object"));
  CHECK(second(R"({"seq":0,"at_ms":1,"from":"moon","kind":"x"})").find("no witness: moon") !=
        std::string::npos);
  CHECK(second(R"({"seq":0,"at_ms":1,"from":"pool","kind":"x"})").find("unknown kind \"x\"") !=
        std::string::npos);
  CHECK(second(R"({"seq":0,"at_ms":1,"from":"client","kind":"chekout"})")
            .find("unknown kind \"chekout\"") != std::string::npos);
  CHECK(second(R"({"seq":0,"at_ms":1,"from":"pool","kind":"tick","sqe":1})") ==
        "t.jsonl:2: unknown key \"sqe\"; did you mean \"seq\"?");
  CHECK(second(R"({"seq":0,"at_ms":1,"from":"pool","kind":"tick","effectz":[]})") ==
        "t.jsonl:2: unknown key \"effectz\"");
  CHECK(second(R"({"seq":0,"at_ms":1,"from":"pool","kind":"started","worker":"0-1"})")
            .find("\"worker\" is no worker: 0-1") != std::string::npos);
  CHECK(second(R"({"seq":0,"at_ms":1e99,"from":"pool","kind":"tick"})").find("out of range") !=
        std::string::npos);
  CHECK(second(R"({"seq":-1,"at_ms":1,"from":"pool","kind":"tick"})").find("\"seq\"") !=
        std::string::npos);
  CHECK(second(R"({"seq":0,"from":"worker","kind":"read"})").starts_with("t.jsonl:2: "));
  const std::string tick = R"({"seq":3,"at_ms":1,"from":"pool","kind":"tick"})"
                           "\n";
  CHECK(error_of(kHeader + tick + tick).starts_with("t.jsonl:3: \"seq\" does not rise"));
  CHECK(read_trace(kHeader + tick, "t.jsonl").has_value());
}

TEST_CASE("trace: jsonl: every key of every line is needed or has a default, and none is ignored") {
  const auto lines = lines_of(write_trace(every_record()));
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (lines[i].find("\"from\":\"worker\"") != std::string::npos) continue;
    const std::string odd = "{\"odd\":1," + lines[i].substr(1);
    INFO(odd);
    CHECK(error_of(kHeader + odd).find("unknown key \"odd\"") != std::string::npos);
  }
}

}  // namespace
}  // namespace poolproof::trace
