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
