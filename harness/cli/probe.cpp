#include <array>
#include <csignal>
#include <cstdio>
#include <string>
#include <vector>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/cli/commands.hpp"
#include "harness/host/explain.hpp"
#include "harness/host/greeting.hpp"
#include "harness/host/system.hpp"
#include "harness/host/timestamp.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::cli {
namespace {

using namespace std::chrono_literals;
using nlohmann::json;

constexpr std::size_t kShownBytes = 64;
/// A worker that says nothing to a broken frame for so long says nothing at all.
constexpr Duration kSilence = 1s;

/// What became of the worker after something was sent to it.
enum class After : std::uint8_t { answered, ended, silent };

/// One worker process outside any pool, and the time line of all that crossed its pipes.
class Session {
 public:
  Session(const ProbeArguments& arguments, Time zero) : arguments_(arguments), zero_(zero) {
    framing_.prefix_bytes = static_cast<std::uint8_t>(arguments.prefix_bytes);
    framing_.max_frame_bytes = arguments.max_frame_bytes;
  }
  ~Session() { put_away(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Expected<void, std::string> start() {
    host::Command command{arguments_.command, {}, ""};
    for (char** entry = environ; *entry != nullptr; ++entry) command.env.emplace_back(*entry);
    auto child = host::launch(command);
    if (!child) return unexpected(child.error().message);
    worker_ = std::make_shared<host::Worker>(WorkerId{}, std::move(*child), 4096);
    note(fmt::format("started, pid {}", worker_->pid()));
    return {};
  }

  /// The init ping, with the evidence a pool would gather. cause none: it is good.
  pool::StartEvidence greet() {
    const json args{{"initialization", true}, {"worker_id", "probe"}};
    auto frame =
        wire::encode_frame(framing_, wire::encode_request(0, "ping", args, host::timestamp()));
    const Time deadline = after(host::sys::now(), limit());
    host::Greeting greeting(
        worker_, framing_, frame.value_or(""), deadline, 500ms,
        [this](host::Worker& worker) {
          note("no answer: its stdin is closed now, to see what comes out");
          worker.close_stdin();
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
    return *greeting.evidence();
  }

  /// Writes raw bytes and reads on until a whole frame has come, the worker has ended, or nothing
  /// more comes.
  After send(std::string_view bytes, Duration patience, std::string* reply = nullptr) {
    if (host::sys::write(worker_->stdin_fd(), bytes)) cross(true, bytes);
    return listen(patience, reply);
  }

  After close_stdin(Duration patience) {
    note("end of input");
    worker_->close_stdin();
    return listen(patience, nullptr);
  }

  [[nodiscard]] std::optional<ExitStatus> exit_status() const {
    const auto peeked = host::sys::peek_exit(worker_->pidfd());
    return peeked ? *peeked : std::nullopt;
  }
  std::string stderr_tail() {
    worker_->drain_stderr();
    return worker_->stderr_tail();
  }
  [[nodiscard]] Duration limit() const { return std::chrono::milliseconds(arguments_.timeout_ms); }
  [[nodiscard]] const wire::Framing& framing() const { return framing_; }

  void note(const std::string& what) const {
    const auto us = (host::sys::now() - zero_).count();
    fmt::print("{:>8}.{:03} ms  {}\n", us / 1000, us % 1000, what);
  }

 private:
  After listen(Duration patience, std::string* reply) {
    const Time until = after(host::sys::now(), patience);
    wire::FrameDecoder decoder(framing_);
    bool open = true;
    while (host::sys::now() < until) {
      wait(until, open);
      open = read_into(decoder);
      const auto frame = decoder.next();
      if (frame && *frame) {
        if (reply != nullptr) *reply = **frame;
        return After::answered;
      }
      if (const auto ended = exit_status()) {
        note_end(*ended);
        return After::ended;
      }
    }
    return After::silent;
  }

  bool read_into(wire::FrameDecoder& decoder) {
    std::array<char, 65536> chunk{};
    while (true) {
      const auto got = host::sys::read(worker_->stdout_fd(), chunk);
      if (!got) return true;
      if (*got == 0) return false;
      cross(false, {chunk.data(), *got});
      decoder.push({chunk.data(), *got});
    }
  }

  void wait(Time until, bool stdout_open) {
    std::array<pollfd, 2> fds{
        {{stdout_open ? worker_->stdout_fd() : -1, POLLIN, 0}, {worker_->pidfd(), POLLIN, 0}}};
    // Stderr is drained in between, so that no flood of it can stop the worker.
    const Duration left = std::clamp<Duration>(until - host::sys::now(), 0ms, 50ms);
    (void)host::sys::poll(fds, left);
    worker_->drain_stderr();
  }

  void cross(bool written, std::string_view bytes) const {
    note(fmt::format("{} {:>6} bytes  {}", written ? "->" : "<-", bytes.size(),
                     hex_and_text(bytes, kShownBytes)));
  }

  void note_end(ExitStatus status) {
    if (!std::exchange(end_noted_, true)) note("it " + host::words(status));
  }

  void put_away() {
    if (!worker_) return;
    (void)host::sys::signal_group(worker_->pid(), SIGKILL);
    (void)host::sys::reap(worker_->pidfd());
  }

  const ProbeArguments& arguments_;
  Time zero_;
  wire::Framing framing_;
  std::shared_ptr<host::Worker> worker_;
  bool end_noted_ = false;
};

/// The header of a frame that is one byte longer than the worker should take.
std::string oversized_header(const wire::Framing& framing) {
  std::string header(framing.prefix_bytes, '\xff');
  const std::uint64_t length = framing.max_frame_bytes + 1;
  const std::uint64_t most =
      framing.prefix_bytes == 4 ? 0xffffffffU : (1U << (8U * framing.prefix_bytes)) - 1;
  for (std::size_t i = 0; length <= most && i < header.size(); ++i) {
    header[header.size() - 1 - i] = static_cast<char>(length >> (8U * i) & 0xffU);
  }
  return header;
}

/// What is found out, one test after the other; a worker that ended is started anew for the next
/// one.
class Probe {
 public:
  explicit Probe(const ProbeArguments& arguments)
      : arguments_(arguments), zero_(host::sys::now()) {}

  int run() {
    if (!begin("the init ping")) return kFailed;
    echo();
    broken_frame();
    oversized_frame();
    end_of_input();
    const bool sound = faults_.empty();
    fmt::print("\ndiagnosis: {}{}.\n", sound ? "a sound worker: it answers its ping, " : "",
               fmt::join(sound ? virtues_ : faults_, sound ? ", " : "; "));
    if (!sound && !virtues_.empty()) fmt::print("besides: it {}.\n", fmt::join(virtues_, ", "));
    return sound ? kHeld : kFailed;
  }

 private:
  /// A worker that has answered its ping. False: it has not, and the diagnosis is printed.
  bool begin(const char* what) {
    fmt::print("{}{}\n", std::string(session_ ? "\n" : ""), what);
    if (session_ && !session_->exit_status() && still_usable_) return true;
    session_.emplace(arguments_, zero_);
    still_usable_ = true;
    if (const auto started = session_->start(); !started) {
      fmt::print("\ndiagnosis: {}.\n", started.error());
      return false;
    }
    const pool::StartEvidence evidence = session_->greet();
    if (evidence.cause == StartCause::none) return true;
    pool::Config config;
    config.startup_budget = session_->limit();
    fmt::print("\ndiagnosis ({}): {}.\n", name(evidence.cause),
               host::explain_start({}, evidence, config, session_->stderr_tail(), ""));
    return false;
  }

  void echo() {
    fmt::print("\nan echo\n");
    const std::string request =
        wire::encode_request(1, "echo", json{{"text", "h\u00e9llo"}}, host::timestamp());
    std::string answer;
    const After then = session_->send(*wire::encode_frame(session_->framing(), request),
                                      session_->limit(), &answer);
    if (then == After::ended)
      return faults_.push_back("it ends on its first call (" + end_words() + ")");
    if (then == After::silent) return faults_.push_back("it does not answer its first call");
    const auto reply = wire::decode_reply(answer, 1);
    if (!reply) return faults_.push_back("its reply to a call is none: " + reply.error());
    virtues_.push_back(reply->success
                           ? "answers a call"
                           : "answers a call (with an error: " + printable(reply->error, 80) + ")");
  }

  void broken_frame() {
    if (!begin("a frame that is no JSON"))
      return faults_.push_back("it does not start a second time");
    const auto frame = wire::encode_frame(session_->framing(), R"({"id": 2, "command": "echo", )");
    const After then = session_->send(*frame, std::min(kSilence, session_->limit()));
    if (then == After::answered) virtues_.emplace_back("answers a broken request with an error");
    if (then == After::ended)
      virtues_.push_back("ends without a word on a broken request (" + end_words() + ")");
    if (then == After::silent) virtues_.emplace_back("leaves a broken request unanswered");
  }

  void oversized_frame() {
    if (!begin("a frame of one byte too many")) return faults_.push_back("it does not start again");
    const After then = session_->send(oversized_header(session_->framing()),
                                      std::min(kSilence, session_->limit()));
    if (then == After::answered) virtues_.emplace_back("answers an oversized frame with an error");
    if (then == After::ended)
      virtues_.push_back("ends on an oversized frame (" + end_words() + ")");
    if (then == After::silent)
      virtues_.emplace_back(
          "waits for an oversized frame's payload (it has no limit of its own, or a higher one)");
    still_usable_ = false;
  }

  void end_of_input() {
    if (!begin("the end of input")) return faults_.push_back("it does not start again");
    const After then = session_->close_stdin(session_->limit());
    if (then == After::ended)
      return virtues_.push_back("ends at the end of input (" + end_words() + ")");
    faults_.push_back(
        fmt::format("it does not end within {} ms of the end of its input", arguments_.timeout_ms));
  }

  [[nodiscard]] std::string end_words() const {
    return host::words(session_->exit_status().value_or(ExitStatus{}));
  }

  const ProbeArguments& arguments_;
  Time zero_;
  std::optional<Session> session_;
  bool still_usable_ = true;
  std::vector<std::string> faults_;
  std::vector<std::string> virtues_;
};

}  // namespace

int probe(const ProbeArguments& arguments) {
  host::sys::ignore_sigpipe();
  if (const auto found = host::find_program(arguments.command.front()); !found) {
    return bad_input("probe: " + found.error().message +
                     "; the path of a program, or its name on the PATH");
  }
  return Probe(arguments).run();
}

}  // namespace poolproof::cli
