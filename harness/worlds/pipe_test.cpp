#include "harness/sim/pipe.hpp"

#include <array>
#include <cerrno>
#include <string>

#include <catch2/catch.hpp>

#include "harness/host/system.hpp"

/// The simulated pipe and the system's: the same cases over both.

using namespace poolproof;

namespace {

/// Both ends of a pipe of the system, non-blocking, with the simulated pipe's interface.
class SystemPipe {
 public:
  void open() {
    host::sys::ignore_sigpipe();
    auto pipe = host::sys::pipe();
    REQUIRE(pipe);
    read_end_ = std::move(pipe->read_end);
    write_end_ = std::move(pipe->write_end);
    REQUIRE(host::sys::set_nonblocking(read_end_.get()));
    REQUIRE(host::sys::set_nonblocking(write_end_.get()));
  }
  void drop_reader() { read_end_.reset(); }
  void drop_writer() { write_end_.reset(); }
  void add_writer() {
    auto copy = host::sys::duplicate(write_end_.get());
    REQUIRE(copy);
    other_writer_ = std::move(*copy);
  }
  void drop_other_writer() { other_writer_.reset(); }
  Expected<std::size_t, int> write(std::string_view bytes) {
    return host::sys::write(write_end_.get(), bytes);
  }
  Expected<std::size_t, int> read(std::span<char> into) {
    return host::sys::read(read_end_.get(), into);
  }
  [[nodiscard]] std::size_t unread() const {
    return static_cast<std::size_t>(host::sys::unread_bytes(read_end_.get()).value_or(-1));
  }
  [[nodiscard]] bool readable() const { return polled(read_end_.get(), POLLIN) != 0; }
  [[nodiscard]] bool writable() const {
    return (polled(write_end_.get(), POLLOUT) & (POLLOUT | POLLERR)) != 0;
  }
  [[nodiscard]] bool has_reader() const { return (polled(write_end_.get(), 0) & POLLERR) == 0; }

 private:
  static int polled(int fd, short events) {
    std::array<pollfd, 1> fds{{{fd, events, 0}}};
    REQUIRE(host::sys::poll(fds, Duration::zero()));
    return fds[0].revents;
  }

  host::Descriptor read_end_;
  host::Descriptor write_end_;
  host::Descriptor other_writer_;
};

class SimulatedPipe : public sim::Pipe {
 public:
  void drop_other_writer() { drop_writer(); }
};

constexpr std::size_t kCapacity = sim::Pipe::kCapacity;
constexpr std::size_t kAtomic = sim::Pipe::kAtomic;

std::string bytes(std::size_t count) {
  std::string text(count, 'x');
  for (std::size_t i = 0; i < count; ++i) text[i] = static_cast<char>('a' + i % 26);
  return text;
}

/// What came: the text, "again" (EAGAIN), "end", or another errno.
template <class Pipe>
std::string taken(Pipe& pipe, std::size_t most) {
  std::string into(most, '\0');
  const auto got = pipe.read(into);
  if (!got) return got.error() == EAGAIN ? "again" : std::to_string(got.error());
  if (*got == 0) return "end";
  return into.substr(0, *got);
}

/// How many bytes were taken, or minus the errno.
template <class Pipe>
long given(Pipe& pipe, std::size_t count) {
  const auto wrote = pipe.write(bytes(count));
  return wrote ? static_cast<long>(*wrote) : -wrote.error();
}

}  // namespace

TEMPLATE_TEST_CASE("run: pipe: both worlds: what was written comes in order, glued together", "",
                   SimulatedPipe, SystemPipe) {
  TestType pipe;
  pipe.open();
  CHECK(taken(pipe, 10) == "again");
  CHECK_FALSE(pipe.readable());
  CHECK(pipe.writable());
  CHECK(given(pipe, 3) == 3);
  CHECK(given(pipe, 2) == 2);
  CHECK(pipe.readable());
  CHECK(pipe.unread() == 5);
  CHECK(taken(pipe, 4) == "abca");
  CHECK(taken(pipe, 4) == "b");
  CHECK(taken(pipe, 4) == "again");
}

TEMPLATE_TEST_CASE("run: pipe: both worlds: a long write is taken as far as it fits", "",
                   SimulatedPipe, SystemPipe) {
  TestType pipe;
  pipe.open();
  CHECK(given(pipe, 100'000) == static_cast<long>(kCapacity));
  CHECK(pipe.unread() == kCapacity);
  CHECK_FALSE(pipe.writable());
  CHECK(given(pipe, 100'000) == -EAGAIN);
  CHECK(given(pipe, 1) == -EAGAIN);
  CHECK(taken(pipe, kCapacity).size() == kCapacity);
  CHECK(pipe.writable());
  CHECK(given(pipe, 100'000) == static_cast<long>(kCapacity));
}

TEMPLATE_TEST_CASE("run: pipe: both worlds: a short write is taken whole or not at all", "",
                   SimulatedPipe, SystemPipe) {
  TestType pipe;
  pipe.open();
  CHECK(given(pipe, kCapacity - kAtomic) == static_cast<long>(kCapacity - kAtomic));
  CHECK(pipe.writable());
  CHECK(given(pipe, kAtomic) == static_cast<long>(kAtomic));
  CHECK(given(pipe, kAtomic) == -EAGAIN);
  CHECK_FALSE(pipe.writable());
  CHECK(taken(pipe, kAtomic).size() == kAtomic);
  CHECK(given(pipe, kAtomic) == static_cast<long>(kAtomic));
}

TEMPLATE_TEST_CASE("run: pipe: both worlds: the end comes after what was written before", "",
                   SimulatedPipe, SystemPipe) {
  TestType pipe;
  pipe.open();
  CHECK(given(pipe, 3) == 3);
  pipe.drop_writer();
  CHECK(pipe.readable());
  CHECK(taken(pipe, 2) == "ab");
  CHECK(taken(pipe, 2) == "c");
  CHECK(pipe.readable());
  CHECK(taken(pipe, 2) == "end");
  CHECK(taken(pipe, 2) == "end");
}

TEMPLATE_TEST_CASE("run: pipe: both worlds: the end comes only when the last writer has closed", "",
                   SimulatedPipe, SystemPipe) {
  TestType pipe;
  pipe.open();
  pipe.add_writer();
  pipe.drop_writer();
  CHECK(taken(pipe, 1) == "again");
  CHECK_FALSE(pipe.readable());
  pipe.drop_other_writer();
  CHECK(taken(pipe, 1) == "end");
}

TEMPLATE_TEST_CASE("run: pipe: both worlds: without a reader nothing can be written", "",
                   SimulatedPipe, SystemPipe) {
  TestType pipe;
  pipe.open();
  CHECK(given(pipe, 3) == 3);
  CHECK(pipe.has_reader());
  pipe.drop_reader();
  CHECK_FALSE(pipe.has_reader());
  CHECK(pipe.writable());
  CHECK(given(pipe, 3) == -EPIPE);
}
