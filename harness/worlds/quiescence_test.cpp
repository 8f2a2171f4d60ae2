#include "harness/worlds/quiescence.hpp"

#include <csignal>
#include <memory>
#include <thread>

#include <catch2/catch.hpp>

#include "harness/host/pool_types.hpp"
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
      milestones_.observed(event, effects);
    };
    auto opened = host::Pool::open(std::move(options));
    if (!opened) FAIL(opened.error().line());
    pool_ = std::move(*opened);
  }

  host::Pool& pool() { return *pool_; }
  std::optional<trace::OsRecord> census() {
    return quiescence_census(*pool_, milestones_, before_);
  }

  host::Lease lease() {
    auto lease = pool_->checkout(kHang);
    if (!lease) FAIL(lease.error().message);
    return std::move(*lease);
  }

  /// The system shows so many workers, and no more than they need.
  void holds(std::uint32_t workers) {
    const auto seen = census();
    REQUIRE(seen);
    CHECK(seen->when == "quiescent");
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
  Milestones milestones_;
  std::unique_ptr<host::Pool> pool_;
};

}  // namespace

TEST_CASE("run: quiescent: a pool at rest holds what the oracle allows, exactly") {
  Calm quiescent;
  quiescent.holds(0);
  {
    const auto first = quiescent.lease();
    const auto second = quiescent.lease();
  }
  quiescent.holds(2);
  for (int round = 0; round < 5; ++round) quiescent.lease().discard();
  quiescent.holds(0);
  (void)quiescent.lease();
  quiescent.holds(1);
}

TEST_CASE("run: quiescent: an eager pool is waited for until it is whole") {
  Calm quiescent(pool::StartMode::eager);
  quiescent.holds(3);
}

TEST_CASE("run: quiescent: a worker that is just dying still lives with all it needs, or is gone") {
  Calm quiescent;
  for (int round = 0; round < 5; ++round) {
    WorkerId worker;
    {
      const auto lease = quiescent.lease();
      worker = lease.worker();
    }
    REQUIRE(quiescent.pool().signal(worker, SIGKILL));
    const auto seen = quiescent.census();
    REQUIRE(seen);
    CHECK(seen->children <= 1);
    quiescent.is_exact(*seen);
  }
}

TEST_CASE("run: quiescent: starts that fail leave nothing") {
  Calm quiescent(pool::StartMode::lazy, "/no/such/program");
  CHECK_FALSE(quiescent.pool().checkout(std::chrono::milliseconds(50)));
  quiescent.holds(0);
}

TEST_CASE("run: quiescent: of a pool that somebody has closed there is none") {
  Calm quiescent;
  (void)quiescent.lease();
  REQUIRE(quiescent.pool().close(kHang));
  CHECK_FALSE(quiescent.census());
}
