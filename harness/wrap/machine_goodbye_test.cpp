#include <string>

#include <catch2/catch.hpp>

#include "harness/wrap/machine_testing.hpp"

using namespace poolproof;
using namespace poolproof::wrap;
using testing::Between;

TEST_CASE("wrap: machine: the journal says when a worker was told in its speech to exit") {
  const wire::Framing headers{.wire = wire::Wire::headers};
  Between lsp("", Speech::lsp, headers);
  lsp.ask(R"({"jsonrpc":"2.0","id":1,"method":"shutdown"})");
  lsp.reply(R"({"jsonrpc":"2.0","id":1,"result":null})");
  CHECK(lsp.journal() == "started, read 0 shutdown, wrote 0");
  lsp.ask(R"({"jsonrpc":"2.0","method":"exit"})");
  CHECK(lsp.journal() == "started, read 0 shutdown, wrote 0, goodbye");

  Between bridge("", Speech::bridge);
  bridge.ask(R"({"id":1,"command":"shutdown","args":{}})");
  CHECK(bridge.journal() == "started, read 0 shutdown, goodbye");

  Between other("", Speech::json_rpc, {.wire = wire::Wire::lines});
  other.ask(R"({"jsonrpc":"2.0","method":"exit"})");
  CHECK(other.journal() == "started");
}

TEST_CASE("wrap: machine: the journal says by which signal the worker was ended, before wrap is") {
  Between killed("", Speech::bridge);
  killed.ask(R"({"id":1,"command":"x","args":{}})");
  killed.exit({0, 9});
  CHECK(killed.journal() == "started, read 0 x, misframed");
  CHECK(killed.all<faults::JournalRecord>().back().text == "the worker was ended by signal 9");
  CHECK(killed.all<EndedBy>() == std::vector{EndedBy{9}});
  CHECK(killed.all<End>() == std::vector{End{{0, 9}}});

  Between exited("", Speech::bridge);
  exited.exit({3, 0});
  CHECK(exited.journal() == "started, exiting");
  CHECK(exited.all<EndedBy>().empty());

  Between never_began(R"({"fault":"import_slow","at":{}})", Speech::bridge);
  never_began.term();
  CHECK(never_began.all<EndedBy>().empty());
}
