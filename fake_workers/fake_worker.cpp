#include <algorithm>
#include <array>
#include <cerrno>
#include <csignal>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <ctime>
#include <fcntl.h>
#include <optional>
#include <string>
#include <string_view>
#include <unistd.h>
#include <utility>
#include <vector>

#include <fmt/format.h>
#include <sys/ioctl.h>
#include <sys/socket.h>
#include <sys/stat.h>
#include <sys/time.h>

#include "fake_workers/brain.hpp"
#include "fake_workers/fake_worker_ticket.hpp"
#include "fake_workers/options.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/wire_log.hpp"
#include "harness/wire/wires.hpp"

/// The program of the fake worker: carries out a Brain's actions with system calls.
namespace {

using namespace poolproof;          // NOLINT(google-build-using-namespace)
using namespace poolproof::faults;  // NOLINT(google-build-using-namespace)
using wire::WireLog;

constexpr int kBadUsage = 64;
constexpr std::size_t kReadBytes = 65'536;
constexpr std::size_t kPlanMaxBytes = std::size_t{16} << 20U;

volatile std::sig_atomic_t term_came = 0;

/// TERM may come just before a blocking call, which would then sleep on. So an alarm interrupts all
/// blocking calls again and again, until the flag has been seen.
void on_term(int) {
  term_came = 1;
  const itimerval again{{0, 10'000}, {0, 10'000}};
  setitimer(ITIMER_REAL, &again, nullptr);
}

void on_alarm(int) {}

void set_signal(int signal, void (*action)(int)) {
  struct sigaction how {};
  how.sa_handler = action;  // No SA_RESTART: the signal must interrupt blocking calls.
  sigaction(signal, &how, nullptr);
}

void mask(int how, int signal) {
  sigset_t one;
  sigemptyset(&one);
  sigaddset(&one, signal);
  sigprocmask(how, &one, nullptr);
}

void install_signals() {
  set_signal(SIGPIPE, SIG_IGN);
  set_signal(SIGALRM, on_alarm);
  set_signal(SIGTERM, on_term);
  mask(SIG_UNBLOCK, SIGALRM);
  mask(SIG_UNBLOCK, SIGTERM);
}

/// Closes one stream of a socket that may serve as both: the other stream lives on.
void close_half(int fd, int how) {
  ::shutdown(fd, how);
  ::close(fd);
}

timespec clock_time(clockid_t clock) {
  timespec now{};
  clock_gettime(clock, &now);
  return now;
}

std::int64_t microseconds(timespec at) {
  return std::int64_t{at.tv_sec} * 1'000'000 + at.tv_nsec / 1000;
}

Time monotonic() {
  return Time(Duration(microseconds(clock_time(CLOCK_MONOTONIC))));
}

timespec timespec_of(std::int64_t us) {
  return {us / 1'000'000, us % 1'000'000 * 1000};
}

/// The time as JSON: seconds since 1970 with microseconds, as Python's time.time() gives them.
std::string epoch_json() {
  const timespec now = clock_time(CLOCK_REALTIME);
  std::array<char, 48> text{};
  std::snprintf(text.data(), text.size(), "%lld.%06ld", static_cast<long long>(now.tv_sec),
                now.tv_nsec / 1000);
  return text.data();
}

class Worker {
 public:
  Worker(const Options& options, Plan plan, int journal_fd, std::optional<wire::WireLog> log)
      : self_(options.self),
        fixed_time_(options.timestamp.has_value()),
        journal_fd_(journal_fd),
        log_(std::move(log)),
        plan_(std::move(plan)),
        brain_({options.self, options.framing, plan_, options.worker_id,
                options.timestamp.value_or(epoch_json()), wire::Codec::json, options.speech}) {}

  [[noreturn]] void run() {
    Actions actions;
    brain_.start(actions);
    carry_out(actions);
    while (true) {
      if (brain_.holds_request()) {
        go_on();
      } else if (brain_.wants() == 0) {
        wait_for_term();
      } else {
        read_some();
      }
    }
  }

 private:
  void go_on() {
    refresh_timestamp();
    Actions actions;
    brain_.go_on(actions);
    carry_out(actions);
  }

  void read_some() {
    const ssize_t got = ::read(STDIN_FILENO, buffer_.data(), std::min(brain_.wants(), kReadBytes));
    if (got < 0 && errno == EINTR) return obey_term();
    Actions actions;
    if (got > 0) {
      log(WireLog::Way::to_worker, {buffer_.data(), static_cast<std::size_t>(got)});
      refresh_timestamp();
      brain_.read({buffer_.data(), static_cast<std::size_t>(got)}, actions);
    } else {
      if (log_) log_->say("the client closed its end", monotonic());
      brain_.end_of_input(actions);
    }
    carry_out(actions);
  }

  void carry_out(const Actions& actions) {
    for (const Action& action : actions) {
      obey_term();
      std::visit([this](const auto& one) { this->carry_out(one); }, action);
    }
  }

  void carry_out(const Write& write) {
    const std::size_t chunk = write.chunk_bytes == 0 ? write.bytes.size() : write.chunk_bytes;
    for (std::string_view left = write.bytes; !left.empty();) {
      const std::string_view now = left.substr(0, chunk);
      left.remove_prefix(now.size());
      look_for_input();
      // Nobody reads its stdout any more: like a Python worker, it leaves without a word.
      if (!stdout_closed_ && !write_all(STDOUT_FILENO, now)) leave(0);
      if (write.gap > Duration{0}) sleep(write.gap);
    }
  }

  void carry_out(const WriteStderr& write) { write_all(STDERR_FILENO, write.text); }

  void carry_out(const Pause& pause) { sleep(pause.span); }

  void carry_out(const Compute& compute) {
    constexpr std::uint32_t kSlice = 1000;
    PrimeCount count(compute.below);
    while (!count.run(kSlice)) obey_term();
    refresh_timestamp();
    Actions actions;
    brain_.computed(count.found(), actions);
    carry_out(actions);
  }

  /// Writes each byte, so that the memory is resident.
  void carry_out(const Grow& grow) { grown_.emplace_back(grow.bytes, 'x'); }

  void carry_out(const Exit& exit) { ::_exit(exit.code); }

  void carry_out(const Raise& raised) {
    set_signal(raised.signal, SIG_DFL);
    mask(SIG_UNBLOCK, raised.signal);
    ::raise(raised.signal);
  }

  void carry_out(const CloseStdout&) {
    close_half(STDOUT_FILENO, SHUT_WR);
    stdout_closed_ = true;
  }

  void carry_out(const CloseStdin&) { close_half(STDIN_FILENO, SHUT_RD); }

  // No call is needed: from this action on, brain_.wants() is 0.
  void carry_out(const StopReading&) {}

  void carry_out(const HoldBack&) { brain_.held_back(); }

  void carry_out(const Fork& grandchild) {
    // Blocked during the fork: a TERM that meets the child early must end it, not run our on_term
    // there.
    mask(SIG_BLOCK, SIGTERM);
    const pid_t pid = ::fork();
    if (pid == 0) {
      set_signal(SIGTERM, SIG_DFL);
      mask(SIG_UNBLOCK, SIGTERM);
      const timespec lifetime = timespec_of(grandchild.lifetime.count());
      ::nanosleep(&lifetime, nullptr);
      ::_exit(0);
    }
    mask(SIG_UNBLOCK, SIGTERM);
    Journal left{JournalRecord::Kind::grandchild};
    left.child_pid = pid;
    carry_out(left);
  }

  void carry_out(const Journal& journal) {
    if (journal_fd_ < 0) return;
    std::string line = journal_line(journal.record(), microseconds(clock_time(CLOCK_MONOTONIC)),
                                    self_, ::getpid());
    if (journal.read != nullptr && journal.read->early)
      line.replace(line.rfind('}'), 1, R"(,"early":true})");
    // Each line is one write. A journal that can't be written must not change what the worker does.
    [[maybe_unused]] const ssize_t wrote = ::write(journal_fd_, line.data(), line.size());
  }

  /// Looks, before it writes to stdout, whether somebody asks already for more.
  void look_for_input() {
    int unread = 0;
    if (journal_fd_ >= 0 && ::ioctl(STDIN_FILENO, FIONREAD, &unread) == 0)
      brain_.input_waits(static_cast<std::size_t>(unread));
  }

  /// Writes all bytes. False: nobody can read them.
  bool write_all(int fd, std::string_view bytes) {
    while (!bytes.empty()) {
      const ssize_t wrote = ::write(fd, bytes.data(), bytes.size());
      if (wrote < 0 && errno != EINTR) return false;
      const auto taken = static_cast<std::size_t>(std::max<ssize_t>(wrote, 0));
      if (fd == STDOUT_FILENO) log(WireLog::Way::to_client, bytes.substr(0, taken));
      bytes.remove_prefix(taken);
      obey_term();
    }
    return true;
  }

  /// A log that can't be written is reported once, and changes nothing that the worker does.
  void log(WireLog::Way way, std::string_view bytes) {
    if (!log_) return;
    log_->note(way, bytes, monotonic());
    if (log_->trouble().empty()) return;
    write_all(STDERR_FILENO, fmt::format("no more wire log: {}\n", log_->trouble()));
    log_.reset();
  }

  void sleep(Duration span) {
    const auto now = [] { return microseconds(clock_time(CLOCK_MONOTONIC)); };
    const std::int64_t end = now() + span.count();
    for (std::int64_t left = span.count(); left > 0; left = end - now()) {
      // clock_nanosleep is not used: the thread sanitizer does not see it block, and delays TERM.
      const timespec rest = timespec_of(left);
      ::nanosleep(&rest, nullptr);
      obey_term();
    }
  }

  void wait_for_term() {
    ::pause();
    obey_term();
  }

  void obey_term() {
    if (term_came == 0) return;
    const itimerval never{};
    setitimer(ITIMER_REAL, &never, nullptr);
    term_came = 0;
    Actions actions;
    brain_.term(actions);
    carry_out(actions);
  }

  [[noreturn]] void leave(int code) {
    Journal exiting{JournalRecord::Kind::exiting};
    exiting.code = code;
    carry_out(exiting);
    ::_exit(code);
  }

  void refresh_timestamp() {
    if (!fixed_time_) brain_.set_timestamp(epoch_json());
  }

  WorkerId self_;
  bool fixed_time_;
  bool stdout_closed_ = false;
  int journal_fd_;
  std::optional<wire::WireLog> log_;
  Plan plan_;
  Brain brain_;
  std::vector<std::string> grown_;
  std::array<char, kReadBytes> buffer_{};
};

[[noreturn]] void refuse(const InputError& error) {
  std::fprintf(stderr, "%s\n", error.line().c_str());
  ::_exit(kBadUsage);
}

std::string read_file(const std::string& path) {
  const int fd = ::open(path.c_str(), O_RDONLY | O_CLOEXEC);
  if (fd < 0) refuse({path, std::strerror(errno), "a plan file"});
  std::string text;
  std::array<char, 4096> part{};
  ssize_t got = 0;
  while (text.size() <= kPlanMaxBytes && (got = ::read(fd, part.data(), part.size())) > 0) {
    text.append(part.data(), static_cast<std::size_t>(got));
  }
  if (got < 0) refuse({path, std::strerror(errno), "a plan file"});
  if (text.size() > kPlanMaxBytes) refuse({path, "too long", "a plan of at most 16 MiB"});
  ::close(fd);
  return text;
}

/// A child of Node's fork() has its messages on a socket of their own: puts that in the place of
/// stdin and stdout.
void take_channel() {
  const char* const said = std::getenv(wire::kChannelVariable);
  const auto fd = parse_number<int>(said == nullptr ? "" : said);
  struct stat what {};
  if (!fd || ::fstat(*fd, &what) != 0 || !S_ISSOCK(what.st_mode)) {
    const std::string text =
        said == nullptr ? "is not set" : fmt::format("\"{}\" is no socket", printable(said));
    refuse({wire::kChannelVariable, text,
            "the descriptor of one, as child_process.fork() and poolproof set it for the wire "
            "node_ipc"});
  }
  ::dup2(*fd, STDIN_FILENO);
  ::dup2(*fd, STDOUT_FILENO);
  if (*fd > STDERR_FILENO) ::close(*fd);
}

/// The plan file's faults, then those of the command line.
Plan whole_plan(const Options& options) {
  if (options.plan_file.empty()) return options.faults;
  auto plan = read_plan(read_file(options.plan_file), options.plan_file);
  if (!plan) refuse(plan.error());
  for (PlannedFault fault : options.faults) {
    fault.id = fmt::format("f{}", plan->size());
    plan->push_back(std::move(fault));
  }
  return *std::move(plan);
}

int open_journal(const std::string& path) {
  if (path.empty()) return -1;
  const int fd = ::open(path.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (fd < 0) refuse({path, std::strerror(errno), "a journal file that can be written"});
  if (fd > STDERR_FILENO) return fd;
  // If this process was started with a closed stream, the journal must not take that one's number.
  const int above = ::fcntl(fd, F_DUPFD_CLOEXEC, STDERR_FILENO + 1);
  ::close(fd);
  return above;
}

std::optional<WireLog> open_wire_log(const Options& options) {
  if (options.wire_log.empty()) return std::nullopt;
  // If this process was started with a closed stream, the log must not take that one's number.
  std::vector<int> places;
  do {
    places.push_back(::open("/dev/null", O_RDONLY | O_CLOEXEC));
  } while (places.back() >= 0 && places.back() <= STDERR_FILENO);
  auto log = WireLog::open(WireLog::path_for(options.wire_log, ::getpid()), options.framing,
                           monotonic(), options.wire_log_bytes);
  for (const int place : places) ::close(place);
  if (!log) refuse(log.error());
  return *std::move(log);
}

int print(const std::string& text) {
  return std::fwrite(text.data(), 1, text.size(), stdout) == text.size() ? 0 : 1;
}

}  // namespace

int main(int argc, char** argv) {
  install_signals();
  auto options =
      read_options({argv + std::min(argc, 1), static_cast<std::size_t>(std::max(argc - 1, 0))},
                   [](const char* name) { return std::getenv(name); });
  if (!options) refuse(options.error());
  switch (options->mode) {
    case Options::Mode::list:
      return print(list_text());
    case Options::Mode::help:
      return print(help_text());
    case Options::Mode::version:
      return print("fake_worker " POOLPROOF_VERSION "\n");
    case Options::Mode::work:
      break;
  }
  if (const std::string& tickets = options->tickets_file; !tickets.empty()) {
    const auto ticket = draw_ticket(tickets);
    if (!ticket) refuse({tickets, std::strerror(errno), "a file for tickets that can be written"});
    set_ticket(*options, *ticket);
  }
  if (wire::row_of(options->framing.wire).on_channel) take_channel();
  const int journal = open_journal(options->journal_file);
  static Worker worker(*options, whole_plan(*options), journal, open_wire_log(*options));
  worker.run();
}
