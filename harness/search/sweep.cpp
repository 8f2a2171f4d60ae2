#include "harness/search/sweep.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <map>
#include <new>

#include <fmt/format.h>

#include "harness/base/random.hpp"
#include "harness/base/write_file.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/host/proc_fs.hpp"
#include "harness/host/system.hpp"
#include "harness/search/build_fingerprint.hpp"
#include "harness/search/crash_allowance.hpp"
#include "harness/search/crash_signature.hpp"
#include "harness/search/standstill.hpp"
#include "harness/search/sweep_failures.hpp"
#include "harness/search/sweep_job.hpp"
#include "harness/search/sweep_shrink.hpp"
#include "harness/search/sweep_state.hpp"

namespace poolproof::search {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Duration kLookEvery = 250ms;
constexpr Duration kTellEvery = 1s;
/// The first time that progress is saved: who watches a batch system then sees that it runs.
constexpr Duration kFirstSave = 1s;
/// If more time than this passes between two looks, nobody was there to look.
constexpr Duration kWatchedMost = 1s;
/// The time that processes get to end the cases under way once the sweep was asked to stop. A case
/// takes a millisecond; who asks may kill us after 5 s.
constexpr Duration kGrace = 2s;
/// A case during which this many processes were killed has failed.
constexpr std::uint32_t kKillsOfCase = 2;
/// After this many kills without a whole chunk in between it makes no sense to go on.
constexpr std::uint32_t kKillsInRow = 50;
constexpr std::uint64_t kLastCases = 100'000;
/// How much of a process's stderr is kept: enough for a whole report of a sanitizer.
constexpr std::size_t kWordsKept = 65'536;

/// One process of the sweep, as its parent sees it.
struct Worker {
  explicit Worker(Duration stuck_after) : standstill(stuck_after) {}

  host::ForkedChild process;
  std::string said;
  std::string errors;
  /// How often each failure was seen in the chunk under way: counted when the chunk is.
  std::map<std::string, std::uint64_t> failed;
  Standstill standstill;
  bool running = false;
};

SearchError broken(std::string line) {
  return {SearchError::Kind::broken, std::move(line)};
}
SearchError bad_input(std::string line) {
  return {SearchError::Kind::input, std::move(line)};
}

class Sweep {
 public:
  Sweep(const SweepOptions& options, SweepShared& shared)
      : options_(options), shared_(shared), found_(options.seed) {}

  Expected<void, SearchError> prepare() {
    std::error_code error;
    fs::create_directories(fs::path(options_.out) / "failures", error);
    if (error) {
      return unexpected(bad_input(fmt::format("can't make {}: {}", options_.out, error.message())));
    }
    auto folder = host::sys::lock_folder(options_.out.c_str());
    if (!folder) {
      const bool taken = folder.error() == EWOULDBLOCK;
      return unexpected(SearchError{
          taken ? SearchError::Kind::locked : SearchError::Kind::input,
          fmt::format("can't use {}: {}", options_.out,
                      taken ? "another sweep is writing there" : std::strerror(folder.error()))});
    }
    folder_ = std::move(*folder);
    return go_on_from_before();
  }

  Expected<SweepState, SearchError> run(const SweepProgress& progress) {
    begun_ = looked_ = host::sys::now();
    deadline_ = options_.time > Duration::zero() ? after(begun_, options_.time) : kNever;
    told_ = begun_;
    saved_ = begun_ - std::max(options_.save_every - kFirstSave, Duration::zero());
    save();  // a folder that can't be written to is better known before the work
    if (!state_.trouble.empty()) return unexpected(broken(state_.trouble));
    const std::uint32_t jobs = std::clamp(options_.jobs, 1U, kJobsMax);
    for (std::uint32_t job = 0; job < jobs; ++job) workers_.emplace_back(options_.stuck_after);
    if (options_.stop_at_failure && !found_.none()) stop(SweepEnd::failure);
    for (std::uint32_t job = 0; job < jobs; ++job) {
      if (!start(job)) return unexpected(broken("can't start a process"));
    }
    do {
      while (look()) keep(progress);
    } while (has_holes() && fill_holes());
    state_.elapsed = base_.elapsed + (host::sys::now() - begun_);
    state_.own().end = how_it_ended();
    gather();
    // Before what takes long: a kill must not cost what was found.
    if (state_.trouble.empty()) save();
    if (state_.trouble.empty() && options_.shrink && !asked()) shrink_all();
    if (progress) progress(state_, Duration::zero());
    return state_;
  }

 private:
  /// Goes on where the same sweep into the same folder stopped.
  Expected<void, SearchError> go_on_from_before() {
    state_.seed = options_.seed;
    state_.count = options_.count;
    state_.shards = options_.shards;
    state_.build = build_fingerprint();
    state_.own().shard = options_.shard;
    base_ = state_;
    const std::string path = state_file();
    std::error_code ignored;  // then it can't be read, which says more
    if (fs::symlink_status(path, ignored).type() == fs::file_type::not_found) return {};
    auto before = load_sweep_state(options_.out);
    if (!before) return unexpected(bad_input(before.error().line()));
    if (const auto why = why_not_go_on(*before); !why.empty()) {
      return unexpected(bad_input(fmt::format("{}: {}; another --out, or remove it", path, why)));
    }
    state_ = *before;
    forget_lost_files(options_.out, state_.failures);
    state_.count = options_.count;
    state_.own().end = SweepEnd::running;
    base_ = state_;
    found_.go_on_from(state_.failures);
    shared_.next.store(state_.own().numbers.next());
    return {};
  }

  /// Why the sweep can't go on from that state; empty: it can.
  [[nodiscard]] std::string why_not_go_on(const SweepState& before) const {
    if (before.merged) return "is the sum of several shards, which nobody goes on with";
    if (before.seed != options_.seed || before.own().shard != options_.shard ||
        before.shards != options_.shards) {
      return fmt::format("is of another sweep (seed {:#x}, shard {}/{})", before.seed,
                         before.own().shard + 1, before.shards);
    }
    if (before.build != state_.build) {
      return fmt::format("is of another build of poolproof ({}, this is {})", before.build,
                         state_.build);
    }
    const auto& numbers = before.own().numbers;
    const std::uint64_t last =
        numbers.above_next().empty() ? numbers.next() : numbers.above_next().back().to;
    if (options_.count > 0 && last > options_.count) {
      return fmt::format("has got beyond --count {} already", options_.count);
    }
    return "";
  }

  bool start(std::uint32_t job) {
    auto child = host::fork_child([this, job](int said) {
      folder_.reset();  // the lock is ours alone: the next sweep need not wait for the end of the
                        // copies
      do_job(options_, state_.own().numbers, shared_, job, deadline_, said);
      return 0;
    });
    if (!child) return false;
    Worker& worker = workers_[job];
    worker.process = std::move(*child);
    worker.said.clear();
    worker.errors.clear();
    worker.running = true;
    worker.standstill = Standstill(options_.stuck_after);
    return true;
  }

  /// Waits a moment for reports of the processes. False: none of them runs any more.
  bool look() {
    std::vector<pollfd> fds;
    for (const Worker& worker : workers_) {
      if (!worker.running) continue;
      fds.push_back({worker.process.said.get(), POLLIN, 0});
      fds.push_back({worker.process.pidfd.get(), POLLIN, 0});
    }
    if (fds.empty()) return false;
    (void)host::sys::poll(fds, kLookEvery);
    const Duration since = host::sys::now() - looked_;
    const bool all = since >= kLookEvery;
    auto fd = fds.begin();
    for (std::uint32_t job = 0; job < workers_.size(); ++job) {
      if (!workers_[job].running) continue;
      const bool moved = fd[0].revents != 0 || fd[1].revents != 0;
      fd += 2;
      if (moved || all) look_at(job, all ? std::min(since, kWatchedMost) : Duration{});
    }
    if (all) looked_ = host::sys::now();
    return true;
  }

  /// `watched`: the time since the last look at all processes; zero: this is a look only at those
  /// that have something to say.
  void look_at(std::uint32_t job, Duration watched) {
    Worker& worker = workers_[job];
    listen(worker);
    const auto ended = host::sys::peek_exit(worker.process.pidfd.get());
    if (!ended || !*ended) {
      if (watched > Duration::zero()) watch_for_standstill(job, watched);
      return;
    }
    (void)host::sys::reap(worker.process.pidfd.get());
    listen(worker);
    worker.running = false;
    if ((*ended)->signal == SIGKILL) return killed(job);
    if (**ended != ExitStatus{}) crashed(job, crash_signature(**ended, worker.errors));
  }

  void watch_for_standstill(std::uint32_t job, Duration watched) {
    Worker& worker = workers_[job];
    const pid_t pid = worker.process.pid;
    const auto stat = host::proc_fs::read_stat(pid);
    const bool suspended = stat && (stat->state == 'T' || stat->state == 't');
    if (!worker.standstill.look(
            {shared_.jobs[job].at.load(), processor_time(pid), watched, suspended})) {
      return;
    }
    end_process(worker);
    crashed(job, kStuckSignature);
  }

  static void end_process(Worker& worker) {
    (void)host::sys::signal_process(worker.process.pidfd.get(), SIGKILL);
    (void)host::sys::reap(worker.process.pidfd.get());
    worker.running = false;
  }

  void crashed(std::uint32_t job, const std::string& signature) {
    Worker& worker = workers_[job];
    JobShared& own = shared_.jobs[job];
    note(worker, {own.at.load(), 1, signature, signature});
    own.at.fetch_add(1);
    own.in_case.store(false);
    ++own.tally.done;
    if (!crashes_.grant(signature, state_.done - base_.done)) stop(SweepEnd::crashes);
    const bool goes_on = !shared_.stop.load() && start(job);
    if (!goes_on) add(worker, {{own.begin.load(), own.at.load()}, own.tally});
  }

  /// Somebody else killed the process, as the system does when memory is short. Its tally may be
  /// half written, so the chunk begins again.
  void killed(std::uint32_t job) {
    JobShared& own = shared_.jobs[job];
    ++state_.killed;
    if (own.in_case.load() && ++kills_[own.at.load()] >= kKillsOfCase) {
      return crashed(job, crash_signature({0, SIGKILL}, ""));
    }
    begin_chunk_again(job);
    if (++kills_in_row_ >= kKillsInRow) stop(SweepEnd::kills);
    if (!shared_.stop.load()) (void)start(job);
  }

  void begin_chunk_again(std::uint32_t job) {
    JobShared& own = shared_.jobs[job];
    workers_[job].failed.clear();
    own.at.store(own.begin.load());
    own.in_case.store(false);
    own.tally = {};
  }

  void listen(Worker& worker) {
    std::array<char, 16384> chunk{};
    const auto take = [&chunk](int fd, std::string& into) {
      while (true) {
        const auto got = host::sys::read(fd, chunk);
        if (!got || *got == 0) return;
        into.append(chunk.data(), *got);
      }
    };
    take(worker.process.said.get(), worker.said);
    take(worker.process.errors.get(), worker.errors);
    if (worker.errors.size() > kWordsKept)
      worker.errors.erase(0, worker.errors.size() - kWordsKept);
    std::size_t begin = 0;
    std::size_t end = 0;
    while ((end = worker.said.find('\n', begin)) != std::string::npos) {
      const auto line = std::string_view(worker.said).substr(begin, end - begin);
      if (const auto whole = chunk_of(line)) {
        add(worker, *whole);
      } else {
        note(worker, failure_of(line));
      }
      begin = end + 1;
    }
    worker.said.erase(0, begin);
  }

  /// Keeps a failure. It is counted with its chunk, so that one that is carried out again after a
  /// kill counts once.
  void note(Worker& worker, const JobFailure& failure) {
    if (options_.stop_at_failure) stop(SweepEnd::failure);
    ++worker.failed[failure.signature];
    found_.note(failure);
  }

  /// Counts a chunk as a whole and only once, so that the state never includes half a chunk.
  void add(Worker& worker, const JobChunk& chunk) {
    const auto failed = std::exchange(worker.failed, {});
    if (state_.own().numbers.has_all(chunk.numbers)) return;
    kills_in_row_ = 0;
    state_.own().numbers.add(chunk.numbers);
    state_.Tally::add(chunk.tally);
    found_.count(failed);
  }

  /// Does what is to be done again and again while the processes work: saves, reports, looks.
  void keep(const SweepProgress& progress) {
    const Time now = host::sys::now();
    if (asked()) stop(SweepEnd::asked);
    if (progress && now - told_ >= kTellEvery) {
      told_ = now;
      gather();
      progress(state_, left(now));
    }
    if (now - saved_ >= options_.save_every && state_.trouble.empty()) {
      saved_ = now;
      gather();
      save();
    }
    if (!state_.trouble.empty()) stop(SweepEnd::asked);
    const bool in_a_hurry = asked() || !state_.trouble.empty();
    if (!in_a_hurry || now - stopped_ < kGrace) return;
    for (std::uint32_t job = 0; job < workers_.size(); ++job) {
      if (!workers_[job].running) continue;
      end_process(workers_[job]);
      begin_chunk_again(job);
    }
  }

  [[nodiscard]] bool asked() const { return options_.asked_to_stop && options_.asked_to_stop(); }

  /// No process begins another case. The first reason counts.
  void stop(SweepEnd why) {
    if (shared_.stop.exchange(true)) return;
    stopped_ = host::sys::now();
    why_stopped_ = why;
  }

  /// Whether there are cases that no process takes any more: one that was killed left them.
  [[nodiscard]] bool has_holes() const {
    return options_.count > 0 && state_.own().numbers.next() < options_.count &&
           !shared_.stop.load() && host::sys::now() < deadline_;
  }

  bool fill_holes() {
    const std::uint64_t next = state_.own().numbers.next();
    JobShared& own = shared_.jobs.front();
    own.at.store(next);
    own.begin.store(next);
    own.end.store(next);
    own.tally = {};  // what it counted is added already
    shared_.next.store(next);
    if (start(0)) return true;
    state_.trouble = "can't start a process";
    return false;
  }

  [[nodiscard]] SweepEnd how_it_ended() const {
    const bool counted = options_.count > 0;
    if (counted && state_.own().numbers.next() >= options_.count) return SweepEnd::finished;
    if (!state_.trouble.empty()) return SweepEnd::running;
    if (shared_.stop.load()) return why_stopped_;
    return counted ? SweepEnd::time : SweepEnd::finished;
  }

  /// Updates what the state says beyond the tally of the chunks.
  void gather() {
    if (state_.own().end == SweepEnd::running) {
      state_.elapsed = base_.elapsed + (host::sys::now() - begun_);
    }
    state_.failures = found_.list();
    note_growth();
  }

  void note_growth() {
    if (history_.empty()) history_.emplace_back(base_.done, base_.coverage.count());
    history_.emplace_back(state_.done, state_.coverage.count());
    while (history_.size() > 1 && history_[1].first + kLastCases <= state_.done) {
      history_.erase(history_.begin());
    }
    state_.last_cases = state_.done - history_.front().first;
    state_.cells_before_last = history_.front().second;
  }

  [[nodiscard]] Duration left(Time now) const {
    Duration left = deadline_ == kNever ? Duration::max() : deadline_ - now;
    const std::uint64_t fresh = state_.done - base_.done;
    if (options_.count > 0 && fresh > 0) {
      const std::uint64_t mine = cases_of(options_.count, options_.shard, options_.shards);
      const double share = static_cast<double>(mine > state_.done ? mine - state_.done : 0) /
                           static_cast<double>(fresh);
      const auto by_count =
          static_cast<Duration::rep>(share * static_cast<double>((now - begun_).count()));
      left = std::min(left, Duration(by_count));
    }
    return left == Duration::max() ? Duration(-1) : left;
  }

  void shrink_all() {
    ShrinkOptions options{options_.seed,
                          options_.out,
                          options_.self,
                          options_.shrink_time,
                          options_.host_time,
                          options_.before_shrinking,
                          options_.asked_to_stop,
                          {},
                          {}};
    options.in_copy = [this] { folder_.reset(); };
    options.after_shrinking = [this] {
      gather();
      save();
      return state_.trouble.empty();
    };
    const ShrinkEnd end = shrink_failures(options, found_.to_shrink());
    gather();
    if (end.asked) state_.own().end = SweepEnd::asked;
    if (!end.trouble.empty()) state_.trouble = end.trouble;
    if (state_.trouble.empty()) save();
  }

  void save() {
    const auto written = write_file_whole(state_file(), write_sweep_state(state_));
    if (!written) state_.trouble = written.error();
  }

  [[nodiscard]] std::string state_file() const { return options_.out + "/sweep.json"; }

  const SweepOptions& options_;
  SweepShared& shared_;
  host::Descriptor folder_;
  SweepState base_;   ///< the state after earlier runs of this sweep
  SweepState state_;  ///< the state including this run
  Time begun_;
  Time looked_;  ///< when all processes were last looked at
  Time told_;
  Time saved_;
  Time deadline_ = kNever;
  Time stopped_;
  SweepEnd why_stopped_ = SweepEnd::asked;
  std::vector<Worker> workers_;
  SweepFailures found_;
  /// How many scenarios were done, and how many coverage cells reached
  std::vector<std::pair<std::uint64_t, std::size_t>> history_;
  CrashAllowance crashes_;
  /// How many processes were killed during each case
  std::map<std::uint64_t, std::uint32_t> kills_;
  std::uint32_t kills_in_row_ = 0;
};

}  // namespace

Expected<SweepState, SearchError> sweep(const SweepOptions& options,
                                        const SweepProgress& progress) {
  auto memory = host::SharedMemory::of_size(sizeof(SweepShared));
  if (!memory) return unexpected(broken("no memory to share"));
  auto* shared = new (memory->data()) SweepShared();
  Sweep sweep(options, *shared);
  if (const auto ready = sweep.prepare(); !ready) return unexpected(ready.error());
  return sweep.run(progress);
}

std::uint64_t seed_of_text(std::string_view text) {
  const bool hex = text.starts_with("0x") || text.starts_with("0X");
  const std::string_view digits = hex ? text.substr(2) : text;
  std::uint64_t seed = 0;
  const auto [end, error] =
      std::from_chars(digits.data(), digits.data() + digits.size(), seed, hex ? 16 : 10);
  if (error == std::errc{} && end == digits.data() + digits.size()) return seed;
  return Random(0, text).next();
}

}  // namespace poolproof::search
