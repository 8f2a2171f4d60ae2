// What the guardian's tests start, as the poolproof program is started by its users:
//   guardian_probe guardian --token TOKEN   is the guardian
//   guardian_probe runner TOKEN SCRIPT      has a guardian of its own, runs a shell script that
//                                           carries the token, says "ready" and waits to be killed
//   guardian_probe pool TOKEN WORKER FAULT  has a guardian and a busy pool of that program, writes
//   a
//                                           byte for each event of its, and serves until it is
//                                           killed
//   guardian_probe headless                 its main thread ends, another waits to be killed
#include <cstdio>
#include <string>
#include <thread>
#include <unistd.h>
#include <vector>

#include <sys/syscall.h>

#include "harness/host/arguments.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/system.hpp"

namespace {

using poolproof::host::Child;
using poolproof::host::Command;
using poolproof::host::Guardian;

/// Waits to be killed.
void wait_for_ever() {
  pollfd never{-1, 0, 0};
  static_cast<void>(poolproof::host::sys::poll({&never, 1}, poolproof::Duration(-1)));
}

int run(const std::string& program, const std::string& token, const std::string& script) {
  auto guardian = Guardian::start(program, token);
  if (!guardian) return 1;
  const Command command{{"/bin/sh", "-c", script}, {"POOLPROOF_TOKEN=" + token + "/worker"}, {}};
  const auto worker = poolproof::host::launch(command);
  if (!worker) return 1;
  std::puts("ready");
  std::fflush(stdout);
  wait_for_ever();
  return 0;
}

/// One worker is sound, one has the fault at each request, and one has a daemon that left
/// its group and its session and takes no notice of TERM.
Command worker_of(const std::string& token, const std::string& worker, const std::string& fault,
                  std::uint32_t slot) {
  const std::vector<std::string> env{"POOLPROOF_TOKEN=" + token + "/worker", "PATH=/usr/bin:/bin"};
  if (slot % 3 == 0) return {{worker}, env, {}};
  if (slot % 3 == 1) return {{worker, "--fault", fault}, env, {}};
  const std::string daemon =
      "/usr/bin/setsid /bin/sh -c '(trap \"\" TERM HUP; exec /bin/sleep 1000) & exit 0' "
      "</dev/null >/dev/null 2>&1; exec ";
  return {{"/bin/sh", "-c", daemon + worker}, env, {}};
}

/// Clients come without a pause, workers are recycled and renewed.
int serve(const std::string& program, const std::string& token, const std::string& worker,
          const std::string& fault) {
  using namespace poolproof::host;
  auto guardian = Guardian::start(program, token);
  if (!guardian) return 1;
  Options options;
  options.core.size = 3;
  options.core.start = poolproof::pool::StartMode::eager;
  options.core.max_calls = 5;
  options.command_for = [&](poolproof::WorkerId id) {
    return worker_of(token, worker, fault, id.slot);
  };
  options.observer = [](poolproof::Time, const auto&, auto) {
    static_cast<void>(sys::write(STDOUT_FILENO, "."));
  };
  auto pool = Pool::open(std::move(options));
  if (!pool) return 1;
  std::vector<std::thread> clients;
  for (int i = 0; i < 4; ++i) {
    clients.emplace_back([&pool, i] {
      for (int n = 1;; ++n) {
        auto lease = (*pool)->checkout();
        if (lease) static_cast<void>(lease->call("echo", {{"n", n}}));
        if (i == 0 && n % 10 == 0) (*pool)->renew();
      }
    });
  }
  wait_for_ever();
  return 0;
}

/// Without an unwinding of the stack, so that nothing else ends.
[[noreturn]] void lose_main_thread() {
  std::thread(wait_for_ever).detach();
  for (;;) ::syscall(SYS_exit, 0);
}

}  // namespace

int main(int argc, char** argv) {
  const std::vector<std::string> args(argv, argv + argc);
  if (args.size() == 5 && args[1] == "pool") return serve(args[0], args[2], args[3], args[4]);
  if (args.size() == 2 && args[1] == "headless") lose_main_thread();
  if (args.size() != 4) return 64;
  if (args[1] == "guardian") return poolproof::host::guardian_main(args[3]);
  return run(args[0], args[2], args[3]);
}
