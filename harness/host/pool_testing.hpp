#pragma once

#include <condition_variable>
#include <filesystem>
#include <fstream>
#include <functional>
#include <memory>
#include <mutex>
#include <optional>
#include <ostream>
#include <sstream>
#include <string>
#include <thread>
#include <unistd.h>
#include <utility>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "fake_workers/journal.hpp"
#include "harness/host/arguments.hpp"
#include "harness/host/census.hpp"
#include "harness/host/child_testing.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/pool_types.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/meter.hpp"

namespace poolproof {

inline std::ostream& operator<<(std::ostream& out, Outcome outcome) {
  return out << name(outcome);
}
inline std::ostream& operator<<(std::ostream& out, Phase phase) {
  return out << name(phase);
}
inline std::ostream& operator<<(std::ostream& out, StartCause cause) {
  return out << name(cause);
}
inline std::ostream& operator<<(std::ostream& out, WorkerId worker) {
  return out << worker.slot << '.' << worker.generation;
}

}  // namespace poolproof

/// What the tests of the pool on real processes share.
namespace poolproof::host::testing {

using namespace std::chrono_literals;
using nlohmann::json;

/// Every event of a pool and what was ordered on it, and a way to wait for them.
class EventLog {
 public:
  struct Entry {
    Time at;
    pool::Event event;
    std::vector<pool::Effect> effects;
  };
  using Entries = std::vector<Entry>;

  [[nodiscard]] Observer observer() {
    return [this](Time now, const pool::Event& event, std::span<const pool::Effect> effects) {
      const std::lock_guard lock(mutex_);
      entries_.push_back({now, event, {effects.begin(), effects.end()}});
      changed_.notify_all();
    };
  }

  /// False: it did not come about, however long the machine was given.
  bool wait_for(const std::function<bool(const Entries&)>& come) {
    std::unique_lock lock(mutex_);
    return changed_.wait_for(lock, kHang, [&] { return come(entries_); });
  }

  template <class Event>
  bool wait_for_events(std::size_t times = 1) {
    return wait_for([&](const Entries& all) { return count_events<Event>(all) >= times; });
  }
  template <class Effect>
  bool wait_for_effects(std::size_t times = 1) {
    return wait_for([&](const Entries& all) { return effects_in<Effect>(all).size() >= times; });
  }
  /// Good handshakes.
  bool wait_until_ready(std::size_t times = 1) {
    return wait_for([&](const Entries& all) {
      std::size_t good = 0;
      for (const Entry& entry : all) {
        const auto* ended = std::get_if<pool::HandshakeEnded>(&entry.event);
        good += ended != nullptr && ended->evidence.cause == StartCause::none;
      }
      return good >= times;
    });
  }

  [[nodiscard]] Entries entries() const {
    const std::lock_guard lock(mutex_);
    return entries_;
  }
  template <class Event>
  [[nodiscard]] std::vector<Event> events() const {
    std::vector<Event> found;
    for (const Entry& entry : entries()) {
      if (const auto* event = std::get_if<Event>(&entry.event)) found.push_back(*event);
    }
    return found;
  }
  template <class Effect>
  [[nodiscard]] std::vector<Effect> effects() const {
    return effects_in<Effect>(entries());
  }

 private:
  template <class Event>
  static std::size_t count_events(const Entries& all) {
    std::size_t count = 0;
    for (const Entry& entry : all) count += std::holds_alternative<Event>(entry.event);
    return count;
  }
  template <class Effect>
  static std::vector<Effect> effects_in(const Entries& all) {
    std::vector<Effect> found;
    for (const Entry& entry : all) {
      for (const auto& effect : entry.effects) {
        if (const auto* wanted = std::get_if<Effect>(&effect)) found.push_back(*wanted);
      }
    }
    return found;
  }

  mutable std::mutex mutex_;
  std::condition_variable changed_;
  Entries entries_;
};

/// A folder that goes with its test.
class Folder {
 public:
  Folder() {
    std::string pattern =
        (std::filesystem::temp_directory_path() / "poolproof_pool_XXXXXX").string();
    path_ = ::mkdtemp(pattern.data());
  }
  ~Folder() { std::filesystem::remove_all(path_); }
  Folder(const Folder&) = delete;
  Folder& operator=(const Folder&) = delete;
  [[nodiscard]] std::string file(const std::string& name) const { return (path_ / name).string(); }

 private:
  std::filesystem::path path_;
};

/// The journal's whole lines: a worker that is killed while it writes leaves a part of one.
inline std::vector<faults::StampedJournalRecord> read_journal(const std::string& path) {
  std::vector<faults::StampedJournalRecord> records;
  std::ifstream file(path, std::ios::binary);
  std::ostringstream all;
  all << file.rdbuf();
  std::istringstream whole(all.str().substr(0, all.str().rfind('\n') + 1));
  for (std::string line; std::getline(whole, line);) {
    auto record = faults::read_journal_line(line, path);
    if (!record) throw std::runtime_error(record.error().line());
    records.push_back(std::move(*record));
  }
  return records;
}

inline bool adds_up(const Statistics& statistics) {
  return pool::adds_up(statistics.counters, statistics.gauges) &&
         pool::adds_up(statistics.timings, statistics.counters);
}

/// Makes pools of fake workers and other programs, and holds when the test is over: everything of
/// this process is as it was before, and no process that carries the token is left.
class PoolFixture {
 public:
  PoolFixture() : token_(new_token()) {
    // Beside a program's first thread a sanitizer starts one of its own, and keeps it.
    std::thread([] {}).join();
    before_ = take_census();
  }
  ~PoolFixture() {
    const bool clean = nothing_left();
    INFO("before: " << before_ << "; after: " << take_census());
    CHECK(clean);
  }
  PoolFixture(const PoolFixture&) = delete;
  PoolFixture& operator=(const PoolFixture&) = delete;

  EventLog log;

  /// One sound fake worker, and limits that only a hang reaches.
  [[nodiscard]] Options fake(std::vector<std::string> args = {}) {
    args.insert(args.begin(), POOLPROOF_FAKE_WORKER);
    return program(std::move(args));
  }
  [[nodiscard]] Options script(const std::string& text) { return program({"/bin/sh", "-c", text}); }
  /// Bytes come back as they were sent.
  [[nodiscard]] Options cat() {
    Options options = program({"/bin/cat"});
    options.opaque = true;
    return options;
  }
  [[nodiscard]] Options program(std::vector<std::string> argv) {
    Options options;
    options.command.argv = std::move(argv);
    options.command.env = {"POOLPROOF_TOKEN=" + token_, "PATH=/usr/bin:/bin"};
    options.core.startup_budget = kHang;
    options.checkout_timeout = kHang;
    options.call_timeout = kHang;
    options.close_timeout = kHang;
    options.observer = log.observer();
    return options;
  }

  static std::unique_ptr<Pool> open(Options options) {
    auto opened = Pool::open(std::move(options));
    INFO((opened ? "" : opened.error().line()));
    REQUIRE(opened);
    return std::move(*opened);
  }

  /// For what happens outside of the pool (in the process table) and can't be waited for.
  static bool comes_true(const std::function<bool()>& fact) {
    const Time give_up = after(sys::now(), kHang);
    while (!fact()) {
      if (sys::now() >= give_up) return false;
      (void)sys::poll({}, 1ms);
    }
    return true;
  }

  /// No process of ours, and of this process' own what there was before.
  [[nodiscard]] bool nothing_left() const {
    return comes_true([&] { return processes_marked(token_).empty(); }) &&
           comes_true([&] { return take_census() == before_; });
  }

  [[nodiscard]] const std::string& token() const { return token_; }

 private:
  Census before_;
  std::string token_;
};

/// Gives the pool's own thread the time to do all that it has to and to sleep till it is woken. No
/// test is red without it, but some would be green for the wrong reason: it was awake anyway.
inline void falls_asleep() {
  (void)sys::poll({}, 60ms);
}

/// The file comes to be there.
inline bool appears(const std::string& file) {
  return PoolFixture::comes_true([&] { return std::filesystem::exists(file); });
}

/// Only worker 0.0 misbehaves, in its first request after the ping.
inline std::vector<std::string> once(std::vector<std::string> fault) {
  fault.insert(fault.begin(), "--fault");
  fault.insert(fault.begin() + 2, {"--at", "generation=0,request=1"});
  return fault;
}

/// A lease, or the end of the test.
inline Lease leased(Pool& pool) {
  auto lease = pool.checkout();
  INFO((lease ? "" : lease.error().message));
  REQUIRE(lease);
  return std::move(*lease);
}

inline Result<Reply> echo(Lease& lease, int number) {
  return lease.call("echo", {{"n", number}});
}

/// The call succeeds and brings back what was sent.
inline bool echoes(Lease& lease, int number) {
  const auto reply = echo(lease, number);
  UNSCOPED_INFO((reply ? "" : reply.error().message));
  return reply && reply->result->value("n", -1) == number;
}

/// How a checkout or a call ended.
template <class T>
Outcome outcome_of(const Result<T>& result) {
  return result ? Outcome::ok : result.error().kind;
}

inline bool contains(const std::string& text, const std::string& part) {
  return text.find(part) != std::string::npos;
}

}  // namespace poolproof::host::testing
