#pragma once

#include <filesystem>
#include <fstream>
#include <string>
#include <utility>

#include <catch2/catch.hpp>
#include <fmt/format.h>

#include "harness/host/guardian.hpp"
#include "harness/run/judge.hpp"

/// What the tests of this room share: one small scenario, what a sound run of it shows, a folder.
namespace poolproof::run::testing {

inline Time ms(int at) {
  return Time(std::chrono::milliseconds(at));
}

/// One client, one echo; `call` is what is expected of it: `ok`, or an object.
inline std::string echo_text(const std::string& call, const std::string& more = "",
                             const std::string& name = "echo") {
  const std::string expected = call == "ok" ? R"("ok")" : call;
  return R"({"schema_version":1,"name":")" + name +
         R"(","why":"one echo, so that there is something to judge","pool":{"size":1},)"
         R"("workers":[{"kind":"fake"}],"clients":[{"name":"a","steps":[{"checkout":{}},)"
         R"({"call":{"command":"echo"}},{"checkin":{}}]}],"expect":{"a":["granted",)" +
         expected + R"(,"returned"]})" + more + "}";
}

inline scenario::Scenario parsed(const std::string& text) {
  auto scenario = scenario::read_scenario(text, "echo.json");
  if (!scenario) FAIL(scenario.error().line());
  return std::move(*scenario);
}

/// With JSON its request is too large for a frame, and nobody goes on; with terse messages it has
/// more moves than a sweep's case may have.
inline scenario::Scenario endless_with_terse_messages() {
  return parsed(R"({
    "schema_version": 1, "name": "x", "why": "JSON is longer than terse messages are",
    "pool": {"size": 1, "max_frame_bytes": 190},
    "workers": [{"kind": "fake"}],
    "clients": [
      {"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo", "pad_bytes": 130}},
        {"checkin": {}}]},
      {"name": "b", "repeat": 100000, "steps": [{"await": {"fault": "reply_slow"}},
        {"pause": {"span_ms": 0}}]}
    ],
    "faults": [{"fault": "reply_slow", "at": {"client": "a", "call": 1}, "delay_ms": 50}],
    "expect": {"any_success": true}})");
}

inline trace::ClientStep step(const char* client, std::uint32_t place, const char* op, int begun) {
  trace::ClientStep step;
  step.client = client;
  step.step = place;
  step.op = op;
  step.begun = ms(begun);
  step.ended = ms(begun + 1);
  return step;
}

inline trace::WorkerRecord journal(faults::JournalRecord::Kind kind, int at) {
  trace::WorkerRecord record;
  record.at = ms(at);
  record.pid = 100;
  record.record.kind = kind;
  return record;
}

/// What its witnesses saw of a sound run; the pool's own testimony is left out.
inline trace::Trace seen() {
  using Kind = faults::JournalRecord::Kind;
  trace::Trace trace;
  trace.os = {{ms(0), "before", 0, 0, 3, 1, {}}, {ms(20), "after", 0, 0, 3, 1, {}}};
  auto checkout = step("a", 0, "checkout", 1);
  checkout.lease = LeaseId{1};
  checkout.worker = WorkerId{0, 0};
  auto call = step("a", 1, "call", 5);
  call.command = "echo";
  call.nonce = call.reply_nonce = "a:1";
  call.written_bytes = 100;
  call.lease = LeaseId{1};
  call.worker = WorkerId{0, 0};
  auto checkin = step("a", 2, "checkin", 8);
  checkin.lease = LeaseId{1};
  checkin.worker = WorkerId{0, 0};
  trace.clients = {checkout, call, checkin, step("", 0, "close", 10)};
  trace.workers.push_back(journal(Kind::started, 2));
  for (const int request : {0, 1}) {
    auto read = journal(Kind::read, request == 0 ? 2 : 5);
    read.record.request = static_cast<std::uint32_t>(request);
    read.record.id = request;
    read.record.command = request == 0 ? "ping" : "echo";
    if (request == 1) read.record.nonce = "a:1";
    trace.workers.push_back(read);
    auto wrote = journal(Kind::wrote, request == 0 ? 2 : 5);
    wrote.record.request = static_cast<std::uint32_t>(request);
    wrote.record.bytes = 50;
    trace.workers.push_back(wrote);
  }
  trace.workers.push_back(journal(Kind::stdin_end, 10));
  trace.workers.push_back(journal(Kind::exiting, 10));
  return trace;
}

inline Attempt attempt_of(trace::Trace trace) {
  Attempt attempt;
  attempt.trace = std::move(trace);
  return attempt;
}

inline bool found(const ScenarioResult& result, const std::string& invariant) {
  for (const auto& finding : result.findings) {
    if (finding.invariant == invariant) return true;
  }
  return false;
}

inline std::string told(const ScenarioResult& result) {
  std::string text = std::string(name(result.verdict));
  for (const auto& finding : result.findings)
    text += "\n" + finding.invariant + ": " + finding.what;
  for (const auto& reason : result.reasons) text += "\n" + reason;
  return text;
}

/// A folder of its own, gone with the test.
class Folder {
 public:
  Folder() : path_(std::filesystem::temp_directory_path() / ("run-" + host::new_token())) {
    std::filesystem::create_directories(path_);
  }
  ~Folder() {
    std::error_code ignored;
    std::filesystem::remove_all(path_, ignored);
  }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;

  [[nodiscard]] std::string operator/(const std::string& name) const {
    return (path_ / name).string();
  }
  std::string write(const std::string& name, const std::string& text) const {
    const auto path = path_ / name;
    std::filesystem::create_directories(path.parent_path());
    std::ofstream(path, std::ios::binary) << text;
    return path.string();
  }
  /// A stand-in for our own program: its guardian waits as it should, its errands are the script's.
  /// `$folder` is the errand's.
  [[nodiscard]] std::string program(const std::string& errand) const {
    const std::string path =
        write("program",
              "#!/bin/sh\nif [ \"$1\" = guardian ]; then cat >/dev/null; exit; fi\n"
              "for word; do [ \"$last\" = --folder ] && folder=$word; last=$word; done\n" +
                  errand + "\n");
    std::filesystem::permissions(path, std::filesystem::perms::owner_all);
    return path;
  }

 private:
  std::filesystem::path path_;
};

}  // namespace poolproof::run::testing
