#pragma once

#include <cstdint>
#include <functional>
#include <optional>
#include <signal.h>
#include <span>
#include <string>
#include <vector>

#include "harness/base/outcome.hpp"
#include "harness/host/system.hpp"

/// The system calls needed to watch somebody else's program, which goes on as if nobody did.
namespace poolproof::host::sys {

/// Takes the numbers 0, 1 and 2 where this process was started without that stream, so that
/// nothing that it opens later gets one of them. Such a stream can neither be read nor written, and
/// is close-on-exec: what this process starts is without it, too. To be called first of all in
/// main().
void take_places_of_closed_streams();
/// Whether this process was started without that standard stream.
bool was_closed(int standard_fd);

/// Blocks these signals, so that they are read from a descriptor. The mask before is kept for the
/// programs that are started later. To be called once, while this process has one thread.
void hold_signals(std::span<const int> signals);
/// The descriptor on which those signals come in, non-blocking and close-on-exec.
Try<Descriptor> held_signals();
struct HeldSignal {
  int number = 0;
  pid_t from = 0;          ///< who sent it
  bool by_kernel = false;  ///< as a terminal does: to the whole group
};
std::optional<HeldSignal> next_signal(int fd);

/// Forks: 0 in the copy, which gets `signal` when we end. Requires: this process has one thread.
Try<pid_t> fork_told(int signal);

struct Started {
  std::string program;  ///< its path
  std::vector<std::string> argv;
  std::vector<std::string> env;
  bool own_group = false;
};
/// Starts a program with our own streams, descriptors and working directory, and with the signals
/// that were ours before hold_signals() and ignore_sigpipe(). Error: the errno of fork or exec.
Try<pid_t> start_as_we_were(const Started& what);

struct Reaped {
  pid_t pid = 0;
  ExitStatus exit;
};
/// Reaps any child, own or adopted, that has ended. Nothing: none has.
std::optional<Reaped> reap_any();
/// Whether this process has a child, living or not reaped. One that adopts orphans and has none has
/// nobody below it: the kernel says it at one moment, whoever forks and ends meanwhile.
bool has_children();
/// Sends a signal to a child that is not reaped yet.
void signal_child(pid_t child, int signal);

/// How a process that is not our child has ended. Nothing: it lives, is not reaped yet, or the
/// system is too old to say (Linux 6.15).
std::optional<ExitStatus> exit_of_stranger(int pidfd);

/// A descriptor that notices writes to files and pipes, whoever makes them; non-blocking,
/// close-on-exec.
Try<Descriptor> write_watch();
/// Watches a path. Returns the number by which next_writes() calls it. A folder: writes to the
/// files in it.
Try<int> watch_writes(int watch_fd, const char* path);
/// Which numbers have been written to since the last time; each at least once.
std::vector<int> next_writes(int watch_fd);

/// Whether we belong to the foreground of our terminal: what is typed there comes to our group.
bool in_foreground();
/// Processor time that this process has used.
Duration own_cpu();
pid_t parent_now();

}  // namespace poolproof::host::sys
