#include "harness/search/sweep.hpp"

#include <algorithm>
#include <array>
#include <cerrno>
#include <charconv>
#include <csignal>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <map>
#include <new>

#include <fmt/format.h>

#include "harness/base/random.hpp"
#include "harness/base/read_file.hpp"
#include "harness/base/text.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/host/system.hpp"
#include "harness/scenario/shrink.hpp"
#include "harness/search/case.hpp"
#include "harness/search/crash_allowance.hpp"
#include "harness/search/crash_signature.hpp"
#include "harness/search/run_in_child.hpp"
#include "harness/search/shrink_failure.hpp"
#include "harness/search/sweep_job.hpp"
#include "harness/search/sweep_state.hpp"

namespace poolproof::search {
namespace {

namespace fs = std::filesystem;
using namespace std::chrono_literals;

constexpr Duration kLookEvery = 250ms;
constexpr Duration kTellEvery = 1s;
/// A case that takes this long will never end.
constexpr Duration kStuck = 20s;
constexpr std::size_t kShrunkMost = 8;
/// The time on real processes for all kinds of failure together, in multiples of the time for one
/// kind.
constexpr int kKindsOnHost = 3;
/// The number of examples of each kind of failure, besides the first, from which the one to be
/// shrunk is chosen.
constexpr std::size_t kExamplesMost = 12;
constexpr std::uint64_t kLastCases = 100'000;
/// How much of a process's stderr is kept: enough for a whole report of a sanitizer.
constexpr std::size_t kWordsKept = 65'536;

/// One process of the sweep, as its parent sees it.
struct Worker {
  host::ForkedChild process;
  std::string said;
  std::string errors;
  std::uint64_t seen_at = 0;
  Time moved;
  bool running = false;
};

class Sweep {
 public:
  Sweep(const SweepOptions& options, SweepDesk& desk)
      : options_(options), desk_(desk), host_left_(options.host_time * kKindsOnHost) {}

  Expected<void, std::string> prepare() {
    std::error_code error;
    fs::create_directories(fs::path(options_.out) / "failures", error);
    if (error) return unexpected(fmt::format("can't make {}: {}", options_.out, error.message()));
    auto folder = host::sys::lock_folder(options_.out.c_str());
    if (!folder) {
      const bool taken = folder.error() == EWOULDBLOCK;
      return unexpected(
          fmt::format("can't use {}: {}", options_.out,
                      taken ? "another sweep is writing there" : std::strerror(folder.error())));
    }
    folder_ = std::move(*folder);
    return go_on_from_before();
  }

  Expected<SweepState, std::string> run(const SweepProgress& progress) {
    begun_ = host::sys::now();
    deadline_ = options_.time > Duration::zero() ? after(begun_, options_.time) : kNever;
    workers_.resize(options_.jobs);
    for (std::uint32_t job = 0; job < options_.jobs; ++job) {
      if (!start(job)) return unexpected(std::string("can't start a process"));
    }
    Time told = begun_;
    Time saved = begun_;
    while (look()) {
      const Time now = host::sys::now();
      gather();
      if (options_.stop_at_failure && !found_.empty()) desk_.stop.store(true);
      if (progress && now - told >= kTellEvery) {
        told = now;
        progress(state_, left(now));
      }
      if (now - saved >= options_.save_every) {
        saved = now;
        save();
      }
    }
    gather();
    state_.stopped_early =
        options_.count > 0 ? state_.numbers.next() < options_.count : desk_.stop.load();
    if (options_.shrink) shrink_all();
    gather();
    save();
    if (progress) progress(state_, Duration::zero());
    return state_;
  }

 private:
  /// Goes on where the same sweep into the same folder stopped.
  Expected<void, std::string> go_on_from_before() {
    state_.seed = options_.seed;
    state_.shard = options_.shard;
    state_.shards = options_.shards;
    base_ = state_;
    const std::string path = state_file();
    if (!fs::exists(path)) return {};
    const auto text = read_file(path, std::uintmax_t{64} << 20U, "a sweep's state");
    if (!text) return unexpected(text.error().line());
    auto before = read_sweep_state(*text, path);
    if (!before) return unexpected(before.error().line());
    const bool same = before->seed == options_.seed && before->shard == options_.shard &&
                      before->shards == options_.shards;
    if (!same) {
      return unexpected(fmt::format(
          "{}: is of another sweep (seed {:#x}); another --out, or remove it", path, before->seed));
    }
    state_ = *before;
    base_ = state_;
    for (const Failure& failure : state_.failures) found_.emplace(failure.signature, failure);
    desk_.next.store(state_.numbers.next());
    return {};
  }

  bool start(std::uint32_t job) {
    auto child = host::fork_child([this, job](int said) {
      folder_.reset();  // the lock is ours alone: the next sweep need not wait for the end of the
                        // copies
      do_job(options_, base_.numbers, desk_, job, deadline_, said);
      return 0;
    });
    if (!child) return false;
    Worker& worker = workers_[job];
    worker.process = std::move(*child);
    worker.said.clear();
    worker.errors.clear();
    worker.running = true;
    worker.moved = host::sys::now();
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
    for (std::uint32_t job = 0; job < workers_.size(); ++job) {
      if (workers_[job].running) look_at(job);
    }
    return true;
  }

  void look_at(std::uint32_t job) {
    Worker& worker = workers_[job];
    listen(worker);
    const auto ended = host::sys::peek_exit(worker.process.pidfd.get());
    if (!ended || !*ended) return watch_for_standstill(job);
    (void)host::sys::reap(worker.process.pidfd.get());
    listen(worker);
    worker.running = false;
    if (**ended != ExitStatus{}) crashed(job, crash_signature(**ended, worker.errors));
  }

  void watch_for_standstill(std::uint32_t job) {
    Worker& worker = workers_[job];
    const Time now = host::sys::now();
    const std::uint64_t at = desk_.jobs[job].at.load();
    if (at != worker.seen_at) {
      worker.seen_at = at;
      worker.moved = now;
    }
    if (now - worker.moved < kStuck) return;
    (void)host::sys::signal_process(worker.process.pidfd.get(), SIGKILL);
    (void)host::sys::reap(worker.process.pidfd.get());
    worker.running = false;
    crashed(job, kStuckSignature);
  }

  void crashed(std::uint32_t job, const std::string& signature) {
    const std::uint64_t number = desk_.jobs[job].at.load();
    note({number, 1, signature, signature});
    JobDesk& desk = desk_.jobs[job];
    desk.at.fetch_add(1);
    ++desk.tally.done;
    if (!crashes_.grant(signature, state_.done - base_.done)) {
      state_.gave_up = true;
      desk_.stop.store(true);
    }
    const bool goes_on = !desk_.stop.load() && !options_.stop_at_failure && start(job);
    if (!goes_on) add({{desk.begin.load(), desk.at.load()}, desk.tally});
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
    std::size_t end = 0;
    while ((end = worker.said.find('\n')) != std::string::npos) {
      const auto line = std::string_view(worker.said).substr(0, end);
      if (const auto whole = chunk_of(line)) {
        add(*whole);
      } else {
        note(failure_of(line));
      }
      worker.said.erase(0, end + 1);
    }
  }

  void note(const JobFailure& failure) {
    const auto [known, fresh] = found_.try_emplace(failure.signature);
    Failure& kept = known->second;
    // A case that was under way when an earlier sweep was killed is reported a second time.
    if (!fresh && failure.times == 1 && failure.number == kept.number) return;
    kept.times = std::max(kept.times + (failure.times == 1 ? 1 : 0), failure.times);
    if (!fresh && kept.others.size() < kExamplesMost) kept.others.push_back(failure.number);
    if (!fresh && kept.number <= failure.number) return;
    kept.signature = failure.signature;
    kept.what = failure.what;
    kept.number = failure.number;
    kept.seed = case_seed(options_.seed, failure.number);
  }

  /// Counts a chunk as a whole and only once, so that the state never includes half a chunk.
  void add(const JobChunk& chunk) {
    if (state_.numbers.has_all(chunk.numbers)) return;
    state_.numbers.add(chunk.numbers);
    state_.Tally::add(chunk.tally);
  }

  /// Updates what the state says beyond the tally of the chunks.
  void gather() {
    state_.elapsed = base_.elapsed + (host::sys::now() - begun_);
    state_.failures.clear();
    for (const auto& [signature, failure] : found_) state_.failures.push_back(failure);
    std::sort(state_.failures.begin(), state_.failures.end(),
              [](const Failure& a, const Failure& b) { return a.number < b.number; });
    note_growth();
  }

  void note_growth() {
    if (history_.empty()) history_.emplace_back(base_.done, base_.coverage.count());
    history_.emplace_back(state_.done, state_.coverage.count());
    while (history_.size() > 1 && history_[1].first + kLastCases <= state_.done) {
      history_.erase(history_.begin());
    }
    state_.cells_before_last = history_.front().second;
  }

  [[nodiscard]] Duration left(Time now) const {
    Duration left = deadline_ == kNever ? Duration::max() : deadline_ - now;
    const std::uint64_t fresh = state_.done - base_.done;
    if (options_.count > 0 && fresh > 0) {
      const std::uint64_t mine = options_.count / options_.shards;
      const double share = static_cast<double>(mine > state_.done ? mine - state_.done : 0) /
                           static_cast<double>(fresh);
      const auto by_count =
          static_cast<Duration::rep>(share * static_cast<double>((now - begun_).count()));
      left = std::min(left, Duration(by_count));
    }
    return left == Duration::max() ? Duration(-1) : left;
  }

  void shrink_all() {
    std::size_t shrunk = 0;
    for (const Failure& failure : state_.failures) {
      if (shrunk >= kShrunkMost) return;
      if (!failure.file.empty() || failure.signature == "nondeterminism") continue;
      ++shrunk;
      if (options_.before_shrinking) options_.before_shrinking(failure.signature);
      shrink(found_.at(failure.signature));
    }
  }

  void shrink(Failure& failure) {
    CaseRunner runner;
    std::vector<scenario::Scenario> examples{runner.make(failure.seed)};
    for (const std::uint64_t number : failure.others) {
      examples.push_back(runner.make(case_seed(options_.seed, number)));
    }
    auto shrunk = shrink_failure(examples, failure.signature, options_.shrink_time);
    const auto shown = [&] {
      return reproduces_with(shrunk.scenario, examples.front(), failure.signature);
    };
    failure.reproduces_with = shown();
    if (failure.reproduces_with == ReproducesWith::file && !options_.self.empty()) {
      HostTrials trials(options_.self, (fs::path(options_.out) / ".trial").string(),
                        std::min(options_.host_time, host_left_));
      failure.on_host = suit_host(shrunk, failure.signature,
                                  [&](const scenario::Scenario& one, std::uint32_t runs) {
                                    return trials.run(one, failure.signature, runs);
                                  });
      host_left_ -= trials.spent();
      failure.reproduces_with = shown();
    }
    const std::string name = fmt::format("{}-{:x}", slug(failure.signature), failure.seed);
    shrunk.scenario.name = name;
    shrunk.scenario.why = "found by a sweep: " + (shrunk.what.empty() ? failure.what : shrunk.what);
    shrunk.scenario.tags = {"regression"};
    if (failure.reproduces_with != ReproducesWith::file) {
      shrunk.scenario.why += "; " + why_no_file_shows_it(failure.reproduces_with, failure.seed);
    }
    const std::string file = fmt::format("failures/{}.json", name);
    std::ofstream(fs::path(options_.out) / file) << scenario::write_scenario(shrunk.scenario);
    failure.file = file;
    failure.size = scenario::size_of(shrunk.scenario);
    failure.shrink_attempts = shrunk.attempts;
  }

  /// The invariant's name, fit for a file's name.
  static std::string slug(const std::string& signature) {
    std::string slug;
    for (const char c : signature.substr(0, signature.find(':'))) {
      const bool plain = (c >= 'a' && c <= 'z') || (c >= '0' && c <= '9');
      slug += plain ? c : '-';
    }
    return slug;
  }

  /// Writes the file whole or not at all: a sweep may be killed at any moment.
  void save() const {
    const std::string path = state_file();
    std::ofstream(path + ".new") << write_sweep_state(state_);
    std::error_code ignored;
    fs::rename(path + ".new", path, ignored);
  }

  [[nodiscard]] std::string state_file() const { return options_.out + "/sweep.json"; }

  const SweepOptions& options_;
  SweepDesk& desk_;
  host::Descriptor folder_;
  SweepState base_;   ///< of earlier runs of this sweep
  SweepState state_;  ///< including this run
  Time begun_;
  Time deadline_ = kNever;
  std::vector<Worker> workers_;
  std::map<std::string, Failure> found_;
  std::vector<std::pair<std::uint64_t, std::size_t>> history_;  ///< scenarios, cells
  CrashAllowance crashes_;
  Duration host_left_;  ///< the time left on real processes, for all kinds of failure
};

}  // namespace

Expected<SweepState, std::string> sweep(const SweepOptions& options,
                                        const SweepProgress& progress) {
  auto memory = host::SharedMemory::of_size(sizeof(SweepDesk));
  if (!memory) return unexpected(std::string("no memory to share"));
  auto* desk = new (memory->data()) SweepDesk();
  Sweep sweep(options, *desk);
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
