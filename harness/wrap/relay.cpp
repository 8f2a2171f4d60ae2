#include "harness/wrap/relay.hpp"

#include <array>
#include <signal.h>
#include <unistd.h>
#include <utility>

#include <fmt/format.h>

#include "harness/base/signals.hpp"
#include "harness/wrap/proxy_process.hpp"
#include "harness/wrap/pump.hpp"

namespace poolproof::wrap {
namespace {

constexpr std::size_t kReadBytes = 65'536;
/// The most that is read of what an ended worker may have left in a pipe or a socket.
constexpr std::size_t kLeftMostBytes = std::size_t{8} << 20U;
constexpr short kGone = POLLERR | POLLNVAL;

using host::sys::now;
using Way = wire::WireLog::Way;

/// Relays without any faults, journal or log: the bytes are not looked at.
[[noreturn]] void relay_uninspected(ProxyProcess& process) {
  process.start_worker();
  Pump down(process.input, process.below.input);
  Pump up(process.below.output, process.output);
  while (true) {
    const auto low = down.waits_for();
    const auto high = up.waits_for();
    std::array<pollfd, 6> wanted{low[0],
                                 low[1],
                                 high[0],
                                 high[1],
                                 {process.below.pidfd.get(), POLLIN, 0},
                                 {process.signals.fd(), POLLIN, 0}};
    if (!host::sys::poll(wanted, Duration(-1))) continue;
    if (wanted[5].revents != 0) {
      while (const auto came = process.signals.next()) process.pass_on(*came);
    }
    down.go_on(std::span(wanted).first(2));
    up.go_on(std::span(wanted).subspan(2, 2));
    if (wanted[4].revents == 0) continue;
    const auto status = process.ended();
    if (!status) continue;
    up.drain();
    process.end_with_it(*status, down, up);
  }
}

/// Relays what the machine lets through, and carries out the machine's orders.
class InspectingRelay {
 public:
  InspectingRelay(ProxyProcess& process, RelaySettings& settings)
      : process_(process), settings_(settings), machine_(settings.machine) {}

  [[noreturn]] void run() {
    machine_.start(now());
    while (true) {
      machine_.tick(now());
      go_on();
      wait();
    }
  }

 private:
  enum Place : std::uint8_t { kInput, kOutput, kDown, kUp, kEnd, kSignal, kPlaces };

  void wait() {
    const Time before = now();
    std::array<pollfd, kPlaces> wanted{};
    const auto want = [&](Place place, int fd, short events, bool hears_the_end = false) {
      wanted[place] = {events != 0 || hears_the_end ? fd : -1, events, 0};
    };
    want(kInput, process_.input.fd(), machine_.wants_client() > 0 ? POLLIN : 0);
    want(kOutput, process_.output.fd(), machine_.to_client(before).empty() ? 0 : POLLOUT, true);
    want(kDown, process_.below.input.fd(), machine_.to_worker().empty() ? 0 : POLLOUT, true);
    want(kUp, process_.below.output.fd(), machine_.wants_worker() > 0 ? POLLIN : 0);
    want(kEnd, gone_ ? -1 : process_.below.pidfd.get(), POLLIN);
    want(kSignal, process_.signals.fd(), POLLIN);
    if (!host::sys::poll(wanted, before, machine_.next_deadline(before))) return;
    if (wanted[kSignal].revents != 0) hear_signals();
    if (is_gone(process_.output, wanted[kOutput].revents)) client_left();
    if (is_gone(process_.below.input, wanted[kDown].revents)) worker_left();
    if (wanted[kInput].revents != 0) read_client();
    if (wanted[kUp].revents != 0) (void)read_worker();
    if (wanted[kEnd].revents != 0) see_end();
  }

  static bool is_gone(const sys::Stream& stream, short said) {
    const short gone = stream.kind() == sys::Kind::socket ? kGone | POLLHUP : kGone;
    return stream && (said & gone) != 0;
  }

  void hear_signals() {
    while (const auto came = process_.signals.next()) {
      if (came->number == SIGTERM) {
        machine_.term(now());
      } else {
        process_.pass_on(*came);
      }
    }
  }

  void client_left() {
    say("the client reads no more");
    process_.output.close();
    process_.below.output.close();
    machine_.client_left();
    machine_.worker_output_ended(now());
  }

  void worker_left() {
    say("the worker reads no more");
    process_.below.input.close();
    machine_.worker_left();
  }

  void read_client() {
    const std::size_t most = std::min(machine_.wants_client(), kReadBytes);
    if (most == 0 || !process_.input) return;
    const auto got = process_.input.read(std::span(buffer_).first(most));
    if (!got && got.error() == EAGAIN) return;
    process_.below.input.pass(process_.input.take_passed());
    const Time at = now();
    if (got && *got > 0) {
      const std::string_view bytes(buffer_.data(), *got);
      log(Way::to_worker, bytes, at);
      machine_.from_client(bytes, at);
    } else {
      say("the client closed the worker's stdin");
      process_.input.close();
      machine_.client_ended(at);
    }
    go_on();
  }

  /// Reads once from the worker. False: there was nothing, or it was the end.
  bool read_worker() {
    if (!process_.below.output) return false;
    const auto got = process_.below.output.read(buffer_);
    if (!got && got.error() == EAGAIN) return false;
    process_.output.pass(process_.below.output.take_passed());
    const Time at = now();
    const bool some = got && *got > 0;
    if (some) {
      machine_.from_worker({buffer_.data(), *got}, at);
    } else {
      say("the worker's stdout ended");
      process_.below.output.close();
      machine_.worker_output_ended(at);
    }
    go_on();
    return some;
  }

  void see_end() {
    const auto status = process_.ended();
    if (!status) return;
    gone_ = status;
    for (std::size_t left = kLeftMostBytes; left >= kReadBytes && read_worker();)
      left -= kReadBytes;
    say(status->signal != 0 ? fmt::format("the worker was ended by signal {}", status->signal)
                            : fmt::format("the worker exited with code {}", status->code));
    machine_.worker_exited(*status, now());
    go_on();
  }

  /// Writes what can be written and carries out orders, until nothing more comes of that.
  void go_on() {
    obey();
    write_to_worker();
    write_to_client();
    obey();
  }

  void write_to_worker() {
    while (!machine_.to_worker().empty() && process_.below.input) {
      const auto wrote = process_.below.input.write(machine_.to_worker());
      if (!wrote && wrote.error() == EAGAIN) return;
      if (!wrote) return worker_left();
      machine_.wrote_to_worker(*wrote);
    }
  }

  void write_to_client() {
    while (process_.output) {
      const Time at = now();
      const std::string_view due = machine_.to_client(at);
      if (due.empty()) return;
      const auto wrote = process_.output.write(due);
      if (!wrote && wrote.error() == EAGAIN) return;
      if (!wrote) return client_left();
      log(Way::to_client, due.substr(0, *wrote), at);
      machine_.wrote_to_client(*wrote, at);
      obey();
    }
  }

  void obey() {
    for (auto orders = machine_.take_orders(); !orders.empty(); orders = machine_.take_orders()) {
      for (const Order& order : orders) std::visit([this](const auto& one) { obey(one); }, order);
    }
  }

  void obey(const StartWorker& /*order*/) { process_.start_worker(); }
  void obey(const SayAside& aside) { (void)sys::write_all(STDERR_FILENO, aside.text); }
  void obey(const RaiseSignal& raised) {
    say(fmt::format("wrap raises signal {} on itself", raised.signal));
    if (is_deadly(raised.signal)) process_.end_before_it({0, raised.signal});
    sys::raise(raised.signal);
  }
  void obey(const End& end) {
    if (!gone_) process_.end_before_it(end.status);
    Pump down(process_.input, process_.below.input);
    Pump up(process_.below.output, process_.output);
    process_.end_with_it(end.status, down, up);
  }
  void obey(const CloseOutput& /*order*/) { process_.output.close(); }
  void obey(const CloseInput& /*order*/) { process_.input.close(); }
  void obey(const EndWorkerInput& /*order*/) { process_.below.input.close(); }
  void obey(const SignalWorker& order) {
    (void)host::sys::signal_process(process_.below.pidfd.get(), order.signal);
  }
  void obey(const HoldStreams& hold) {
    const auto pid = sys::leave_behind([&] {
      process_.signals.restore();
      sys::hold_streams(hold.lifetime, process_.input.fd(), process_.output.fd());
    });
    faults::JournalRecord record = faults::record_of(faults::JournalRecord::Kind::grandchild);
    record.child_pid = pid.value_or(0);
    obey(record);
  }
  void obey(const Digest& digest) {
    extra_ = fmt::format(R"(,"digest":"{:016x}"}})", digest.value);
  }
  void obey(const EndedBy& ended) { extra_ = fmt::format(R"(,"signal":{}}})", ended.signal); }
  void obey(const faults::JournalRecord& record) {
    if (!settings_.journal) return;
    std::string line = faults::journal_line(record, now().time_since_epoch().count(),
                                            settings_.machine.self, ::getpid());
    // Only wrap writes such a key, and only guard reads it; other readers pass over it.
    if (const std::string extra = std::exchange(extra_, ""); !extra.empty())
      line.replace(line.rfind('}'), 1, extra);
    // A journal that can't be written must not change what the worker does.
    (void)sys::write_all(settings_.journal.get(), line);
  }

  void log(Way way, std::string_view bytes, Time at) {
    if (settings_.wire_log) settings_.wire_log->note(way, bytes, at);
    tell_trouble();
  }
  void say(std::string_view what) {
    if (settings_.wire_log) settings_.wire_log->say(what, now());
    tell_trouble();
  }
  /// Says once that the log failed. It must not change what the worker does.
  void tell_trouble() {
    if (!settings_.wire_log || settings_.wire_log->trouble().empty()) return;
    (void)sys::write_all(STDERR_FILENO, fmt::format("poolproof: wrap: no more wire log: {}\n",
                                                    settings_.wire_log->trouble()));
    settings_.wire_log.reset();
  }

  ProxyProcess& process_;
  RelaySettings& settings_;
  Machine machine_;
  std::optional<ExitStatus> gone_;
  std::string extra_;  ///< a key and the closing brace, for the next line of the journal
  std::array<char, kReadBytes> buffer_{};
};

bool anything_aimed(const MachineConfig& config) {
  for (const faults::PlannedFault& planned : config.plan) {
    if (planned.at.fits(config.self)) return true;
  }
  return false;
}

}  // namespace

void relay(RelaySettings settings) {
  static RelaySettings kept = std::move(settings);
  static ProxyProcess process(kept);
  const bool inspected = anything_aimed(kept.machine) || kept.journal || kept.wire_log;
  if (!inspected) relay_uninspected(process);
  static InspectingRelay all(process, kept);
  all.run();
}

}  // namespace poolproof::wrap
