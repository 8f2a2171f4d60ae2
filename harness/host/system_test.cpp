#include "harness/host/system.hpp"

#include <array>
#include <atomic>
#include <cerrno>
#include <fcntl.h>
#include <signal.h>
#include <thread>
#include <unistd.h>
#include <vector>

#include <catch2/catch.hpp>
#include <sys/wait.h>

#include "harness/host/child_testing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace std::chrono_literals;
using testing::FailuresEnd;

namespace {

bool is_open(int fd) {
  return ::fcntl(fd, F_GETFD) >= 0;
}

sys::Pipe new_pipe() {
  return std::move(sys::pipe().value());
}

void do_nothing(int /*signal*/) {}

}  // namespace

TEST_CASE("host: descriptor: it closes exactly once, when the last owner goes") {
  sys::Pipe pipe = new_pipe();
  const int fd = pipe.read_end.get();
  {
    Descriptor moved = std::move(pipe.read_end);
    CHECK_FALSE(pipe.read_end);
    CHECK(moved.get() == fd);
    CHECK(is_open(fd));
    moved = std::move(pipe.write_end);
    CHECK_FALSE(is_open(fd));
  }
  CHECK_FALSE(pipe.write_end);
}

TEST_CASE("host: descriptor: a released one is left open") {
  Descriptor owner = std::move(*sys::event_fd());
  const int fd = owner.release();
  owner.reset();
  CHECK(is_open(fd));
  sys::close(fd);
  CHECK_FALSE(is_open(fd));
}

TEST_CASE("host: system: the nth call fails, once, and only calls of its kind") {
  const FailuresEnd end;
  sys::fail_next(sys::Call::pipe, 2, EMFILE);
  sys::fail_next(sys::Call::eventfd, 0, ENFILE);
  CHECK(sys::pipe());
  CHECK(sys::pipe());
  CHECK(sys::failures_struck() == 0);
  CHECK(sys::pipe().error() == EMFILE);
  CHECK(sys::pipe());
  CHECK(sys::event_fd().error() == ENFILE);
  CHECK(sys::failures_struck() == 2);
  sys::fail_none();
  CHECK(sys::failures_struck() == 0);
}

TEST_CASE("host: system: no failure strikes after fail_none") {
  sys::fail_next(sys::Call::pipe, 0, EMFILE);
  sys::fail_none();
  CHECK(sys::pipe());
}

TEST_CASE("host: system: planned failures strike once among many threads") {
  const FailuresEnd end;
  sys::fail_next(sys::Call::eventfd, 50, EMFILE);
  std::atomic<int> failed{0};
  std::vector<std::thread> threads;
  for (int i = 0; i < 4; ++i) {
    threads.emplace_back([&] {
      for (int call = 0; call < 100; ++call) failed += sys::event_fd() ? 0 : 1;
    });
  }
  for (std::thread& thread : threads) thread.join();
  CHECK(failed == 1);
}

TEST_CASE("host: system: an interrupted call is made again") {
  const FailuresEnd end;
  const sys::Pipe pipe = new_pipe();
  sys::fail_next(sys::Call::write, 0, EINTR);
  CHECK(sys::write(pipe.write_end.get(), "abc").value() == 3);
  sys::fail_next(sys::Call::read, 0, EINTR);
  std::array<char, 8> into{};
  CHECK(sys::read(pipe.read_end.get(), into).value() == 3);
  CHECK(sys::failures_struck() == 2);
}

TEST_CASE("host: system: a wait goes on through real signals until its end") {
  struct sigaction handler {};
  struct sigaction before {};
  handler.sa_handler = do_nothing;
  ::sigaction(SIGUSR1, &handler, &before);
  const pthread_t waiter = ::pthread_self();
  const Time end = sys::now() + 50ms;
  std::thread disturber([&] {
    while (sys::now() < end) ::pthread_kill(waiter, SIGUSR1);
  });
  CHECK(sys::poll({}, 50ms).value() == 0);
  CHECK(sys::now() >= end);
  disturber.join();
  ::sigaction(SIGUSR1, &before, nullptr);
}

TEST_CASE(
    "host: system: pipes say how much is unread, when they are empty and when they have ended") {
  sys::Pipe pipe = new_pipe();
  std::array<char, 8> into{};
  REQUIRE(sys::set_nonblocking(pipe.read_end.get()));
  CHECK(sys::read(pipe.read_end.get(), into).error() == EAGAIN);
  REQUIRE(sys::write(pipe.write_end.get(), "hello").value() == 5);
  CHECK(sys::unread_bytes(pipe.read_end.get()).value() == 5);
  CHECK(sys::unread_bytes(pipe.write_end.get()).value() == 5);
  CHECK(sys::read(pipe.read_end.get(), into).value() == 5);
  CHECK(sys::unread_bytes(pipe.write_end.get()).value() == 0);
  pipe.write_end.reset();
  CHECK(sys::read(pipe.read_end.get(), into).value() == 0);
}

TEST_CASE("host: system: a write to nobody is an error value") {
  sys::ignore_sigpipe();
  sys::Pipe pipe = new_pipe();
  pipe.read_end.reset();
  CHECK(sys::write(pipe.write_end.get(), "x").error() == EPIPE);
}

TEST_CASE("host: system: every descriptor it opens is close-on-exec") {
  const sys::Pipe pipe = new_pipe();
  const Descriptor event = std::move(*sys::event_fd());
  const Descriptor epoll = std::move(*sys::epoll());
  const Descriptor null = std::move(*sys::null_device());
  const Descriptor self = std::move(*sys::pidfd_open(::getpid()));
  for (const Descriptor* fd : {&pipe.read_end, &pipe.write_end, &event, &epoll, &null, &self}) {
    CHECK((::fcntl(fd->get(), F_GETFD) & FD_CLOEXEC) != 0);
  }
}

TEST_CASE("host: system: epoll tells the tag of what is ready, and nothing of what was removed") {
  const sys::Pipe pipe = new_pipe();
  const Descriptor epoll = std::move(*sys::epoll());
  std::array<epoll_event, 4> events{};
  REQUIRE(sys::epoll_add(epoll.get(), pipe.read_end.get(), EPOLLIN, 77));
  CHECK(sys::epoll_wait(epoll.get(), events, 0us).value() == 0);
  REQUIRE(sys::write(pipe.write_end.get(), "x"));
  CHECK(sys::epoll_wait(epoll.get(), events, testing::kHang).value() == 1);
  CHECK(events[0].data.u64 == 77);
  CHECK(sys::epoll_add(epoll.get(), pipe.read_end.get(), EPOLLIN, 78).error() == EEXIST);
  sys::epoll_remove(epoll.get(), pipe.read_end.get());
  CHECK(sys::epoll_wait(epoll.get(), events, 0us).value() == 0);
}

TEST_CASE("host: system: waits never end early") {
  const Descriptor epoll = std::move(*sys::epoll());
  std::array<epoll_event, 1> events{};
  const Time polled = sys::now();
  CHECK(sys::poll({}, 1500us).value() == 0);
  CHECK(sys::now() - polled >= 1500us);
  const Time waited = sys::now();
  CHECK(sys::epoll_wait(epoll.get(), events, 1500us).value() == 0);
  CHECK(sys::now() - waited >= 1500us);
}

TEST_CASE("host: system: a wait without end is ended by its event") {
  const sys::Pipe pipe = new_pipe();
  const Descriptor epoll = std::move(*sys::epoll());
  std::array<epoll_event, 1> events{};
  REQUIRE(sys::epoll_add(epoll.get(), pipe.read_end.get(), EPOLLIN, 1));
  std::thread writer([&] { static_cast<void>(sys::write(pipe.write_end.get(), "x")); });
  pollfd wanted{pipe.read_end.get(), POLLIN, 0};
  CHECK(sys::poll({&wanted, 1}, Duration::max()).value() == 1);
  CHECK(sys::poll({&wanted, 1}, -1us).value() == 1);
  CHECK(sys::epoll_wait(epoll.get(), events, -1us).value() == 1);
  writer.join();
}

TEST_CASE("host: system: a process is peeked at without being reaped, then reaped once") {
  const Child child = launch(testing::shell("read x; exit 7")).value();
  CHECK(sys::peek_exit(child.pidfd.get()).value() == std::nullopt);
  REQUIRE(sys::write(child.stdin_end.get(), "go\n"));
  REQUIRE(testing::wait_readable(child.pidfd));
  CHECK(sys::peek_exit(child.pidfd.get()).value() == ExitStatus{7, 0});
  CHECK(sys::peek_exit(child.pidfd.get()).value() == ExitStatus{7, 0});
  CHECK(sys::reap(child.pidfd.get()).value() == ExitStatus{7, 0});
  CHECK(sys::reap(child.pidfd.get()).error() == ECHILD);
  CHECK(sys::signal_process(child.pidfd.get(), SIGTERM).error() == ESRCH);
}

TEST_CASE("host: system: a signal is told from an exit code") {
  const Child child = launch(testing::shell("read x")).value();
  REQUIRE(sys::signal_process(child.pidfd.get(), SIGTERM));
  CHECK(testing::finish(child) == ExitStatus{0, SIGTERM});
  const Child sound = launch(testing::shell("exit 143")).value();
  CHECK(testing::finish(sound) == ExitStatus{143, 0});
}

TEST_CASE("host: system: a group signal reaches the whole group") {
  // The shell waits for a grandchild that ends only by the signal; it writes when it is there.
  const Child child = launch(testing::shell("/bin/sleep 1000 & echo up; wait")).value();
  REQUIRE(testing::read_text(child.stdout_end, 3) == "up\n");
  REQUIRE(sys::signal_group(child.pid, SIGKILL));
  CHECK(testing::finish(child) == ExitStatus{0, SIGKILL});
  CHECK(testing::read_text(child.stdout_end).empty());  // end of file: nobody holds it any more
}

TEST_CASE("host: system: time goes forward and is the monotonic clock") {
  const Time first = sys::now();
  const auto raw = std::chrono::steady_clock::now().time_since_epoch();
  const Time second = sys::now();
  CHECK(first <= second);
  CHECK(first.time_since_epoch() <= raw);
  CHECK(std::chrono::duration_cast<Duration>(raw) <= second.time_since_epoch());
}
