#include <filesystem>

#include <catch2/catch.hpp>

#include "harness/run/run_testing.hpp"
#include "harness/run/runner.hpp"

using namespace poolproof;
using namespace poolproof::run;
using run::testing::echo_text;
using run::testing::Folder;

namespace {

const worlds::Programs kPrograms{"/bin/cat", "/bin/cat", "/"};

std::string refusal(const std::vector<std::string>& paths,
                    const worlds::Programs& programs = kPrograms) {
  const auto loaded = load_scenarios(paths, programs);
  std::string lines;
  if (loaded) return lines;
  for (const InputError& error : loaded.error()) lines += error.line() + "\n";
  return lines;
}

bool has(const std::string& text, const std::string& part) {
  INFO(text);
  return text.find(part) != std::string::npos;
}

}  // namespace

TEST_CASE("run: load: a folder gives its scenarios and those below it by name, and nothing else") {
  const Folder folder;
  folder.write("b.json", echo_text("ok", "", "b"));
  folder.write("z/a.json", echo_text("ok", "", "a"));
  folder.write("a/c.json", echo_text("ok", "", "c"));
  folder.write("x.schema.json", "{");
  folder.write(".hidden.json", "{");
  folder.write("notes.txt", "{");
  std::filesystem::create_directories(folder / "folder.json");
  const auto loaded = load_scenarios({folder / ""}, kPrograms);
  REQUIRE(loaded);
  REQUIRE(loaded->size() == 3);
  CHECK((*loaded)[0].scenario.name == "c");
  CHECK((*loaded)[1].scenario.name == "b");
  CHECK((*loaded)[2].scenario.name == "a");
  CHECK((*loaded)[1].file == folder / "b.json");
  CHECK((*loaded)[1].text == echo_text("ok", "", "b"));
}

TEST_CASE("run: load: what is missing, empty, too big or broken is refused with its place") {
  const Folder folder;
  CHECK(has(refusal({folder / "none"}), "no such file or folder"));
  CHECK(has(refusal({"/dev/null"}), "neither a file nor a folder"));
  CHECK(has(refusal({folder / ""}), "no scenario below it"));
  const std::string good = folder.write("good/echo.json", echo_text("ok"));
  CHECK(refusal({good}).empty());
  const std::string broken = folder.write("broken/x.json", "{");
  CHECK(has(refusal({good, folder / "broken"}), "broken/x.json: "));
  const std::string big = folder.write("big/x.json", "");
  std::filesystem::resize_file(big, (16U << 20U) + 1);
  CHECK(has(refusal({big}), "16777217 bytes long; at most 16 MiB"));
}

TEST_CASE("run: load: a file has the name of its scenario") {
  const Folder folder;
  const std::string renamed = folder.write("renamed/other.json", echo_text("ok"));
  CHECK(refusal({renamed}) ==
        renamed +
            "#/name: is \"echo\", and the file's is another; the file's name without .json, "
            "or a file echo.json\n");
  // What carries a scenario out calls its copy as it likes.
  CHECK(load_scenario(renamed).has_value());
}

TEST_CASE("run: load: of several files that are wrong each is told, with one line") {
  const Folder folder;
  folder.write("a/echo.json", echo_text("ok"));
  folder.write("b/one.json", "{");
  folder.write("c/two.json", "[]");
  const std::string lines = refusal({folder / "a", folder / "none", folder / "b", folder / "c"});
  CHECK(std::count(lines.begin(), lines.end(), '\n') == 3);
  for (const char* part : {"none: no such file", "one.json: not JSON", "two.json: "}) {
    CHECK(has(lines, part));
  }
}

TEST_CASE("run: load: a command's paths are those of the scenario's folder") {
  const Folder folder;
  const auto with = [&](const std::string& more) {
    return folder.write(
        "echo.json",
        R"({"schema_version": 1, "name": "echo", "why": "a command beside its scenario",
          "worlds": ["host"], "workers": [{"kind": "command", )" +
            more + R"(}],
          "clients": [{"name": "a", "steps": [{"checkout": {}}, {"call": {"command": "echo"}}]}]})");
  };
  std::filesystem::permissions(folder.write("bin/worker", "#!/bin/sh\n"),
                               std::filesystem::perms::owner_all);
  CHECK(refusal({with(R"("argv": ["./bin/worker"])")}).empty());
  CHECK(refusal({with(R"("argv": ["bin/worker"], "cwd": "bin")")}).empty());
  CHECK(has(refusal({with(R"("argv": ["bin/other"])")}),
            "#/workers/0: worker program missing: cannot start \"" + (folder / "bin/other")));
  CHECK(has(refusal({with(R"("argv": ["bin/worker"], "cwd": "nowhere")")}),
            "#/workers/0/cwd: no such folder: " + (folder / "nowhere")));
}

TEST_CASE("run: load: a link that leads nowhere is not passed over") {
  const Folder folder;
  folder.write("echo.json", echo_text("ok"));
  std::filesystem::create_symlink("nowhere", folder / "dangling.json");
  CHECK(has(refusal({folder / ""}), "dangling.json"));
  std::filesystem::remove(folder / "dangling.json");
  std::filesystem::create_symlink("loop.json", folder / "loop.json");
  CHECK(has(refusal({folder / ""}), "loop.json"));
}

TEST_CASE("run: load: a worker program that can't be started is refused") {
  const Folder folder;
  const std::string path = folder.write("echo.json", echo_text("ok"));
  const std::string plain = folder.write("plain", "");
  for (const std::string& program :
       {folder / "none", plain, folder / "", std::string("no-such-x")}) {
    const std::string line = refusal({path}, {program, "/bin/cat", "/"});
    CHECK(has(line, "echo.json#/workers/0: worker program missing"));
  }
  CHECK(refusal({path}, {"cat", "/bin/cat", "/"}).empty());
}
