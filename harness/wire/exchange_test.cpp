#include "harness/wire/exchange.hpp"

#include <cerrno>

#include <catch2/catch.hpp>

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::chrono_literals;

namespace {

/// A worker that has closed its stdin, lives on and writes nothing.
class DeafWorker final : public Stdio {
 public:
  Expected<std::size_t, int> write(std::string_view) override { return unexpected(EPIPE); }
  Expected<std::size_t, int> read(std::span<char>) override { return unexpected(EAGAIN); }
  [[nodiscard]] Expected<std::size_t, int> unread() const override { return 0; }
  [[nodiscard]] bool nobody_reads() const override { return true; }
};

/// A worker that writes what it may say unasked faster than anybody reads it.
class FloodingWorker final : public Stdio {
 public:
  Expected<std::size_t, int> write(std::string_view bytes) override { return bytes.size(); }
  Expected<std::size_t, int> read(std::span<char> into) override {
    constexpr std::string_view kEvent = "{\"method\":\"event\"}\n";
    if (++reads > 1000) return unexpected(EAGAIN);  // the test must end
    for (char& one : into) one = kEvent[at_++ % kEvent.size()];
    return into.size();
  }
  [[nodiscard]] Expected<std::size_t, int> unread() const override { return 0; }
  [[nodiscard]] bool nobody_reads() const override { return false; }

  int reads = 0;

 private:
  std::size_t at_ = 0;
};

Exchange call_on(DeafWorker& worker, Duration timeout) {
  Exchange exchange(worker, Conversation({}, Payload::opaque, 0, "frame", Time(timeout)));
  exchange.write_some(Time{});
  REQUIRE_FALSE(exchange.decided());
  return exchange;
}

}  // namespace

TEST_CASE("wire: exchange: a closed stdin is named when the exit that it may announce stays away") {
  DeafWorker worker;
  Exchange exchange = call_on(worker, 1s);
  CHECK(exchange.next_deadline() == Time(250ms));
  exchange.tick(Time(250ms));
  REQUIRE(exchange.decided());
  const CallResult result = exchange.take_result();
  CHECK(result.outcome == Outcome::stdin_closed);
  CHECK(result.in_doubt);
}

// If this worker counted as sound because no byte was written, it would go back into the pool for
// ever.
TEST_CASE("wire: exchange: a closed stdin leaves a doubt also when the deadline comes first") {
  DeafWorker worker;
  Exchange exchange = call_on(worker, 100ms);
  exchange.tick(Time(100ms));
  REQUIRE(exchange.decided());
  const CallResult result = exchange.take_result();
  CHECK(result.outcome == Outcome::call_timeout);
  CHECK(result.written_bytes == 0);
  CHECK(result.in_doubt);
}

TEST_CASE("wire: exchange: a closed stdin leaves a doubt also when the caller cancels") {
  DeafWorker worker;
  Exchange exchange = call_on(worker, 1s);
  exchange.cancel();
  REQUIRE(exchange.decided());
  const CallResult result = exchange.take_result();
  CHECK(result.outcome == Outcome::cancelled);
  CHECK(result.in_doubt);
}

TEST_CASE("wire: exchange: the clock is looked at while a worker floods its stdout") {
  FloodingWorker worker;
  const Framing lines{.wire = Wire::lines};
  Exchange exchange(worker, Conversation(lines, Payload::envelope, 0, "frame\n", Time(100ms),
                                         Codec::json, Speech::json_rpc));
  exchange.write_some(Time{});
  SECTION("that lives") {
    exchange.read_some(Time{});
    CHECK(worker.reads < 100);
    CHECK_FALSE(exchange.decided());
    exchange.tick(Time(100ms));
    CHECK(exchange.take_result().outcome == Outcome::call_timeout);
  }
  SECTION("that has ended, and whose grandchild goes on") {
    CHECK_FALSE(exchange.process_ended(Time{}));
    CHECK(worker.reads < 100);
  }
}
