#include <algorithm>
#include <array>
#include <cerrno>
#include <filesystem>
#include <new>
#include <signal.h>
#include <unistd.h>
#include <utility>

#include <sys/prctl.h>

#include "harness/host/child.hpp"

// Makes Boost.Process use std::filesystem: Boost.Filesystem would be a library to link. It then
// lacks headers that came with that one, so they must stand before it.
#define BOOST_PROCESS_USE_STD_FS 1
#include <boost/optional.hpp>
#include <boost/type_traits/decay.hpp>
#include <boost/type_traits/is_convertible.hpp>
// clang-format off
#include <boost/asio/execution/context.hpp>
#include <boost/asio/execution_context.hpp>
#include <boost/asio/io_context.hpp>
#include <boost/asio/posix/stream_descriptor.hpp>
#include <boost/process/v2/posix/default_launcher.hpp>
#include <boost/process/v2/process.hpp>
#include <boost/system/error_code.hpp>
// clang-format on

#include <fmt/format.h>

#include "harness/host/census.hpp"
#include "harness/host/system.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::host {
namespace {

namespace fs = std::filesystem;
using boost::system::error_code;
using sys::Try;

/// The descriptor on which a child finds its channel, if it is given one.
constexpr int kChannelFd = STDERR_FILENO + 1;

/// The child's ends of its streams and its channel. Their own numbers are all above kChannelFd.
using Ends = std::array<Descriptor, kChannelFd + 1>;

/// Boost's initialiser: what happens in the child between fork and exec. Only calls that are
/// safe there; never allocates.
class ChildSide {
 public:
  ChildSide(const Ends& ends, const std::string& directory, LaunchOptions options)
      : ends_{ends[0].get(), ends[1].get(), ends[2].get(), ends[kChannelFd].get()},
        directory_(directory),
        options_(options),
        parent_(::getpid()),
        planned_failure_(sys::planned_failure(sys::Call::fork_exec)) {}

  /// Whether fork comes next: once, after a setup that did not fail.
  bool forks_next() { return std::exchange(forks_next_, false); }

  /// Runs before fork. A planned error of fork itself is played here, any other one in the child,
  /// as exec's would be.
  template <class Launcher>
  error_code on_setup(Launcher&, const fs::path&, const char* const*&) {
    const bool fails = planned_failure_ == EAGAIN || planned_failure_ == ENOMEM;
    forks_next_ = !fails;
    return fails ? code(planned_failure_) : error_code();
  }

  template <class Launcher>
  error_code on_exec_setup(Launcher&, const fs::path&, const char* const*&) const {
    const int error = prepare();
    errno = error;  // Boost sends errno through its pipe, not the code that we return
    return code(error);
  }

  /// Boost would call exit(), which flushes the parent's buffers a second time.
  template <class Launcher>
  void on_exec_error(Launcher&, const fs::path&, const char* const*&, const error_code&) const {
    ::_exit(127);
  }

  /// Never called: Boost looks for this one to learn whether it may call the one above.
  template <class Launcher>
  void on_exec_error(Launcher&, const error_code&, const fs::path&, const char* const*&,
                     const error_code&) const;

 private:
  static error_code code(int error) { return {error, boost::system::system_category()}; }

  /// Makes everything ready for exec. Returns 0, or the errno of the step that failed.
  [[nodiscard]] int prepare() const {
    if (options_.outlives_us) {
      if (::setsid() < 0) return errno;
    } else {
      if (::setpgid(0, 0) != 0) return errno;
      if (::prctl(PR_SET_PDEATHSIG, SIGKILL) != 0) return errno;
      if (::getppid() != parent_) return ESRCH;  // the parent died before the signal was asked for
    }
    reset_signals();
    const int given = options_.channel ? kChannelFd + 1 : kChannelFd;
    for (int stream = 0; stream < given; ++stream) {
      if (::dup2(ends_[static_cast<std::size_t>(stream)], stream) < 0) return errno;
    }
    if (::close_range(static_cast<unsigned>(given), ~0U, CLOSE_RANGE_CLOEXEC) != 0) return errno;
    if (!directory_.empty() && ::chdir(directory_.c_str()) != 0) return errno;
    return planned_failure_;
  }

  static void reset_signals() {
    struct sigaction normal {};
    normal.sa_handler = SIG_DFL;
    // Those that can't be set (KILL, STOP, the C library's own) need no reset.
    for (int signal = 1; signal < NSIG; ++signal) ::sigaction(signal, &normal, nullptr);
    sigset_t none;
    ::sigemptyset(&none);
    ::pthread_sigmask(SIG_SETMASK, &none, nullptr);
  }

  std::array<int, kChannelFd + 1> ends_;
  const std::string& directory_;
  LaunchOptions options_;
  pid_t parent_;
  int planned_failure_;
  bool forks_next_ = false;
};

/// An executor whose context, for the one question that Boost asks just before fork, has no
/// services. Asio would tell them of the fork in the child, too, and allocates memory for that: in
/// the child of a program with threads, an allocator's lock may be held by a thread that is not
/// there.
class ForkExecutor : public boost::asio::io_context::executor_type {
 public:
  ForkExecutor(boost::asio::io_context& context, boost::asio::execution_context& bare,
               ChildSide& child_side)
      : boost::asio::io_context::executor_type(context.get_executor()),
        context_(&context),
        bare_(&bare),
        child_side_(&child_side) {}

  // Boost copies executors where it could move them.
  ForkExecutor(const ForkExecutor&) = default;
  ForkExecutor& operator=(const ForkExecutor&) = default;
  ~ForkExecutor() = default;

  [[nodiscard]] boost::asio::execution_context& query(
      boost::asio::execution::context_t /*of*/) const noexcept {
    return child_side_->forks_next() ? *bare_ : *context_;
  }

 private:
  boost::asio::execution_context* context_;
  boost::asio::execution_context* bare_;
  ChildSide* child_side_;
};

/// Forks and executes through Boost; returns once exec has happened, or leaves no process.
Try<pid_t> fork_and_exec(const std::string& program, const Command& command,
                         const std::vector<const char*>& environment, ChildSide child_side) {
  const std::vector<std::string> args(command.argv.begin() + 1, command.argv.end());

  const pid_t parent = ::getpid();
  boost::process::v2::posix::default_launcher launcher;
  launcher.env = environment.data();
  error_code error;
  int thrown = 0;
  try {
    boost::asio::io_context context;
    boost::asio::execution_context bare;
    // Makes Asio open its descriptors now: if it could not do so after fork, Boost would leak a
    // pidfd.
    const boost::asio::posix::stream_descriptor opener(context);
    auto started =
        launcher(ForkExecutor(context, bare, child_side), error, program, args, child_side);
    if (!error) {
      started.detach();  // the destructor would kill the process
      return launcher.pid;
    }
  } catch (const boost::system::system_error& failure) {
    thrown = failure.code().value();
  } catch (const std::bad_alloc&) {
    thrown = ENOMEM;
  }
  // Whatever is thrown in the child, it must not go on as a second pool.
  if (::getpid() != parent) ::_exit(127);
  if (launcher.pid > 0) {
    note_started(launcher.pid);  // if it is left over, it must not pass for an orphan
    sys::kill_and_reap(launcher.pid);
  }
  return unexpected(error ? error.value() : thrown);
}

/// Takes the numbers where the child's streams will be, so that neither our pipes nor Boost's get
/// them, even if the pool itself was started without streams.
Try<std::vector<Descriptor>> occupy_places(LaunchOptions options) {
  const int last = options.channel ? kChannelFd : STDERR_FILENO;
  std::vector<Descriptor> fillers;
  for (;;) {
    Try<Descriptor> filler = sys::null_device();
    if (!filler) return unexpected(filler.error());
    if (filler->get() > last) return fillers;
    fillers.push_back(std::move(*filler));
  }
}

/// Makes one pipe: `theirs` for the child, `ours` non-blocking.
Try<void> connect(Descriptor& ours, Descriptor& theirs, bool child_reads) {
  Try<sys::Pipe> pipe = sys::pipe();
  if (!pipe) return unexpected(pipe.error());
  ours = std::move(child_reads ? pipe->write_end : pipe->read_end);
  theirs = std::move(child_reads ? pipe->read_end : pipe->write_end);
  return sys::set_nonblocking(ours.get());
}

Try<void> open_null(Descriptor& theirs) {
  return sys::null_device().map([&](Descriptor&& null) { theirs = std::move(null); });
}

/// Connects a child by a channel. Its stdin is /dev/null, its stdout the same pipe as its stderr.
Try<Ends> connect_channel(Child& child) {
  Ends theirs;
  Try<sys::SocketPair> pair = sys::socket_pair();
  if (!pair) return unexpected(pair.error());
  child.channel_inode = sys::inode_of(pair->second.get());
  child.stdout_end = std::move(pair->first);
  theirs[kChannelFd] = std::move(pair->second);
  Try<void> done = sys::set_nonblocking(child.stdout_end.get());
  if (done) done = open_null(theirs[STDIN_FILENO]);
  if (done) done = connect(child.stderr_end, theirs[STDERR_FILENO], false);
  if (!done) return unexpected(done.error());
  Try<Descriptor> copy = sys::duplicate(theirs[STDERR_FILENO].get());
  if (!copy) return unexpected(copy.error());
  theirs[STDOUT_FILENO] = std::move(*copy);
  return theirs;
}

Try<Ends> connect_streams(Child& child, LaunchOptions options) {
  if (options.channel) return connect_channel(child);
  Ends theirs;
  Try<void> done = connect(child.stdin_end, theirs[0], true);
  if (done) {
    done = options.outlives_us ? open_null(theirs[1]) : connect(child.stdout_end, theirs[1], false);
  }
  if (done) {
    done = options.outlives_us ? open_null(theirs[2]) : connect(child.stderr_end, theirs[2], false);
  }
  if (!done) return unexpected(done.error());
  return theirs;
}

/// The child's environment. With a channel it has the two variables that a child of Node looks for.
std::vector<const char*> environment_of(const Command& command, LaunchOptions options) {
  static const std::string number = fmt::format("{}={}", wire::kChannelVariable, kChannelFd);
  static const std::string mode = fmt::format("{}=json", wire::kChannelModeVariable);
  std::vector<const char*> environment;
  for (const std::string& entry : command.env) {
    const bool stands_aside =
        options.channel && (entry.starts_with(fmt::format("{}=", wire::kChannelVariable)) ||
                            entry.starts_with(fmt::format("{}=", wire::kChannelModeVariable)));
    if (!stands_aside) environment.push_back(entry.c_str());
  }
  if (options.channel) environment.insert(environment.end(), {number.c_str(), mode.c_str()});
  environment.push_back(nullptr);
  return environment;
}

Try<Child> start(const std::string& program, const Command& command, LaunchOptions options) {
  const auto fillers = occupy_places(options);
  if (!fillers) return unexpected(fillers.error());
  Child child;
  const Try<Ends> theirs = connect_streams(child, options);
  if (!theirs) return unexpected(theirs.error());
  const Try<pid_t> pid = fork_and_exec(program, command, environment_of(command, options),
                                       ChildSide(*theirs, command.working_directory, options));
  if (!pid) return unexpected(pid.error());
  child.pid = *pid;
  note_started(*pid);
  Try<Descriptor> pidfd = sys::pidfd_open(*pid);
  if (!pidfd) {
    sys::kill_and_reap(*pid);
    return unexpected(pidfd.error());
  }
  child.pidfd = std::move(*pidfd);
  return child;
}

/// Where a string has a NUL inside, which would silently cut it short; empty: nowhere.
std::string place_of_nul(const Command& command) {
  const auto cut = [](const std::string& text) { return text.find('\0') != std::string::npos; };
  const auto place = [&](const char* list, const std::vector<std::string>& texts) -> std::string {
    const auto found = std::ranges::find_if(texts, cut);
    return found == texts.end() ? "" : fmt::format("{}[{}]", list, found - texts.begin());
  };
  if (cut(command.working_directory)) return "working_directory";
  const std::string argument = place("argv", command.argv);
  return argument.empty() ? place("env", command.env) : argument;
}

}  // namespace

Expected<Child, LaunchError> launch(const Command& command, LaunchOptions options) {
  if (command.argv.empty()) return unexpected(cannot_start("", EINVAL));
  const std::string& name = command.argv.front();
  if (const std::string place = place_of_nul(command); !place.empty()) {
    LaunchError error = cannot_start(name, EINVAL);
    error.message += fmt::format(" ({} has a NUL inside)", place);
    return unexpected(std::move(error));
  }
  const Expected<std::string, LaunchError> program = find_program(name);
  if (!program) return unexpected(program.error());
  Try<Child> child = start(*program, command, options);
  if (!child) return unexpected(cannot_start(name, child.error(), command.working_directory));
  return std::move(*child);
}

}  // namespace poolproof::host
