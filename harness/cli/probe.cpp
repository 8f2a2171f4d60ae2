#include <array>
#include <csignal>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"
#include "harness/host/guardian.hpp"
#include "harness/host/system.hpp"
#include "harness/host/timestamp.hpp"
#include "harness/host/worker.hpp"
#include "harness/pool/explain.hpp"
#include "harness/pool/greeting.hpp"
#include "harness/wire/envelope.hpp"
#include "harness/worlds/host_world.hpp"

namespace poolproof::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t kShownBytes = 32;
constexpr std::size_t kShownText = 200;
/// Of what the worker writes during one test, so much is shown; the rest is counted.
constexpr int kShownReads = 8;
/// Reads in a row: a worker that floods us must not keep us from looking at the time.
constexpr int kReadsInARow = 16;
/// A worker that says nothing to a broken frame for so long says nothing at all.
constexpr Duration kSilence = 1s;
/// So long it may take to end after it has answered.
constexpr Duration kAfterthought = 200ms;
constexpr std::size_t kTailBytes = 4096;

/// What became of the worker after something was sent to it.
enum class After : std::uint8_t { answered, babbled, ended, closed, silent };

/// One worker process outside any pool, and the time line of all that crossed its pipes. Its
/// process group is gone when the session is; whoever left it is the guardian's.
class Session {
 public:
  Session(const ProbeArguments& arguments, std::string token, Time zero)
      : arguments_(arguments), token_(std::move(token)), zero_(zero) {
    framing_.prefix_bytes = static_cast<std::uint8_t>(arguments.prefix_bytes);
    framing_.max_frame_bytes = arguments.max_frame_bytes;
  }
  ~Session() { put_away(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Expected<void, std::string> start() {
    host::Command command{arguments_.command, {"POOLPROOF_TOKEN=" + token_}, ""};
    for (char** entry = environ; *entry != nullptr; ++entry) {
      if (!std::string_view(*entry).starts_with("POOLPROOF_TOKEN=")) {
        command.env.emplace_back(*entry);
      }
    }
    auto child = host::launch(command);
    if (!child) return unexpected(child.error().message);
    worker_ = std::make_shared<host::Worker>(WorkerId{}, std::move(*child), kTailBytes);
    note(fmt::format("started, pid {}", worker_->pid()));
    return {};
  }

  /// The init ping, with the evidence a pool would gather. cause none: it is good.
  pool::StartEvidence greet() {
    const json args{{"initialization", true}, {"worker_id", "probe"}};
    ping_ = wire::encode_frame(framing_, wire::encode_request(0, "ping", args, host::timestamp()))
                .value_or("");
    const Time deadline = after(host::sys::now(), limit());
    pool::Greeting greeting(
        *worker_, framing_, ping_, deadline, 500ms,
        [this] {
          note("no answer: its stdin is closed now, to see what comes out");
          worker_->close_stdin();
        },
        [this](bool written, std::string_view bytes) { cross(written, bytes); });
    greeting.exchange(host::sys::now());
    while (!greeting.evidence()) {
      wait(greeting.next_deadline(), !greeting.stdout_ended());
      if (const auto ended = exit_status()) {
        greeting.process_ended(*ended, host::sys::now());
      } else {
        greeting.exchange(host::sys::now());
        greeting.tick(host::sys::now());
      }
    }
    if (const auto ended = exit_status()) note_end(*ended);
    worker_->drain_stderr();
    note_hidden();
    return *greeting.evidence();
  }

  /// Whether the first bytes it wrote are the ping itself.
  [[nodiscard]] bool echoes(const pool::StartEvidence& evidence) const {
    const std::string_view first(evidence.first.data(), evidence.first_size);
    return first.size() > framing_.prefix_bytes && ping_.starts_with(first);
  }

  /// Writes raw bytes and reads on until a whole frame has come, the worker has ended, or nothing
  /// more comes.
  After send(std::string_view bytes, Duration patience, std::string* reply = nullptr) {
    if (const auto wrote = host::sys::write(worker_->stdin_fd(), bytes)) {
      cross(true, bytes.substr(0, *wrote));
    } else {
      note("it takes no input");
    }
    const After then = listen(patience, reply);
    note_hidden();
    return then;
  }

  After close_stdin(Duration patience) {
    note("end of input");
    worker_->close_stdin();
    const Time until = after(host::sys::now(), patience);
    After then = After::answered;
    while (then != After::ended && host::sys::now() < until) {
      then = listen(until - host::sys::now(), nullptr);
    }
    note_hidden();
    return then;
  }

  /// Gives it a moment to end, or to write more than it should.
  After linger() {
    const After then = listen(kAfterthought, nullptr);
    note_hidden();
    return then;
  }

  [[nodiscard]] std::optional<ExitStatus> exit_status() const {
    const auto peeked = host::sys::peek_exit(worker_->pidfd());
    return peeked ? *peeked : std::nullopt;
  }
  [[nodiscard]] std::string stderr_tail() const { return worker_->stderr_tail.text(); }
  [[nodiscard]] Duration limit() const { return std::chrono::milliseconds(arguments_.timeout_ms); }
  [[nodiscard]] const wire::Framing& framing() const { return framing_; }
  /// What came with the last reply and answers nothing.
  [[nodiscard]] std::size_t surplus_bytes() const { return surplus_bytes_; }

 private:
  void note(const std::string& what) const {
    const auto us = (host::sys::now() - zero_).count();
    say(fmt::format("{:>8}.{:03} ms  {}\n", us / 1000, us % 1000, what));
  }

  After listen(Duration patience, std::string* reply) {
    const Time until = after(host::sys::now(), patience);
    wire::FrameDecoder decoder(framing_);
    bool open = true;
    while (host::sys::now() < until) {
      wait(until, open);
      const auto ended = exit_status();  // before the last look at its output, not after
      open = open && read_into(decoder);
      const auto frame = decoder.next();
      if (!frame) return After::babbled;
      if (*frame) {
        if (reply != nullptr) *reply = **frame;
        surplus_bytes_ = decoder.buffered_bytes();
        return After::answered;
      }
      if (ended) {
        note_end(*ended);
        return After::ended;
      }
    }
    if (!open) return After::closed;
    return decoder.buffered_bytes() > 0 ? After::babbled : After::silent;
  }

  bool read_into(wire::FrameDecoder& decoder) {
    std::array<char, 65536> chunk{};
    for (int i = 0; i < kReadsInARow; ++i) {
      const auto got = host::sys::read(worker_->stdout_fd(), chunk);
      if (!got) return true;
      if (*got == 0) return false;
      cross(false, {chunk.data(), *got});
      decoder.push({chunk.data(), *got});
    }
    return true;
  }

  void wait(Time until, bool stdout_open) {
    std::array<pollfd, 3> fds{{{stdout_open ? worker_->stdout_fd() : -1, POLLIN, 0},
                               {worker_->pidfd(), POLLIN, 0},
                               {worker_->stderr_open ? worker_->stderr_fd() : -1, POLLIN, 0}}};
    (void)host::sys::poll(fds, std::max<Duration>(until - host::sys::now(), 0ms));
    worker_->stderr_open = worker_->stderr_open && worker_->drain_stderr();
  }

  void cross(bool written, std::string_view bytes) {
    if (!written && ++reads_ > kShownReads) {
      hidden_bytes_ += bytes.size();
      return;
    }
    note(fmt::format("{} {:>6} bytes  {}", written ? "->" : "<-", bytes.size(), shown(bytes)));
  }

  /// A frame of text as its header in hex and its text; other bytes in both ways.
  [[nodiscard]] std::string shown(std::string_view bytes) const {
    const std::string_view head = bytes.substr(0, framing_.prefix_bytes);
    const std::string_view body = bytes.substr(head.size());
    if (is_text(head) || !is_text(body.substr(0, kShownText)))
      return hex_and_text(bytes, kShownBytes);
    return fmt::format("{:02x} {}",
                       fmt::join(std::vector<unsigned char>(head.begin(), head.end()), " "),
                       printable(body, kShownText));
  }

  /// The end of a test: how much was not shown.
  void note_hidden() {
    if (hidden_bytes_ > 0) note(fmt::format("<- and {} bytes more", hidden_bytes_));
    hidden_bytes_ = 0;
    reads_ = 0;
  }

  void note_end(ExitStatus status) {
    if (!std::exchange(end_noted_, true)) note("it " + pool::words(status));
  }

  void put_away() {
    if (!worker_) return;
    (void)host::sys::signal_group(worker_->pid(), SIGKILL);
    (void)host::sys::reap(worker_->pidfd());
  }

  const ProbeArguments& arguments_;
  std::string token_;
  Time zero_;
  wire::Framing framing_;
  std::string ping_;
  std::shared_ptr<host::Worker> worker_;
  bool end_noted_ = false;
  int reads_ = 0;
  std::size_t hidden_bytes_ = 0;
  std::size_t surplus_bytes_ = 0;
};

/// The header of a frame that is one byte longer than the worker should take; nothing if no header
/// of that size can say so.
std::string oversized_header(const wire::Framing& framing) {
  const std::uint64_t length = std::uint64_t{framing.max_frame_bytes} + 1;
  if (length >> (8U * framing.prefix_bytes) != 0) return "";
  std::string header(framing.prefix_bytes, '\0');
  for (std::size_t i = 0; i < header.size(); ++i) {
    header[header.size() - 1 - i] = static_cast<char>(length >> (8U * i) & 0xffU);
  }
  return header;
}

/// What is found out, one test after the other; a worker that ended is started anew for the next
/// one.
class Probe {
 public:
  Probe(const ProbeArguments& arguments, std::string token)
      : arguments_(arguments), token_(std::move(token)), zero_(host::sys::now()) {}

  int run() {
    if (const auto failure = begin("the init ping"); !failure.empty()) {
      say(fmt::format("\ndiagnosis: {}.\n", failure));
      return kFailed;
    }
    echo();
    broken_frame();
    oversized_frame();
    end_of_input();
    say("\ndiagnosis: " + diagnosis() + ".\n");
    if (!faults_.empty() && !quirks_.empty())
      say(fmt::format("also, it {}.\n", fmt::join(quirks_, "; it ")));
    if (!virtues_.empty()) say(fmt::format("besides, it {}.\n", fmt::join(virtues_, "; it ")));
    return faults_.empty() ? kHeld : kFailed;
  }

 private:
  /// A worker that has answered its ping. Returns why there is none; empty: there is.
  std::string begin(const char* what) {
    say(fmt::format("{}{}\n", session_ ? "\n" : "", what));
    if (session_ && !session_->exit_status() && still_usable_) return "";
    session_.reset();
    session_.emplace(arguments_, token_, zero_);
    still_usable_ = true;
    if (const auto started = session_->start(); !started) return started.error();
    const pool::StartEvidence evidence = session_->greet();
    if (evidence.cause == StartCause::none) return "";
    if (session_->echoes(evidence))
      return "it gives back what it is sent, as cat does, so it is no worker";
    pool::Config config;
    config.startup_budget = session_->limit();
    const std::string told = pool::explain_start({}, evidence, config, session_->stderr_tail(), "");
    // There is but one worker here, and it has no number.
    constexpr std::string_view kWho = "worker 0.0 ";
    return fmt::format("it {} [{}]", told.substr(told.starts_with(kWho) ? kWho.size() : 0),
                       name(evidence.cause));
  }

  [[nodiscard]] std::string diagnosis() const {
    if (!faults_.empty())
      return fmt::format("no good worker for a pool: it {}", fmt::join(faults_, "; it "));
    if (!quirks_.empty())
      return fmt::format("a worker that a pool can use, though it {}",
                         fmt::join(quirks_, ", and it "));
    return "a sound worker";
  }

  /// For a later test. False: there is no worker for it.
  bool begin_again(const char* what) {
    const std::string failure = begin(what);
    if (failure.empty()) return true;
    if (!std::exchange(start_failed_, true))
      faults_.push_back("does not start a second time: " + failure);
    return false;
  }

  void blame(std::string what) { faults_.push_back(std::move(what)); }

  void echo() {
    say("\nan echo\n");
    const std::string request =
        wire::encode_request(1, "echo", json{{"text", "h\u00e9llo"}}, host::timestamp());
    std::string answer;
    const After then = session_->send(*wire::encode_frame(session_->framing(), request),
                                      session_->limit(), &answer);
    switch (then) {
      case After::ended:
        return blame("ends on its first call (" + end_words() + ")");
      case After::closed:
        return blame("closes its stdout on its first call");
      case After::silent:
        return blame("does not answer its first call");
      case After::babbled:
        return blame("answers its first call with bytes that make no frame");
      case After::answered:
        break;
    }
    const auto reply = wire::decode_reply(answer, 1);
    if (!reply) return blame("answers a call with what is no reply: " + reply.error());
    const bool more = session_->surplus_bytes() > 0;
    const After later = session_->linger();
    still_usable_ = !more && later == After::silent;
    if (more || later == After::answered || later == After::babbled)
      faults_.emplace_back("writes more than one reply to a call");
    if (later == After::ended) faults_.push_back("ends after its first call (" + end_words() + ")");
    virtues_.push_back(reply->success ? "answers a call"
                                      : fmt::format("answers a call (here with the error \"{}\")",
                                                    printable(reply->error, 80)));
  }

  void broken_frame() {
    if (!begin_again("a frame that is no JSON")) return;
    const auto frame = wire::encode_frame(session_->framing(), R"({"id": 2, "command": "echo", )");
    const After then = session_->send(*frame, std::min(kSilence, session_->limit()));
    still_usable_ = then == After::answered && session_->linger() == After::silent;
    if (then == After::ended) {
      quirks_.push_back("ends without a word on a broken request (" + end_words() + ")");
    } else if (then != After::answered) {
      quirks_.emplace_back(then == After::silent ? "leaves a broken request unanswered"
                                                 : "answers a broken request with no frame");
    } else if (session_->exit_status()) {
      quirks_.push_back("answers a broken request and ends (" + end_words() + ")");
    } else {
      virtues_.emplace_back("answers a broken request with an error");
    }
  }

  void oversized_frame() {
    wire::Framing framing;
    framing.prefix_bytes = static_cast<std::uint8_t>(arguments_.prefix_bytes);
    framing.max_frame_bytes = arguments_.max_frame_bytes;
    const std::string header = oversized_header(framing);
    if (header.empty() || !begin_again("a frame of one byte too many")) return;
    const After then = session_->send(header, std::min(kSilence, session_->limit()));
    if (then == After::ended) {
      virtues_.push_back("ends on an oversized frame (" + end_words() + ")");
    } else if (then == After::silent) {
      quirks_.push_back(
          fmt::format("takes a frame of more than {} bytes (it waits for its payload)",
                      arguments_.max_frame_bytes));
    } else {
      virtues_.emplace_back("answers an oversized frame with an error");
    }
    still_usable_ = false;
  }

  void end_of_input() {
    if (!begin_again("the end of input")) return;
    if (session_->close_stdin(session_->limit()) == After::ended)
      return virtues_.push_back("ends at the end of input (" + end_words() + ")");
    faults_.push_back(
        fmt::format("does not end within {} ms of the end of its input", arguments_.timeout_ms));
  }

  [[nodiscard]] std::string end_words() const {
    return pool::words(session_->exit_status().value_or(ExitStatus{}));
  }

  const ProbeArguments& arguments_;
  std::string token_;
  Time zero_;
  std::optional<Session> session_;
  bool still_usable_ = true;
  bool start_failed_ = false;
  std::vector<std::string> faults_;  ///< what makes it useless in a pool
  std::vector<std::string> quirks_;  ///< what a pool can live with
  std::vector<std::string> virtues_;
};

}  // namespace

int probe(const ProbeArguments& arguments) {
  host::sys::ignore_sigpipe();
  if (arguments.command.empty())
    return bad_input(
        "probe: no worker's command; write it after --, as in "
        "poolproof probe -- python3 my_worker.py");
  const auto found = host::find_program(arguments.command.front()).and_then(worlds::startable);
  if (!found)
    return bad_input("probe: " + found.error().message +
                     "; the path of a program, or its name on the PATH");
  const std::string token = host::new_token();
  // From here on neither Ctrl-C nor a kill -9 leaves anybody behind.
  const auto guardian = host::Guardian::start(own_program(), token);
  if (!guardian) return broken(guardian.error().message);
  return Probe(arguments, token).run();
}

}  // namespace poolproof::cli
