#pragma once

#include <atomic>
#include <fstream>
#include <iterator>
#include <new>
#include <string>

#include <catch2/catch.hpp>
#include <sys/types.h>

#include "harness/base/folder_testing.hpp"
#include "harness/host/forked_child.hpp"
#include "harness/search/sweep.hpp"
#include "harness/search/sweep_state.hpp"

/// What the tests of sweeps share: small sweeps, what is saved, and word from their processes.
namespace poolproof::search::testing {

inline SweepOptions options_for(const std::string& folder, std::uint64_t count) {
  SweepOptions options;
  options.seed = 7;
  options.count = count;
  options.jobs = 2;
  options.out = folder;
  options.shrink = false;
  return options;
}

inline SweepState swept(const SweepOptions& options) {
  const auto state = sweep(options, {});
  if (!state) FAIL(state.error().line);
  return *state;
}

inline SweepState saved_in(const std::string& folder) {
  std::ifstream file(folder + "/sweep.json");
  const std::string text{std::istreambuf_iterator<char>(file), {}};
  auto state = read_sweep_state(text, folder);
  if (!state) FAIL(state.error().line());
  return *state;
}

inline void check_same(const Tally& one, const Tally& other) {
  CHECK(one.done == other.done);
  CHECK(one.terse.runs == other.terse.runs);
  CHECK(one.terse.core_events == other.terse.core_events);
  CHECK(one.json.runs == other.json.runs);
  CHECK(one.json.core_events == other.json.core_events);
  CHECK(one.repeated == other.repeated);
  CHECK(one.traces == other.traces);
  CHECK(one.proved_nothing == other.proved_nothing);
  CHECK(one.coverage == other.coverage);
}

/// Memory in which the processes of a sweep leave word for the test.
struct Shared {
  std::atomic<std::uint64_t> kills;
  std::atomic<pid_t> stopped;
};

class SharedWord {
 public:
  SharedWord() : memory_(host::SharedMemory::of_size(sizeof(Shared))) {
    REQUIRE(memory_);
    word_ = new (memory_->data()) Shared();
  }
  Shared* operator->() const { return word_; }

 private:
  host::sys::Try<host::SharedMemory> memory_;
  Shared* word_ = nullptr;
};

}  // namespace poolproof::search::testing
