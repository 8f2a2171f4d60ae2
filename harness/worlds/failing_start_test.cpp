#include "harness/worlds/failing_start.hpp"

#include <cerrno>

#include <fmt/format.h>

#include "harness/base/folder_testing.hpp"
#include "harness/base/read_file.hpp"

using namespace poolproof;
using namespace poolproof::worlds;
using testing::Folder;

namespace {

struct Row {
  const char* word;
  int errno_value;
  const char* says;
};

faults::Plan plan_of(const std::string& word) {
  const auto plan = faults::read_plan(
      fmt::format(R"({{"plan_version":1,"faults":[{{"id":"x","fault":"start_fails",)"
                  R"("at":{{"slot":1,"generation":2}},"errno":"{}"}}]}})",
                  word),
      "p.json");
  REQUIRE(plan);
  return *plan;
}

const host::Command kSound{{"/bin/true", "x"}, {"A=1"}, ""};

}  // namespace

TEST_CASE("run: failing start: the kernel itself says what is planned, and the receipt is there") {
  for (const Row& row :
       {Row{"ENOENT", ENOENT, "No such file or directory"},
        Row{"EACCES", EACCES, "Permission denied"}, Row{"ENOEXEC", ENOEXEC, "Exec format error"}}) {
    CAPTURE(std::string(row.word));
    const Folder folder;
    const faults::Plan plan = plan_of(row.word);
    FailingStarts failing(plan, folder / "", folder / "journal.jsonl");
    REQUIRE(failing.prepare());
    host::Command command = kSound;
    failing.strike({1, 2}, command);
    const auto started = host::launch(command);
    REQUIRE_FALSE(started);
    CHECK(started.error().errno_value == row.errno_value);
    CHECK(started.error().errno_value == faults::errno_of(plan[0]));
    CHECK(started.error().message.find(row.says) != std::string::npos);
    CHECK(command.env == kSound.env);

    const auto journal = read_file(folder / "journal.jsonl", 1000, "a journal");
    REQUIRE(journal);
    const auto line = faults::read_journal_line(*journal, "journal");
    REQUIRE(line);
    CHECK(line->worker == WorkerId{1, 2});
    CHECK(line->pid == 0);
    CHECK(line->record == faults::launch_receipt(plan[0]));
  }
}

TEST_CASE("run: failing start: who is not aimed at is started, and leaves no receipt") {
  const Folder folder;
  const faults::Plan plan = plan_of("ENOEXEC");
  FailingStarts failing(plan, folder / "", folder / "journal.jsonl");
  REQUIRE(failing.prepare());
  host::Command command = kSound;
  failing.strike({1, 1}, command);
  CHECK(command.argv == kSound.argv);
  CHECK_FALSE(std::filesystem::exists(folder / "journal.jsonl"));
}

TEST_CASE("run: failing start: what can't be written is said, and nothing is struck") {
  const Folder folder;
  const faults::Plan plan = plan_of("ENOEXEC");
  const auto unready = FailingStarts(plan, folder / "none", folder / "journal.jsonl").prepare();
  REQUIRE_FALSE(unready);
  CHECK(unready.error().find(folder / "none/no_program") != std::string::npos);
  FailingStarts failing(plan, folder / "", folder / "none/journal.jsonl");
  REQUIRE(failing.prepare());
  host::Command command = kSound;
  failing.strike({1, 2}, command);
  CHECK(command.argv == kSound.argv);
  CHECK(failing.trouble().find(folder / "none/journal.jsonl") != std::string::npos);
}
