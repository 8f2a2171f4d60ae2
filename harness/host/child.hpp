#pragma once

#include <cstdint>
#include <string>
#include <string_view>

#include <sys/types.h>

#include "harness/base/result.hpp"
#include "harness/host/command.hpp"
#include "harness/host/descriptor.hpp"

namespace poolproof::host {

/// Why a process could not be started.
struct LaunchError {
  int errno_value = 0;
  std::string message;  ///< `cannot start "x": No such file or directory`
};

/// The path of a program as a shell would find it, but in the pool's own PATH (the worker's list
/// does not matter) and only in its absolute directories; /usr/bin and /bin when there is no PATH.
/// A name with a slash is its own path, unchecked. Errors: ENOENT, EACCES (there, but not
/// executable).
Expected<std::string, LaunchError> find_program(const std::string& name);

/// The error of a start that failed. `directory`: the working directory, if one was asked for.
LaunchError cannot_start(std::string_view program, int errno_value,
                         std::string_view directory = {});

/// One started process and our ends of its pipes, all close-on-exec, stdin and stdout non-blocking.
/// It is the leader of its own process group. Destroying it closes our ends; it neither kills nor
/// reaps.
struct Child {
  pid_t pid = -1;
  Descriptor pidfd;
  Descriptor stdin_end;   ///< our end, to write to; empty if the child has a channel
  Descriptor stdout_end;  ///< our end, to read from; of a channel also to write to
  Descriptor stderr_end;  ///< our end, to read from, non-blocking
  /// With a channel: the inode of the child's end, for sys::unread_by_peer(). 0: there is no
  /// channel.
  std::uint32_t channel_inode = 0;
};

struct LaunchOptions {
  /// Gives the child a session of its own and no parent-death signal. Only its stdin is a pipe; its
  /// stdout and stderr are /dev/null, so that a pipe nobody reads any more can't stop it.
  bool outlives_us = false;
  /// Messages go both ways over one socket on descriptor 3, which the environment names as Node's
  /// child_process.fork() does (NODE_CHANNEL_FD). Its stdin is /dev/null, its stdout is its stderr.
  bool channel = false;
};

/// Starts a process with pipes on 0, 1 and 2 through Boost.Process v2 (the one file that uses it).
/// Blocks until exec has happened or failed. Must be called from a thread that lives as long as the
/// child may: the parent-death signal (SIGKILL) is tied to it. The child starts with default signal
/// dispositions, an empty mask and no other descriptor. A failure leaves neither a process nor a
/// descriptor.
Expected<Child, LaunchError> launch(const Command& command, LaunchOptions options = {});

}  // namespace poolproof::host
