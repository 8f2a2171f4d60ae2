#include "harness/guard/process_observer.hpp"

#include <algorithm>
#include <array>
#include <fstream>
#include <iterator>
#include <span>
#include <sstream>
#include <unistd.h>
#include <utility>

#include <sys/epoll.h>

#include "harness/guard/open_files.hpp"
#include "harness/guard/test_runner.hpp"
#include "harness/host/census.hpp"
#include "harness/host/system_below.hpp"

namespace poolproof::guard {
namespace {

using host::proc_fs::Stat;
namespace proc_fs = host::proc_fs;
namespace sys = host::sys;

/// For so many looks a young process may still be between fork and exec: it is looked at again.
constexpr int kLooksWhileYoung = 3;
/// Of each process, up to this number, we hold the pidfd, which tells its exit code.
constexpr std::size_t kHeldMost = 256;
constexpr std::size_t kLooksKept = 256;

Duration of_ticks(std::uint64_t ticks) {
  static const auto per_second = static_cast<std::uint64_t>(::sysconf(_SC_CLK_TCK));
  return std::chrono::microseconds(ticks * 1'000'000 / per_second);
}

/// The processor time of all threads of a process, in nanoseconds.
std::uint64_t cpu_used(pid_t pid) {
  constexpr int kFieldsBefore = 11;  // the fields between the name and the times
  std::ifstream file("/proc/" + std::to_string(pid) + "/stat");
  const std::string text{std::istreambuf_iterator<char>(file), std::istreambuf_iterator<char>()};
  const std::size_t name_end = text.rfind(')');
  if (name_end == std::string::npos) return 0;
  std::istringstream rest(text.substr(name_end + 1));
  std::string skipped;
  for (int i = 0; i < kFieldsBefore; ++i) rest >> skipped;
  std::uint64_t user = 0;
  std::uint64_t system = 0;
  rest >> user >> system;
  return rest ? static_cast<std::uint64_t>(of_ticks(user + system).count()) * 1000 : 0;
}

}  // namespace

ProcessObserver::ProcessObserver(Time begun) : begun_(begun), self_(::getpid()) {
  if (auto ends = sys::epoll()) ends_ = std::move(*ends);
  if (const auto stat = proc_fs::read_stat(self_)) own_ticks_ = stat->started;
  for (OpenFile& file : open_files(self_)) outside_.push_back(std::move(file.target));
}

Address ProcessObserver::address_of(pid_t pid) const {
  const auto found = known_.find(pid);
  if (found != known_.end()) return found->second.process.address;
  if (const auto stat = proc_fs::read_stat(pid)) return first_seen(pid, *stat).address;
  Address address;
  address.pid = pid;
  return address;
}

Process ProcessObserver::first_seen(pid_t pid, const Stat& stat) const {
  Process process;
  process.group = stat.group;
  process.session = stat.session;
  Address& address = process.address;
  address.pid = pid;
  address.command = proc_fs::command_of(pid, stat);
  address.started = started_after(stat.started);
  // An adopted process was started by one that is gone.
  if (stat.parent == self_ && pid != host_) return process;
  address.parent = stat.parent;
  const auto parent = known_.find(stat.parent);
  if (stat.parent == self_) address.parent_command = "poolproof guard";
  if (parent != known_.end()) address.parent_command = parent->second.process.address.command;
  return process;
}

Duration ProcessObserver::started_after(std::uint64_t ticks) const {
  return ticks > own_ticks_ ? of_ticks(ticks - own_ticks_) : Duration{};
}

bool ProcessObserver::admit(pid_t pid, const Stat& stat, Duration at) {
  const auto parent = known_.find(stat.parent);
  if (stat.parent != self_ && parent == known_.end()) return false;
  // Who starts a process may have been another program when we last looked closely.
  if (parent != known_.end()) {
    if (const auto now = proc_fs::read_stat(stat.parent)) learn_command(parent->second, *now);
  }
  Known known;
  known.ticks = stat.started;
  known.process = first_seen(pid, stat);
  known.process.last_seen = at;
  if (known_.size() < kHeldMost) {
    if (auto pidfd = sys::pidfd_open(pid)) known.pidfd = std::move(*pidfd);
  }
  // Without a pidfd, only the next look shows its end.
  if (known.pidfd) {
    (void)sys::epoll_add(ends_.get(), known.pidfd.get(), EPOLLIN | EPOLLONESHOT,
                         static_cast<std::uint64_t>(pid));
  }
  if (!stat.dead()) look_closer(known, stat);
  known_.insert_or_assign(pid, std::move(known));
  return true;
}

/// Learns the command line that a process has now: a shim executes the program long after its own
/// start.
void ProcessObserver::learn_command(Known& known, const Stat& stat) {
  // A process that is ending has no command line any more.
  if (stat.started != known.ticks || stat.dead() || stat.exiting()) return;
  Process& process = known.process;
  process.address.command = proc_fs::command_of(process.address.pid, stat);
  process.is_copy = process.address.command == process.address.parent_command;
}

void ProcessObserver::look_closer(Known& known, const Stat& stat) {
  if (known.looks >= kLooksWhileYoung) return;
  ++known.looks;
  learn_command(known, stat);
  Process& process = known.process;
  const Address& address = process.address;
  const bool may_be =
      address.parent != 0 && address.parent != self_ && !starts_tests(address.parent_command);
  process.is_worker =
      process.is_worker || (may_be && looks_like_worker(address.pid, address.parent));
}

std::size_t ProcessObserver::meet_strangers(const std::vector<pid_t>& pids, Duration at) {
  std::vector<pid_t> still;
  std::ranges::set_intersection(strangers_, pids, std::back_inserter(still));
  strangers_ = std::move(still);
  std::map<pid_t, Stat> fresh;
  for (const pid_t pid : pids) {
    const bool is_met = known_.contains(pid) || std::ranges::binary_search(strangers_, pid);
    if (is_met || pid == self_) continue;
    if (auto stat = proc_fs::read_stat(pid)) fresh.emplace(pid, std::move(*stat));
  }
  std::size_t came = 0;
  // A child may have a lower pid than its parent, so look again as long as a process is found.
  for (bool found = true; found && !fresh.empty();) {
    const std::size_t admitted =
        std::erase_if(fresh, [&](const auto& one) { return admit(one.first, one.second, at); });
    found = admitted > 0;
    came += admitted;
  }
  for (const auto& [pid, stat] : fresh) {
    strangers_.insert(std::ranges::lower_bound(strangers_, pid), pid);
  }
  return came;
}

void ProcessObserver::note_ends(Time now) {
  std::array<epoll_event, 64> events{};
  const int count = sys::epoll_wait(ends_.get(), events, Duration{}).value_or(0);
  for (const epoll_event& event : std::span(events).first(static_cast<std::size_t>(count))) {
    const auto found = known_.find(static_cast<pid_t>(event.data.u64));
    if (found == known_.end()) continue;
    Known& known = found->second;
    known.ended = since_begin(now);
    const auto stat = proc_fs::read_stat(found->first);
    if (stat && stat->started == known.ticks) note_dead(known, *stat, since_begin(now));
  }
}

void ProcessObserver::note_dead(Known& known, const Stat& stat, Duration at) const {
  // Our own children are reaped at once: they are no zombies.
  if (!stat.dead() || stat.parent == self_ || known.dead_since) return;
  known.dead_since = known.ended.value_or(at);
}

void ProcessObserver::forget(Known& known, Duration at, std::optional<ExitStatus> exit) {
  known.process.gone = known.ended.value_or(at);
  known.process.exit = exit;
  if (!exit && known.pidfd) known.process.exit = sys::exit_of_stranger(known.pidfd.get());
  over_.push_back(std::move(known.process));
}

std::size_t ProcessObserver::look_again(Duration at) {
  std::size_t went = 0;
  for (auto one = known_.begin(); one != known_.end();) {
    auto& [pid, known] = *one;
    const auto stat = proc_fs::read_stat(pid);
    if (!stat || stat->started != known.ticks) {
      forget(known, at, std::nullopt);
      one = known_.erase(one);
      ++went;
      continue;
    }
    if (!stat->dead()) {
      known.process.last_seen = at;
      look_closer(known, *stat);
    } else {
      note_dead(known, *stat, at);
    }
    ++one;
  }
  return went;
}

std::size_t ProcessObserver::look(Time now) {
  const Duration at = since_begin(now);
  const std::size_t went = look_again(at) + std::exchange(reaped_, 0);
  return went + meet_strangers(proc_fs::all_pids(), at);
}

void ProcessObserver::look_at_descriptors(Time now) {
  std::map<pid_t, std::vector<OpenFile>> files;
  std::map<pid_t, pid_t> parents;
  for (auto& [pid, known] : known_) {
    if (known.dead_since) continue;
    auto open = open_files(pid);
    // A process that is ending has closed some descriptors already: it keeps none of them.
    const auto stat = proc_fs::read_stat(pid);
    if (!stat || stat->dead() || stat->exiting()) continue;
    learn_command(known, *stat);
    files.emplace(pid, std::move(open));
    parents.emplace(pid, known.process.address.parent);
  }
  for (auto& [pid, look] : look_at(files, parents, outside_)) {
    look.at = since_begin(now);
    Descriptors& kept = descriptors_[pid];
    const Address& address = known_.at(pid).process.address;
    if (kept.address.started != address.started) kept = {};  // another process has had that pid
    kept.address = address;
    kept.looks.push_back(std::move(look));
    if (kept.looks.size() <= kLooksKept) continue;
    bool keep = false;
    std::erase_if(kept.looks, [&](const auto&) { return keep = !keep; });
  }
}

void ProcessObserver::reaped(pid_t pid, ExitStatus exit, Time now) {
  const auto found = known_.find(pid);
  if (found == known_.end()) return;
  Known& known = found->second;
  if (known.dead_since) {
    zombies_.push_back({known.process.address, *known.dead_since, since_begin(now)});
  }
  forget(known, since_begin(now), exit);
  known_.erase(found);
  ++reaped_;
}

ProcessObserver::Usage ProcessObserver::usage_of(pid_t pid, const Known& known) const {
  // This process may itself wait for a processor between any two of these reads.
  return {since_begin(sys::now()),      known.ticks,
          proc_fs::cpu_demand(pid),     cpu_used(pid),
          proc_fs::resident_bytes(pid), since_begin(sys::now())};
}

void ProcessObserver::begin_idle(Time now) {
  if (is_idle_) return;
  look(now);
  is_idle_ = true;
  usage_.clear();
  for (const auto& [pid, known] : known_) usage_[pid] = usage_of(pid, known);
}

void ProcessObserver::end_idle() {
  if (!std::exchange(is_idle_, false)) return;
  for (const auto& [pid, before] : usage_) {
    const auto found = known_.find(pid);
    if (found == known_.end() || found->second.ticks != before.ticks) continue;
    const Usage after = usage_of(pid, found->second);
    const auto percent = [span = after.read - before.at](std::uint64_t first, std::uint64_t last) {
      return proc_fs::percent_of(last > first ? last - first : 0, span);
    };
    idle_.push_back({found->second.process.address, before.at, after.read,
                     percent(before.used, after.used), percent(before.demand, after.demand),
                     before.resident, after.resident});
  }
}

std::vector<pid_t> ProcessObserver::pids() const {
  std::vector<pid_t> all;
  for (const auto& [pid, known] : known_) all.push_back(pid);
  return all;
}

std::vector<Process> ProcessObserver::living() const {
  std::vector<Process> all;
  for (const host::Marked& one : host::descendants(0)) all.push_back(process_of(one));
  return all;
}

Process ProcessObserver::process_of(const host::Marked& one) const {
  Process process;
  const auto found = known_.find(one.pid);
  const auto stat = proc_fs::read_stat(one.pid);
  if (found != known_.end() && found->second.ticks == one.started) {
    process = found->second.process;
  } else if (stat && stat->started == one.started) {
    process = first_seen(one.pid, *stat);
  } else {
    process.address.pid = one.pid;
    process.address.started = started_after(one.started);
  }
  process.address.command = one.command;
  return process;
}

void ProcessObserver::finish(Facts& facts) {
  for (auto& [pid, known] : known_) over_.push_back(std::move(known.process));
  known_.clear();
  std::ranges::stable_sort(over_, {}, [](const Process& one) { return one.address.started; });
  facts.seen = std::move(over_);
  facts.zombies = std::move(zombies_);
  facts.idle = std::move(idle_);
  for (auto& [pid, one] : descriptors_) facts.descriptors.push_back(std::move(one));
}

}  // namespace poolproof::guard
