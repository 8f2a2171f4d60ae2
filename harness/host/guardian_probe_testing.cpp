// What the guardian's tests start, as the poolproof program is started by its users:
//   guardian_probe guardian --token TOKEN   is the guardian
//   guardian_probe runner TOKEN SCRIPT      has a guardian of its own, runs a shell script that
//                                           carries the token, says "ready" and waits to be killed
#include <cstdio>
#include <string>
#include <vector>

#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"

namespace {

using poolproof::host::Child;
using poolproof::host::Command;
using poolproof::host::Guardian;

int run(const std::string& program, const std::string& token, const std::string& script) {
  auto guardian = Guardian::start(program, token);
  if (!guardian) return 1;
  const Command command{{"/bin/sh", "-c", script}, {"POOLPROOF_TOKEN=" + token + "/worker"}, {}};
  const auto worker = poolproof::host::launch(command);
  if (!worker) return 1;
  std::puts("ready");
  std::fflush(stdout);
  pollfd never{-1, 0, 0};
  static_cast<void>(poolproof::host::sys::poll({&never, 1}, poolproof::Duration(-1)));
  return 0;
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv, argv + argc);
  if (args.size() != 4) return 64;
  if (args[1] == "guardian") return poolproof::host::guardian_main(args[3]);
  return run(args[0], args[2], args[3]);
}
