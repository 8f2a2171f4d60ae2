#include "harness/base/shell.hpp"

#include <catch2/catch.hpp>

using namespace poolproof;

TEST_CASE("base: shell: a word that is pasted is the text again") {
  CHECK(shell_word("scenarios/a-b_c.json") == "scenarios/a-b_c.json");
  CHECK(shell_word("my out/x.json") == "'my out/x.json'");
  CHECK(shell_word("it's") == R"('it'\''s')");
  CHECK(shell_word("caf\xc3\xa9") == "'caf\xc3\xa9'");
  CHECK(shell_word("a\nb\\'\xff") == R"($'a\x0ab\\\'\xff')");
  CHECK(shell_word("").size() == 2);
  CHECK(shell_word("$HOME") == "'$HOME'");
}

TEST_CASE("base: shell: a path is never an option") {
  CHECK(shell_path("-dash/x.json") == "./-dash/x.json");
  CHECK(shell_path("a b") == "'a b'");
}
