#include <array>
#include <string>
#include <vector>

#include <catch2/catch.hpp>

#include "fake_workers/journal.hpp"
#include "fake_workers/running_program_testing.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::faults {
namespace {

using Argv = std::vector<std::string>;

std::string frame(const std::string& payload) {
  return *wire::encode_frame({}, payload);
}

std::string request(int id, const std::string& command, const std::string& args = "{}") {
  return frame("{\"id\":" + std::to_string(id) + ",\"command\":\"" + command +
               "\",\"args\":" + args + "}");
}

Argv fake_worker(const Argv& options) {
  Argv argv{FAKE_WORKER, "--timestamp", "1"};
  argv.insert(argv.end(), options.begin(), options.end());
  return argv;
}

std::vector<StampedJournalRecord> records(const TemporaryFile& journal) {
  std::vector<StampedJournalRecord> all;
  const std::string text = journal.content();
  for (std::size_t start = 0; start < text.size();) {
    const std::size_t end = text.find('\n', start);
    const auto record = read_journal_line(text.substr(start, end - start), "journal");
    INFO(text);
    REQUIRE(record);
    all.push_back(*record);
    start = end + 1;
  }
  return all;
}

/// `started read wrote exiting`
std::string kinds(const TemporaryFile& journal) {
  std::string all;
  for (const StampedJournalRecord& stamped : records(journal)) {
    if (!all.empty()) all += ' ';
    all += name(stamped.record.kind);
  }
  return all;
}

const std::string kEchoed = frame(R"({"id":1,"result":{},"success":true,"timestamp":1})");

TEST_CASE("fake_workers: program: a sound worker answers until its input ends") {
  const TemporaryFile journal;
  RunningProgram worker(fake_worker({"--journal", journal.path(), "--slot=2", "--generation=3"}));
  worker.send(request(0, "ping") + request(1, "echo"));
  worker.close_stdin();
  CHECK(
      worker.read_stdout() ==
      frame(R"({"id":0,"result":{"status":"ok","worker_id":"2.3"},"success":true,"timestamp":1})") +
          kEchoed);
  CHECK(worker.wait() == ExitStatus{0, 0});
  CHECK(worker.read_stderr().empty());
  CHECK(kinds(journal) == "started read wrote read wrote stdin_end exiting");
  const auto all = records(journal);
  CHECK(all.front().worker == WorkerId{2, 3});
  CHECK(all.front().at <= all.back().at);
}

/// The worker's id as it answers a ping.
std::string pinged(const Argv& options, const std::vector<std::string>& env) {
  RunningProgram worker(fake_worker(options), env);
  worker.send(request(0, "ping"));
  worker.close_stdin();
  const std::string said = worker.read_stdout();
  const std::string key = R"("worker_id":")";
  const std::size_t begin = said.find(key) + key.size();
  return said.substr(begin, said.find('"', begin) - begin);
}

TEST_CASE("fake_workers: program: who is given no number draws a ticket") {
  const TemporaryFile tickets;
  const std::vector<std::string> env{"POOLPROOF_TICKETS=" + tickets.path()};
  CHECK(pinged({}, env) == "0.0");
  CHECK(pinged({}, env) == "0.1");
  CHECK(pinged({"--slot", "4"}, env) == "4.0");
  CHECK(pinged({"--tickets", tickets.path()}, {"POOLPROOF_GENERATION=7"}) == "0.7");
  CHECK(pinged({"--worker-id", "w"}, env) == "w");
  CHECK(pinged({}, env) == "0.3");
  RunningProgram nowhere(fake_worker({"--tickets", "/nowhere/tickets"}));
  CHECK(nowhere.wait() == ExitStatus{64, 0});
}

TEST_CASE("fake_workers: program: the environment says what the options leave out") {
  const TemporaryFile journal;
  const TemporaryFile plan(
      R"({"plan_version":1,"faults":[{"id":"p","fault":"exit_at_start","at":{"slot":5},"code":9}]})");
  const Argv env{"POOLPROOF_SLOT=5", "POOLPROOF_GENERATION=1", "POOLPROOF_PLAN=" + plan.path(),
                 "POOLPROOF_JOURNAL=" + journal.path()};
  RunningProgram struck(fake_worker({}), env);
  CHECK(struck.wait() == ExitStatus{9, 0});
  CHECK(struck.read_stderr() == "fault: exit at start\n");
  CHECK(kinds(journal) == "started receipt exiting");
  CHECK(records(journal)[1].record.plan_id == "p");

  RunningProgram spared(fake_worker({"--slot", "4"}), env);
  spared.close_stdin();
  CHECK(spared.wait() == ExitStatus{0, 0});
}

TEST_CASE("fake_workers: program: TERM ends it at once, wherever it is") {
  struct Row {
    const char* what;
    std::string input;
    Argv options;
    const char* begun;  ///< what the journal says then
  };
  const std::string flood = request(1, "echo", "{\"s\":\"" + std::string(60'000, 'x') + "\"}");
  const std::vector<Row> rows{
      {"idle", "", {}, "wrote"},
      {"in a pause", request(1, "sleep", R"({"ms":600000})"), {}, "sleep"},
      {"in work", request(1, "compute", R"({"n":5000000})"), {}, "compute"},
      {"in a blocked write", flood, {"--fault", "stderr_flood", "--at", "request=1"}, "receipt"},
      {"deaf", request(1, "echo"), {"--fault", "reading_stopped"}, "receipt"},
      {"with a slow import", "", {"--fault", "import_slow", "--delay-ms", "600000"}, "receipt"},
  };
  for (const Row& row : rows) {
    INFO(row.what);
    const TemporaryFile journal;
    Argv options{"--journal", journal.path()};
    options.insert(options.end(), row.options.begin(), row.options.end());
    RunningProgram worker(fake_worker(options));
    worker.send(request(0, "ping") + row.input);
    journal.wait_for(row.begun);
    worker.terminate();
    CHECK(worker.wait() == ExitStatus{0, 0});
    CHECK(journal.content().find("\"kind\":\"term\"") != std::string::npos);
  }
}

TEST_CASE("fake_workers: program: a deaf worker leaves its request in the pipe") {
  RunningProgram worker(fake_worker({"--fault", "reading_stopped", "--at", "request=1"}));
  worker.send(request(0, "ping"));
  worker.read_stdout(4);
  const std::string unread = request(1, "echo");
  worker.send(unread);
  CHECK(worker.unread_bytes() == static_cast<int>(unread.size()));
}

TEST_CASE("fake_workers: program: TERM that is ignored leaves a receipt and a working worker") {
  const TemporaryFile journal;
  RunningProgram worker(fake_worker({"--fault", "term_ignored", "--journal", journal.path()}));
  worker.send(request(1, "echo"));
  journal.wait_for("wrote");
  worker.terminate();
  journal.wait_for("receipt");
  worker.send(request(1, "echo"));
  worker.close_stdin();
  CHECK(worker.read_stdout() == kEchoed + kEchoed);
  CHECK(worker.wait() == ExitStatus{0, 0});
  CHECK(kinds(journal) == "started read wrote receipt read wrote stdin_end exiting");
}

TEST_CASE("fake_workers: program: a signal on itself is a real one") {
  for (const int signal : {9, 15, 11, 13, 14}) {
    INFO(signal);
    RunningProgram worker(
        fake_worker({"--fault", "killed_mid_call", "--signal", std::to_string(signal)}));
    worker.send(request(1, "echo"));
    CHECK(worker.wait() == ExitStatus{0, signal});
    CHECK(worker.read_stdout().empty());
  }
}

TEST_CASE("fake_workers: program: closed streams are closed and the worker lives") {
  RunningProgram mute(fake_worker({"--fault", "stdout_closed"}));
  mute.send(request(1, "echo"));
  CHECK(mute.read_stdout().empty());
  mute.close_stdin();
  CHECK(mute.wait() == ExitStatus{0, 0});
}

TEST_CASE("fake_workers: program: a reader that leaves ends it quietly") {
  const TemporaryFile journal;
  RunningProgram worker(fake_worker({"--journal", journal.path()}));
  worker.close_stdout();
  worker.send(request(1, "echo"));
  CHECK(worker.wait() == ExitStatus{0, 0});
  CHECK(worker.read_stderr().empty());
  CHECK(kinds(journal) == "started read exiting");
}

TEST_CASE("fake_workers: program: the journal never takes the place of a closed stdout") {
  const TemporaryFile journal;
  RunningProgram worker(
      {"/bin/sh", "-c", "exec \"$0\" --journal \"$1\" >&-", FAKE_WORKER, journal.path()});
  worker.send(request(1, "echo"));
  CHECK(worker.wait() == ExitStatus{0, 0});
  CHECK(kinds(journal) == "started read exiting");
}

TEST_CASE("fake_workers: program: a grandchild holds the pipes after the worker has gone") {
  const TemporaryFile journal;
  RunningProgram worker(fake_worker(
      {"--fault", "grandchild_left", "--lifetime-ms", "200", "--journal", journal.path()}));
  worker.send(request(1, "echo"));
  worker.close_stdin();
  CHECK(worker.wait() == ExitStatus{0, 0});
  CHECK(kinds(journal) == "started read receipt grandchild wrote stdin_end exiting");
  CHECK(records(journal)[3].record.child_pid != worker.pid());
  CHECK(worker.read_stdout() == kEchoed);
}

TEST_CASE("fake_workers: program: compute does the work") {
  RunningProgram worker(fake_worker({}));
  worker.send(request(1, "compute", R"({"n":10000})"));
  worker.close_stdin();
  CHECK(worker.read_stdout() ==
        frame(R"({"id":1,"result":{"primes":1229},"success":true,"timestamp":1})"));
}

TEST_CASE("fake_workers: program: bad options are one line and exit code 64") {
  const TemporaryFile broken("{");
  struct Row {
    Argv options;
    std::string says;
  };
  const std::vector<Row> rows{
      {{"--falt", "x"}, "--falt: unknown option; did you mean --fault?\n"},
      {{"stray"}, "stray: unknown option; see --help\n"},
      {{"--slot"}, "--slot: no value; --slot VALUE\n"},
      {{"--slot", "-1"}, "--slot: \"-1\" will not do; a whole number from 0 to 2147483647\n"},
      {{"--prefix-bytes", "3"}, "--prefix-bytes: \"3\" will not do; 1, 2, 4 or 8\n"},
      {{"--delay-ms", "3"}, "--delay-ms: no --fault before it; --fault NAME --delay-ms\n"},
      {{"--fault", "reply_lat"}, "unknown fault \"reply_lat\"; did you mean \"reply_late\"?\n"},
      {{"--fault", "reply_late", "--at", "request"}, "\"request\" is no coordinate; "},
      {{"--fault", "banner", "--at", "request=0"}, "impossible coordinate \"request\" for banner"},
      {{"--fault", "reply_late", "--delay-ms", "0"}, "0 is out of bounds; "},
      {{"--plan", "no/such/file"}, "no/such/file: No such file or directory; a plan file\n"},
      {{"--plan", broken.path()}, "a plan as JSON\n"},
      {{"--journal", "no/such/file"}, "No such file or directory; a journal file"},
  };
  for (const Row& row : rows) {
    INFO(row.says);
    RunningProgram worker(fake_worker(row.options));
    const std::string said = worker.read_stderr();
    INFO(said);
    CHECK(worker.wait() == ExitStatus{64, 0});
    CHECK(said.find(row.says) != std::string::npos);
    CHECK(said.find('\n') == said.size() - 1);
  }
}

TEST_CASE("fake_workers: program: help names every option and every fault, on stdout") {
  RunningProgram help({FAKE_WORKER, "--help"});
  const std::string text = help.read_stdout();
  CHECK(help.wait() == ExitStatus{0, 0});
  for (const char* word : {"--fault", "--journal", "reply_late", "grandchild_left"}) {
    CHECK(text.find(word) != std::string::npos);
  }
  RunningProgram version({FAKE_WORKER, "--version"});
  CHECK(version.read_stdout().starts_with("fake_worker "));
}

}  // namespace
}  // namespace poolproof::faults
