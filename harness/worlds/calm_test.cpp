#include "harness/worlds/calm.hpp"

#include <csignal>
#include <memory>
#include <thread>

#include <catch2/catch.hpp>

#include "harness/oracle/descriptors.hpp"

using namespace poolproof;
using namespace poolproof::worlds;

namespace {

constexpr Duration kHang = std::chrono::seconds(60);

/// A pool of programs that send bytes back, and what its process was like before.
class Calm {
 public:
  explicit Calm(pool::StartMode start = pool::StartMode::lazy, const char* program = "/bin/cat") {
    std::thread([] {}).join();  // a sanitizer starts a thread of its own with our first one
    before_ = os_record("before");
    host::Options options;
    options.core.size = 3;
    options.core.start = start;
    options.command = {{program}, {"PATH=/usr/bin:/bin"}, ""};
    options.opaque = true;
    options.observer = [this](Time, const pool::Event& event,
                              std::span<const pool::Effect> effects) {
      board_.observed(event, effects);
    };
    auto opened = host::Pool::open(std::move(options));
    if (!opened) FAIL(opened.error().line());
    pool_ = std::move(*opened);
  }

  host::Pool& pool() { return *pool_; }
  std::optional<trace::OsRecord> census() { return census_of_calm(*pool_, board_, before_); }

  host::Lease lease() {
    auto lease = pool_->checkout(kHang);
    if (!lease) FAIL(lease.error().message);
    return std::move(*lease);
  }

  /// The system shows so many workers, and no more than they need.
  void holds(std::uint32_t workers) {
    const auto seen = census();
    REQUIRE(seen);
    CHECK(seen->when == "calm");
    CHECK(seen->children == before_.children + workers);
    is_exact(*seen);
  }

  /// No zombie, and exactly the descriptors that those who live need.
  void is_exact(const trace::OsRecord& seen) const {
    const auto& need = oracle::kHostNeed;
    const auto workers = seen.children - before_.children;
    CHECK(seen.zombies == before_.zombies);
    CHECK(seen.descriptors == before_.descriptors + need.pool + need.worker * workers);
  }

 private:
  trace::OsRecord before_;
  Board board_;
  std::unique_ptr<host::Pool> pool_;
};

}  // namespace

TEST_CASE("run: calm: a pool at rest holds what the oracle allows, exactly") {
  Calm calm;
  calm.holds(0);
  {
    const auto first = calm.lease();
    const auto second = calm.lease();
  }
  calm.holds(2);
  for (int round = 0; round < 5; ++round) calm.lease().discard();
  calm.holds(0);
  (void)calm.lease();
  calm.holds(1);
}

TEST_CASE("run: calm: an eager pool is waited for until it is whole") {
  Calm calm(pool::StartMode::eager);
  calm.holds(3);
}

TEST_CASE("run: calm: a worker that is just dying still lives with all it needs, or is gone") {
  Calm calm;
  for (int round = 0; round < 5; ++round) {
    WorkerId worker;
    {
      const auto lease = calm.lease();
      worker = lease.worker();
    }
    REQUIRE(calm.pool().signal(worker, SIGKILL));
    const auto seen = calm.census();
    REQUIRE(seen);
    CHECK(seen->children <= 1);
    calm.is_exact(*seen);
  }
}

TEST_CASE("run: calm: starts that fail leave nothing") {
  Calm calm(pool::StartMode::lazy, "/no/such/program");
  CHECK_FALSE(calm.pool().checkout(std::chrono::milliseconds(50)));
  calm.holds(0);
}

TEST_CASE("run: calm: of a pool that somebody has closed there is none") {
  Calm calm;
  (void)calm.lease();
  REQUIRE(calm.pool().close(kHang));
  CHECK_FALSE(calm.census());
}
