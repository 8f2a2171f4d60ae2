#include <array>
#include <cerrno>
#include <csignal>
#include <memory>

#include "harness/host/child.hpp"
#include "harness/host/pool_testing.hpp"
#include "harness/host/worker.hpp"
#include "harness/wire/wires.hpp"

/// Workers on a socket of their own, as Node's child_process.fork() gives them one.
using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

constexpr std::size_t kTailBytes = 1000;

std::unique_ptr<Worker> on_channel(const std::string& text, std::vector<std::string> env = {}) {
  Command command = shell(text);
  command.env = std::move(env);
  auto child = launch(command, {.channel = true});
  REQUIRE(child);
  return std::make_unique<Worker>(WorkerId{}, std::move(*child), kTailBytes);
}

void end(Worker& worker) {
  worker.signal_group(SIGKILL);
  CHECK(worker.reap());
}

/// All that it says until its channel ends.
std::string all_of(Worker& worker) {
  std::string all;
  std::array<char, 100> chunk{};
  for (;;) {
    (void)sys::poll_one(worker.stdout_fd(), POLLIN, kHang);
    const auto got = worker.read(chunk);
    if (!got || *got == 0) return all;
    all.append(chunk.data(), *got);
  }
}

bool comes_true(const std::function<bool()>& fact) {
  return PoolFixture::comes_true(fact);
}

class ChannelFixture : public PoolFixture {
 public:
  [[nodiscard]] Options ipc(Options options) {
    options.framing.wire = wire::Wire::node_ipc;
    return options;
  }
};

}  // namespace

TEST_CASE("host: channel: descriptor 3 is it, as the environment says, and stdin is empty") {
  const auto worker = on_channel(
      "read x <&3; echo got $x, $NODE_CHANNEL_FD, $NODE_CHANNEL_SERIALIZATION_MODE, $(wc -c), "
      "$(grep -cz ^NODE_CHANNEL_ /proc/$$/environ) >&3",
      {"NODE_CHANNEL_FD=77", "NODE_CHANNEL_SERIALIZATION_MODE=advanced", "PATH=/usr/bin:/bin"});
  REQUIRE(worker->write("hello\n") == std::size_t{6});
  CHECK(all_of(*worker) == "got hello, 3, json, 0, 2\n");
  end(*worker);
}

TEST_CASE("host: channel: what it prints is text like that on stderr") {
  const auto worker = on_channel("echo out; echo err >&2; echo said >&3");
  CHECK(all_of(*worker) == "said\n");
  CHECK(comes_true([&] {
    worker->drain_stderr();
    return worker->stderr_tail.text() == "out\nerr\n";
  }));
  end(*worker);
}

TEST_CASE("host: channel: the child has no other descriptor of ours") {
  const auto worker = on_channel("ls /proc/self/fd | wc -l >&3", {"PATH=/usr/bin:/bin"});
  CHECK(all_of(*worker) == "5\n");  // 0, 1, 2, 3, and the folder that ls reads
  end(*worker);
}

TEST_CASE("host: channel: what it has not read is counted to the byte") {
  const auto worker =
      on_channel("dd bs=1 count=4 <&3 of=/dev/null 2>/dev/null; echo 4 >&3; exec cat <&3 >&3",
                 {"PATH=/usr/bin:/bin"});
  CHECK(worker->unread() == std::size_t{0});
  REQUIRE(worker->write("0123456789") == std::size_t{10});
  REQUIRE(worker->write("abc") == std::size_t{3});
  // It reads four of them, and goes on when it can't be seen half way: cat reads the rest.
  std::string back;
  CHECK(comes_true([&] {
    std::array<char, 100> chunk{};
    if (const auto got = worker->read(chunk)) back.append(chunk.data(), *got);
    return back.size() == 11;
  }));
  CHECK(back == "4\n456789abc");
  CHECK(worker->unread() == std::size_t{0});
  end(*worker);
}

TEST_CASE("host: channel: half a message is unread as long as nobody reads on") {
  const auto worker =
      on_channel("dd bs=1 count=4 <&3 of=/dev/null 2>/dev/null; echo read >&3; exec sleep 1000",
                 {"PATH=/usr/bin:/bin"});
  REQUIRE(worker->write("0123456789") == std::size_t{10});
  std::string said;
  REQUIRE(comes_true([&] {
    std::array<char, 10> chunk{};
    if (const auto got = worker->read(chunk)) said.append(chunk.data(), *got);
    return said == "read\n";
  }));
  CHECK(worker->unread() == std::size_t{6});
  CHECK_FALSE(worker->nobody_reads());
  CHECK_FALSE(worker->output_ended());
  end(*worker);
}

TEST_CASE("host: channel: who leaves with a message unread has not read it") {
  const bool reads = GENERATE(true, false);
  const auto worker =
      on_channel(reads ? "read x <&3; exit 3" : "read x; exec sleep 1000", {"PATH=/usr/bin:/bin"});
  REQUIRE(worker->write("hello\n") == std::size_t{6});
  if (!reads) worker->signal_group(SIGKILL);
  CHECK(all_of(*worker).empty());
  CHECK(worker->output_ended());
  CHECK(worker->nobody_reads());
  CHECK(worker->unread().value_or(0) == (reads ? 0U : 6U));
  end(*worker);
}

TEST_CASE("host: channel: the end of its input leaves its last words") {
  const auto worker = on_channel("cat <&3 >/dev/null; echo bye >&3", {"PATH=/usr/bin:/bin"});
  CHECK(worker->stdin_open());
  worker->close_stdin();
  CHECK_FALSE(worker->stdin_open());
  CHECK(all_of(*worker) == "bye\n");
  end(*worker);
}

TEST_CASE("host: channel: what can't be made fails as a pipe does, and leaves nothing") {
  const auto call = GENERATE(sys::Call::pipe, sys::Call::open, sys::Call::fcntl);
  const FailuresEnd no_more;
  const Census before = take_census();
  sys::fail_next(call, 0, EMFILE);
  const auto child = launch(shell("exit"), {.channel = true});
  REQUIRE_FALSE(child);
  CHECK(child.error().errno_value == EMFILE);
  CHECK(take_census() == before);
}

TEST_CASE_METHOD(ChannelFixture, "host: channel: a pool serves, and asks its workers to leave") {
  const auto pool = open(ipc(fake({"--wire", "node_ipc"})));
  Lease lease = leased(*pool);
  for (int i = 0; i < 3; ++i) CHECK(echoes(lease, i));
  const std::string megabyte(1'000'000, 'x');
  const auto reply = lease.call("echo", {{"text", megabyte}});
  REQUIRE(reply);
  CHECK((*reply->result == json{{"text", megabyte}}));
  lease.checkin();
  CHECK(pool->close(kHang));
  const auto exits = log.events<pool::Exited>();
  REQUIRE(exits.size() == 1);
  CHECK(exits[0].status == ExitStatus{});
}

TEST_CASE_METHOD(ChannelFixture, "host: channel: a timeout says what of the request is unread") {
  const auto pool = open(ipc(fake({"--wire", "node_ipc", "--fault", "reading_stopped", "--at",
                                   "request=1", "--keep-bytes", "10"})));
  Lease lease = leased(*pool);
  const auto reply = lease.call("echo", {{"text", "0123456789"}}, 300ms);
  REQUIRE_FALSE(reply);
  CHECK(reply.error().kind == Outcome::call_timeout);
  CHECK(contains(reply.error().message, "has read 10 bytes of it"));
}

TEST_CASE_METHOD(ChannelFixture, "host: channel: what is said while nobody asks costs the worker") {
  const auto pool = open(ipc(fake(
      {"--wire", "node_ipc", "--fault", "text_while_idle", "--at", "generation=0,request=1"})));
  {
    Lease lease = leased(*pool);
    CHECK(echoes(lease, 1));
  }
  CHECK(log.wait_for_effects<pool::Stop>());
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 1});
  CHECK(echoes(lease, 2));
}

TEST_CASE_METHOD(ChannelFixture, "host: channel: an idle worker's death is noticed") {
  const auto pool = open(ipc(fake({"--wire", "node_ipc", "--fault", "stdout_closed_while_idle",
                                   "--at", "generation=0,request=1"})));
  {
    Lease lease = leased(*pool);
    CHECK(echoes(lease, 1));
  }
  CHECK(log.wait_for_events<pool::Exited>());
  Lease lease = leased(*pool);
  CHECK(lease.worker() == WorkerId{0, 1});
}
