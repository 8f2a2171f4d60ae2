#include "harness/pool/handshake.hpp"

#include <csignal>

#include "harness/host/pool_testing.hpp"
#include "harness/host/worker.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/wire/framing.hpp"

using namespace poolproof;
using namespace poolproof::host;
using namespace poolproof::host::testing;

namespace {

std::string ping() {
  const auto request = wire::encode_request(0, "ping", json::object(), "now");
  return *wire::encode_frame({}, request);
}

/// One handshake of one program, driven by hand; the process is gone when it is.
class Meeting {
 public:
  explicit Meeting(const Command& command, Duration budget = kHang) {
    sys::ignore_sigpipe();
    auto child = launch(command);
    REQUIRE(child);
    worker_ = std::make_shared<Worker>(WorkerId{0, 0}, std::move(*child), 1000);
    greeting_.emplace(
        *worker_, pool::WireOptions{}, ping(), after(sys::now(), budget), 300ms, sys::now,
        [this] { worker_->close_stdin(); },
        [this](bool written, std::string_view bytes) { (written ? sent : received) += bytes; });
  }
  ~Meeting() {
    (void)sys::signal_group(worker_->pid(), SIGKILL);
    (void)sys::reap(worker_->pidfd());
  }
  Meeting(const Meeting&) = delete;
  Meeting& operator=(const Meeting&) = delete;

  /// As the reactor would do it.
  pool::StartEvidence outcome() {
    greeting_->exchange();
    while (!greeting_->evidence()) {
      std::array<pollfd, 2> fds{
          {{greeting_->wants_to_read() ? worker_->stdout_fd() : -1, POLLIN, 0},
           {worker_->pidfd(), POLLIN, 0}}};
      const Time until = greeting_->next_deadline();
      (void)sys::poll(fds, std::max(Duration::zero(), until - sys::now()));
      greeting_->exchange();
      const auto ended = sys::peek_exit(worker_->pidfd());
      if (ended && *ended) greeting_->process_ended(**ended);
      greeting_->tick();
    }
    return *greeting_->evidence();
  }

  [[nodiscard]] const Worker& worker() const { return *worker_; }

  std::string sent;
  std::string received;

 private:
  std::shared_ptr<Worker> worker_;
  std::optional<pool::Handshake> greeting_;
};

Command fake_worker(std::vector<std::string> args = {}) {
  args.insert(args.begin(), POOLPROOF_FAKE_WORKER);
  return {args, {}, {}};
}

std::string first_of(const pool::StartEvidence& evidence) {
  return {evidence.first.data(), evidence.first_size};
}

}  // namespace

TEST_CASE("host: handshake: a good reply is no cause for anything, and all that crosses is told") {
  Meeting meeting(fake_worker());
  const auto evidence = meeting.outcome();
  CHECK(evidence.cause == StartCause::none);
  CHECK(meeting.sent == ping());
  CHECK(evidence.ping_bytes == ping().size());
  CHECK(evidence.answered_bytes == meeting.received.size());
  CHECK(contains(meeting.received, "\"status\":\"ok\""));
}

TEST_CASE("host: handshake: a good reply and a death at once are told apart") {
  Meeting meeting(fake_worker({"--fault", "exit_while_idle", "--at", "request=0"}));
  CHECK(meeting.outcome().cause == StartCause::none);
}

TEST_CASE("host: handshake: text before a sound frame is text") {
  Meeting meeting(fake_worker({"--fault", "banner", "--text", "Loading model...\n"}));
  const auto evidence = meeting.outcome();
  CHECK(evidence.cause == StartCause::text_on_stdout);
  CHECK(contains(first_of(evidence), "Loading model...\n"));
}

TEST_CASE("host: handshake: two replies to one ping are no good reply") {
  Meeting meeting(fake_worker({"--fault", "reply_twice", "--at", "request=0"}));
  CHECK(meeting.outcome().cause == StartCause::bad_frame);
}

TEST_CASE("host: handshake: text without its line's end is text at the end of the budget") {
  Meeting meeting(shell("printf Wa; exec sleep 1000"), 300ms);
  const auto evidence = meeting.outcome();
  CHECK(evidence.cause == StartCause::text_on_stdout);
  CHECK(first_of(evidence) == "Wa");
}

TEST_CASE("host: handshake: a flood instead of a reply is cut short") {
  Meeting meeting(shell("exec yes 2>/dev/null"));
  const auto evidence = meeting.outcome();
  CHECK(evidence.cause == StartCause::text_on_stdout);
  CHECK(evidence.first_size == evidence.first.size());
}

TEST_CASE("host: handshake: a reply that was never flushed comes at the end of its input") {
  Meeting meeting(fake_worker({"--fault", "reply_unflushed", "--at", "request=0"}), 2s);
  const auto evidence = meeting.outcome();
  CHECK(evidence.cause == StartCause::reply_unflushed);
  CHECK(evidence.answered_bytes == 0);
  CHECK(evidence.late_bytes == meeting.received.size());
  CHECK_FALSE(evidence.outlived_stdin);
  CHECK(meeting.worker().stdin_fd() == -1);
}

TEST_CASE("host: handshake: a dead worker explains more than what it wrote") {
  Meeting meeting(shell("echo usage; exit 2"));
  const auto evidence = meeting.outcome();
  CHECK(evidence.cause == StartCause::exited);
  CHECK(evidence.exit == ExitStatus{2, 0});
  CHECK(first_of(evidence) == "usage\n");
}

TEST_CASE("host: handshake: a ping nobody can read any more is a stdin that was closed") {
  // It closes its stdin with the ping in it: that looks unread, and will be for ever.
  Meeting meeting(shell("sleep 0.2; exec 0<&-; exec sleep 1000"), 2s);
  CHECK(meeting.outcome().cause == StartCause::stdin_closed);
}
