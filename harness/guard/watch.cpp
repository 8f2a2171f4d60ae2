#include "harness/guard/watch.hpp"

#include <algorithm>
#include <array>
#include <csignal>
#include <map>
#include <unistd.h>
#include <utility>

#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/guard/front.hpp"
#include "harness/guard/pace.hpp"
#include "harness/guard/process_observer.hpp"
#include "harness/host/census.hpp"
#include "harness/host/system_below.hpp"

namespace poolproof::guard {
namespace {

using namespace std::chrono_literals;
namespace sys = host::sys;
namespace proc_fs = host::proc_fs;

/// After output we do not listen to more of it for this long: a program may write all the time.
constexpr Duration kDeaf = 50ms;
/// A program that is asked to end is given this long before it is killed.
constexpr Duration kTermGrace = 300ms;
/// What the program has left is given this long to end by itself. Only time in which it does
/// nothing counts, not time in which it runs or waits for a processor.
constexpr Duration kLeaveGrace = 2s;
constexpr Duration kLeaveMost = 10s;
constexpr Duration kLeaveGap = 20ms;
constexpr int kGoingPercent = 20;
constexpr std::uintmax_t kMarksMost = std::uintmax_t{1} << 20U;

class Watch {
 public:
  Watch(const Command& command, pid_t front)
      : command_(command),
        front_(front),
        begun_(sys::now()),
        last_sign_(begun_),
        observer_(begun_),
        pace_(begun_) {}

  Expected<Facts, int> run() {
    auto signals = sys::held_signals();
    auto writes = sys::write_watch();
    if (!signals) return unexpected(signals.error());
    if (!writes) return unexpected(writes.error());
    signals_ = std::move(*signals);
    writes_ = std::move(*writes);
    watch_all_writes();
    const auto host = sys::start_as_we_were(
        {command_.program, command_.argv, command_.env, !sys::in_foreground()});
    if (!host) return unexpected(host.error());
    host_ = *host;
    observer_.set_host(host_);
    while (!host_exit_ && !is_overdue(sys::now())) wait();
    conclude();
    return std::move(facts_);
  }

 private:
  void watch_all_writes() {
    for (const char* path : {"/proc/self/fd/1", "/proc/self/fd/2"}) {
      (void)sys::watch_writes(writes_.get(), path);
    }
    journals_ = sys::watch_writes(writes_.get(), command_.journals.c_str()).value_or(-1);
    marks_ = sys::watch_writes(writes_.get(), command_.marks.c_str()).value_or(-1);
  }

  void wait() {
    const Time now = sys::now();
    Time until = std::min(pace_.next_look(), deadline());
    const bool is_deaf = now < deaf_until_;
    if (is_deaf) until = std::min(until, deaf_until_);
    std::array<pollfd, 3> fds{{{signals_.get(), POLLIN, 0},
                               {is_deaf ? -1 : writes_.get(), POLLIN, 0},
                               {observer_.ends(), POLLIN, 0}}};
    (void)sys::poll(fds, now, until);
    take_signals();
    if (fds[2].revents != 0) observer_.note_ends(sys::now());
    if (fds[1].revents != 0) take_writes();
    if (sys::now() >= pace_.next_look()) look();
  }

  void take_signals() {
    while (const auto signal = sys::next_signal(signals_.get())) {
      if (signal->number == SIGCHLD) reap();
      if (signal->number == front_ended_signal() && sys::parent_now() != front_) {
        host::end_descendants(0);
        sys::leave_copy(1);
      }
      const bool is_ours = asks_to_end(signal->number) && signal->from == front_;
      if (!is_ours || host_exit_) continue;
      facts_.end.passed = signal->number;
      sys::signal_child(host_, signal->number);
    }
  }

  void reap() {
    while (const auto reaped = sys::reap_any()) {
      const Time now = sys::now();
      // The program's other children are ours by now: a later look tells which of them are dead.
      if (reaped->pid == host_) {
        host_exit_ = reaped->exit;
        ended_ = now;
      }
      observer_.reaped(reaped->pid, reaped->exit, now);
    }
  }

  void take_writes() {
    const Time now = sys::now();
    const auto numbers = sys::next_writes(writes_.get());
    const auto has = [&](int number) { return std::ranges::count(numbers, number) > 0; };
    const auto is_output = [this](int number) { return number != marks_ && number != journals_; };
    if (has(marks_)) take_marks(now);
    if (has(journals_)) note_sign(Sign::journal, now);
    if (std::ranges::any_of(numbers, is_output)) note_sign(Sign::output, now);
    deaf_until_ = after(now, kDeaf);
  }

  void note_sign(Sign sign, Time now) {
    if (facts_.end.sign == Sign::end_mark && sign < Sign::mark) return;
    facts_.end.sign = sign;
    last_sign_ = now;
  }

  /// Takes the new lines of the marks' file: each is a mark.
  void take_marks(Time now) {
    const std::string text = read_file(command_.marks, kMarksMost, "marks").value_or("");
    for (std::size_t end = text.find('\n', marks_read_); end != std::string::npos;
         end = text.find('\n', marks_read_)) {
      const std::string_view mark = std::string_view(text).substr(marks_read_, end - marks_read_);
      marks_read_ = end + 1;
      observer_.end_idle();
      if (mark == "idle") observer_.begin_idle(now);
      const bool has_ended = facts_.end.sign == Sign::end_mark && mark != "busy";
      note_sign(mark == "end" || has_ended ? Sign::end_mark : Sign::mark, now);
    }
  }

  void look() {
    const std::size_t changes = observer_.look(sys::now());
    if (pace_.is_time_for_descriptors(sys::now())) observer_.look_at_descriptors(sys::now());
    pace_.looked(sys::now(), sys::own_cpu(), changes);
  }

  /// The limit for the time after the last sign of life; nothing: there is none.
  [[nodiscard]] std::optional<Duration> end_limit() const {
    const bool said_end = facts_.end.sign == Sign::end_mark;
    return command_.end_limit || !said_end ? command_.end_limit : kEndLimit;
  }

  [[nodiscard]] Time deadline() const {
    const auto end = end_limit();
    return std::min(command_.limit ? after(begun_, *command_.limit) : kNever,
                    end ? after(last_sign_, *end) : kNever);
  }

  bool is_overdue(Time now) {
    if (now < deadline()) return false;
    const bool over_limit = command_.limit && now >= after(begun_, *command_.limit);
    facts_.end.how = over_limit ? HostEnd::How::over_limit : HostEnd::How::over_end_limit;
    facts_.end.limit = over_limit ? *command_.limit : *end_limit();
    return true;
  }

  /// Brings the watch to its end, whether the program has ended or is to be put away.
  void conclude() {
    if (!host_exit_) {
      observer_.look(sys::now());
      observer_.end_idle();
      facts_.left = observer_.living();
      std::erase_if(facts_.left, [this](const auto& one) { return one.address.pid == host_; });
    }
    facts_.begun = begun_;
    facts_.host = host_address_of();
    put_host_away();
    facts_.end.exit = host_exit_.value_or(ExitStatus{});
    facts_.end.at = ended_ - begun_;
    facts_.end.last_sign = last_sign_ - begun_;
    if (facts_.end.how == HostEnd::How::by_itself) {
      let_leave();
      facts_.left = observer_.living();
    }
    put_rest_away();
    observer_.finish(facts_);
  }

  [[nodiscard]] Address host_address_of() const {
    Address address = observer_.address_of(host_);
    address.parent = 0;
    address.parent_command.clear();
    if (!address.command.empty()) return address;
    for (const std::string& word : command_.argv) {
      address.command += (address.command.empty() ? "" : " ") + printable(word);
    }
    return address;
  }

  void put_host_away() {
    if (host_exit_) return;
    const Time kill = after(sys::now(), kTermGrace);
    sys::signal_child(host_, SIGTERM);
    while (!host_exit_ && sys::now() < kill) wait_for_children(kill);
    if (!host_exit_) sys::signal_child(host_, SIGKILL);
    while (!host_exit_) wait_for_children(kNever);
  }

  /// Puts away what is left, and reports each process, even if it came after the last look.
  void put_rest_away() {
    for (const host::Marked& one : host::end_descendants(0)) {
      Process process = observer_.process_of(one);
      const auto is_it = [&](const Process& left) {
        return left.address.pid == one.pid && left.address.started == process.address.started;
      };
      if (std::ranges::none_of(facts_.left, is_it)) facts_.left.push_back(std::move(process));
    }
  }

  void wait_for_children(Time until) {
    std::array<pollfd, 1> fds{{{signals_.get(), POLLIN, 0}}};
    (void)sys::poll(fds, sys::now(), until);
    take_signals();
  }

  /// Waits until no process is left, or those that are left have had their time.
  void let_leave() {
    std::map<pid_t, std::uint64_t> demand;
    Time before = sys::now();
    observer_.look(before);
    (void)is_any_going(demand, kLeaveGap);
    Duration waited{};
    const Time give_up = after(before, kLeaveMost);
    while (sys::has_children() && waited < kLeaveGrace && before < give_up) {
      const Time until = after(before, kLeaveGap);
      while (sys::has_children() && sys::now() < until) wait_for_children(until);
      const Time now = sys::now();
      observer_.look(now);
      if (!is_any_going(demand, now - before)) waited += now - before;
      before = now;
    }
  }

  /// Whether some process below us still runs or wants to: it may be about to end. `demand` holds
  /// what each had wanted by the last call, and is updated; a process that is new counts from zero.
  bool is_any_going(std::map<pid_t, std::uint64_t>& demand, Duration span) {
    std::map<pid_t, std::uint64_t> before = std::exchange(demand, {});
    bool going = false;
    for (const pid_t pid : observer_.pids()) {
      const std::uint64_t now = demand[pid] = proc_fs::cpu_demand(pid);
      const std::uint64_t more = now > before[pid] ? now - before[pid] : 0;
      going = going || proc_fs::percent_of(more, span) > kGoingPercent;
    }
    return going;
  }

  const Command& command_;
  pid_t front_;
  Time begun_;
  Time last_sign_;
  ProcessObserver observer_;
  Pace pace_;
  host::Descriptor signals_;
  host::Descriptor writes_;
  int journals_ = -1;  ///< the number of the watch on the folder of journals
  int marks_ = -1;     ///< the number of the watch on the file of marks
  std::size_t marks_read_ = 0;
  Time deaf_until_{};
  pid_t host_ = 0;
  std::optional<ExitStatus> host_exit_;
  Time ended_{};
  Facts facts_;
};

}  // namespace

Expected<Facts, int> watch(const Command& command, pid_t front) {
  return Watch(command, front).run();
}

}  // namespace poolproof::guard
