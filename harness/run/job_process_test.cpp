#include "harness/run/job_process.hpp"

#include <cstdlib>

#include <catch2/catch.hpp>

#include "harness/host/census.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"

using namespace poolproof;
using namespace poolproof::run;

namespace {

constexpr Duration kLong = std::chrono::seconds(100);

Expected<Ended, std::string> shell(const std::string& script, const std::string& token,
                                   Duration limit = kLong) {
  return run_process({"/bin/sh", "-c", script}, token, limit);
}

}  // namespace

TEST_CASE("run: job process: its exit and the last of its stderr are told") {
  const auto ended = shell("echo out; echo last words >&2; exit 7", host::new_token());
  REQUIRE(ended);
  CHECK(ended->exit == ExitStatus{7, 0});
  CHECK_FALSE(ended->overran);
  CHECK(ended->said == "last words\n");
  const auto killed = shell("kill -SEGV $$", host::new_token());
  REQUIRE(killed);
  CHECK(killed->exit == ExitStatus{0, 11});
}

TEST_CASE("run: job process: it may say more than a pipe holds; the end is kept") {
  const auto ended = shell(
      "i=0; while [ $i -lt 20000 ]; do echo line $i; echo line $i >&2; "
      "i=$((i+1)); done; echo end >&2",
      host::new_token());
  REQUIRE(ended);
  CHECK(ended->exit == ExitStatus{});
  CHECK(ended->said.ends_with("line 19999\nend\n"));
  CHECK(ended->said.size() <= 8192);
}

TEST_CASE("run: job process: what overruns is killed, also while it floods its stderr") {
  for (const char* script :
       {"sleep 1000", "trap '' TERM; while :; do :; done", "cat /dev/zero >&2 & cat /dev/zero >&2",
        "exec 2>&- >&-; sleep 1000"}) {
    const std::string token = host::new_token();
    const auto ended = shell(script, token, std::chrono::milliseconds(300));
    INFO(script);
    REQUIRE(ended);
    CHECK(ended->overran);
    CHECK(ended->exit.signal == 9);
    CHECK(host::processes_marked(token).empty());
  }
}

TEST_CASE("run: job process: nobody who carries its token outlives it") {
  const std::string token = host::new_token();
  const std::string escape =
      "setsid sh -c 'setsid sleep 1000 & setsid sleep 1001 & wait' >&- 2>&- <&- & "
      "sleep 1002 & exit 0";
  const auto ended = shell(escape, token);
  REQUIRE(ended);
  CHECK(ended->exit == ExitStatus{});
  CHECK(host::processes_marked(token).empty());
}

TEST_CASE("run: job process: what can't be started is an error, not an exit") {
  const auto ended = run_process({"/no/such/program"}, host::new_token(), kLong);
  REQUIRE_FALSE(ended);
  CHECK(ended.error().find("/no/such/program") != std::string::npos);
}

TEST_CASE("run: job process: of our environment only the list is handed on") {
  REQUIRE(::setenv("POOLPROOF_SECRET_OF_THE_TEST", "1", 1) == 0);
  const auto ended = shell("env >&2", "t");
  REQUIRE(ended);
  CHECK(ended->said.find("SECRET") == std::string::npos);
  CHECK(ended->said.find("POOLPROOF_TOKEN=t\n") != std::string::npos);
  CHECK(ended->said.find("PATH=") != std::string::npos);
}
