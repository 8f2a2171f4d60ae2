#include <csignal>
#include <fcntl.h>
#include <pthread.h>
#include <unistd.h>

#include "harness/host/pool_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

/// A pool and the process that it is in.
namespace {

/// While it lives, this process has no stdin.
class NoStdin {
 public:
  NoStdin() : kept_(::fcntl(STDIN_FILENO, F_DUPFD_CLOEXEC, STDERR_FILENO + 1)) {
    ::close(STDIN_FILENO);
  }
  ~NoStdin() { ::dup2(kept_.get(), STDIN_FILENO); }
  NoStdin(const NoStdin&) = delete;
  NoStdin& operator=(const NoStdin&) = delete;

  [[nodiscard]] static bool holds() { return ::fcntl(STDIN_FILENO, F_GETFD) < 0; }

 private:
  Descriptor kept_;
};

/// While it lives, no thread can be made: its stack would not fit into the memory.
class NoThreads {
 public:
  NoThreads() {
    REQUIRE(::pthread_getattr_default_np(&before_) == 0);
    pthread_attr_t huge{};
    ::pthread_attr_init(&huge);
    ::pthread_attr_setstacksize(&huge, std::size_t{1} << 47U);
    REQUIRE(::pthread_setattr_default_np(&huge) == 0);
    ::pthread_attr_destroy(&huge);
  }
  ~NoThreads() { ::pthread_setattr_default_np(&before_); }
  NoThreads(const NoThreads&) = delete;
  NoThreads& operator=(const NoThreads&) = delete;

 private:
  pthread_attr_t before_{};
};

}  // namespace

TEST_CASE_METHOD(PoolFixture, "host: process: a program without stdin gets none from its pool") {
  const NoStdin none;
  const auto pool = open(fake());
  Lease lease = leased(*pool);
  CHECK(none.holds());
  std::stop_source stop;
  CHECK(lease.call("echo", {{"n", 1}}, {}, stop.get_token()));
  CHECK(none.holds());
}

TEST_CASE("host: system: no descriptor of ours takes the place of a stream") {
  const NoStdin none;
  const auto pipe = sys::pipe();
  const auto epoll = sys::epoll();
  const auto event = sys::event_fd();
  REQUIRE((pipe && epoll && event));
  const auto copy = sys::duplicate(event->get());
  const auto self = sys::pidfd_open(::getpid());
  REQUIRE((copy && self));
  for (const int fd : {pipe->read_end.get(), pipe->write_end.get(), epoll->get(), event->get(),
                       copy->get(), self->get()}) {
    CHECK(fd > STDERR_FILENO);
    CHECK((::fcntl(fd, F_GETFD) & FD_CLOEXEC) != 0);
  }
  CHECK(none.holds());
}

TEST_CASE_METHOD(PoolFixture, "host: process: where no thread can be made a pool is an error") {
  const auto refused = [this] {
    const NoThreads none;
    return Pool::open(fake());
  }();
  REQUIRE_FALSE(refused);
  CHECK(refused.error().line() ==
        "pool: no thread can be made for it: Resource temporarily unavailable; a higher limit "
        "(ulimit -u, ulimit -v)");
}

TEST_CASE_METHOD(PoolFixture, "host: process: in a copy of it a pool goes without a word") {
  auto pool = open(fake());
  leased(*pool).checkin();
  const pid_t copy = ::fork();
  if (copy == 0) {
    pool.reset();
    ::_exit(5);
  }
  REQUIRE(copy > 0);
  const auto end = sys::pidfd_open(copy);
  REQUIRE(end);
  if (!wait_readable(*end)) ::kill(copy, SIGKILL);
  CHECK(sys::reap(end->get()).value() == ExitStatus{5, 0});
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 0});
  CHECK(echoes(lease, 1));
}
