#include "harness/cli/stop_signals.hpp"

#include <csignal>
#include <initializer_list>

namespace poolproof::cli {
namespace {

volatile std::sig_atomic_t g_asked = 0;

extern "C" void note_stop_signal(int /*signal*/) {
  g_asked = 1;
}

}  // namespace

void catch_stop_signals() {
  struct sigaction note {};
  note.sa_handler = note_stop_signal;
  note.sa_flags = SA_RESTART;
  for (const int signal : {SIGTERM, SIGINT}) ::sigaction(signal, &note, nullptr);
}

bool asked_to_stop() {
  return g_asked != 0;
}

}  // namespace poolproof::cli
