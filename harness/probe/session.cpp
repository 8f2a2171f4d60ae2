#include "harness/probe/session.hpp"

#include <array>
#include <cerrno>
#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/host/census.hpp"
#include "harness/host/child.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"
#include "harness/pool/handshake.hpp"
#include "harness/wire/misframing.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShownBytes = 32;
constexpr std::size_t kShownText = 200;
/// Of what crosses during one test this many reads and writes are shown; the rest is counted.
constexpr int kShownReads = 8;
/// Reads in a row: a worker that floods us must not keep us from looking at the time.
constexpr int kReadsInARow = 16;
constexpr Duration kPostmortem = 500ms;
/// A piece of a request that was not taken by then is left in the pipe.
constexpr Duration kPieceLimit = 200ms;
/// What a worker leaves behind has so long to end by itself.
constexpr Duration kLeavingLimit = 1s;
constexpr Duration kLook = 10ms;
constexpr std::size_t kTailBytes = 4096;
constexpr std::size_t kKeptBytes = std::size_t{4} << 20U;

void keep(std::string& kept, std::string_view bytes) {
  kept.append(bytes.substr(0, kKeptBytes - std::min(kKeptBytes, kept.size())));
}

/// With it a greeting has more than 127 and less than 256 bytes: so a length of one byte and a
/// varint are told apart.
constexpr std::string_view kWorkerName = "the one worker that poolproof probe looks at";

}  // namespace

Expected<void, std::string> Session::start() {
  host::Command command{settings_.command, {"POOLPROOF_TOKEN=" + token_}, ""};
  for (char** entry = environ; *entry != nullptr; ++entry) {
    if (!std::string_view(*entry).starts_with("POOLPROOF_TOKEN=")) {
      command.env.emplace_back(*entry);
    }
  }
  const bool channel = wire::row_of(settings_.framing.wire).on_channel;
  auto child = host::launch(command, {.channel = channel});
  if (!child) return unexpected(child.error().message);
  worker_ = std::make_shared<host::Worker>(WorkerId{}, std::move(*child), kTailBytes);
  note(fmt::format("started, pid {}", worker_->pid()));
  if (settings_.wire_log) {
    settings_.wire_log->begin(settings_.framing);
    settings_.wire_log->say(fmt::format("a worker was started on the wire {}, pid {}",
                                        wire::row_of(settings_.framing.wire).name, worker_->pid()),
                            host::sys::now());
  }
  return {};
}

pool::StartEvidence Session::greet() {
  const pool::WireOptions wire = settings_.wire();
  const Time begun = host::sys::now();
  worker_->watch_activity(begun);
  if (!wire.greets()) return {};
  ping_ = wire::encode_frame(wire.framing, wire.row().greeting(kWorkerName, host::sys::timestamp()))
              .value_or("");
  pool::Handshake handshake(
      *worker_, wire, ping_, after(begun, settings_.limit), kPostmortem,
      [&] {
        note("no answer: its stdin is closed now, to see what comes out");
        greeting_silence_ = silence(0);
        if (settings_.wire_log)
          settings_.wire_log->say("the client closed its end", host::sys::now());
        worker_->close_stdin();
      },
      [this](bool written, std::string_view bytes) {
        cross(written, bytes);
        if (!written) keep(greeting_, bytes);
      });
  handshake.exchange(host::sys::now());
  while (!handshake.evidence()) {
    wait(handshake.next_deadline(), !handshake.stdout_ended(), handshake.wants_to_write());
    if (const auto ended = exit_status()) {
      handshake.process_ended(*ended, host::sys::now());
    } else {
      handshake.exchange(host::sys::now());
      handshake.tick(host::sys::now());
    }
  }
  start_time_ = host::sys::now() - begun;
  reason_ = handshake.reason();
  if (worker_->stdin_open()) greeting_silence_ = silence(0);
  if (const auto ended = exit_status()) note_end(*ended);
  worker_->drain_stderr();
  note_hidden();
  return *handshake.evidence();
}

bool Session::echoes() const {
  const std::string_view first = std::string_view(greeting_).substr(0, ping_.size());
  const std::size_t header = wire::header_of(settings_.framing, ping_.size()).size();
  return first.size() > header && ping_.starts_with(first);
}

Heard Session::ask(std::string_view bytes, Duration patience, std::size_t frames) {
  const bool until_its_end = frames == kUntilItsEnd;
  const Time begun = host::sys::now();
  const Time until = after(begun, patience);
  worker_->watch_activity(begun);
  wire::FrameDecoder decoder(settings_.framing);
  Heard heard;
  heard.sent = bytes.size();
  bool open = true;
  for (bool over = false; !over;) {
    write_some(bytes);
    wait(until, open, !bytes.empty() && takes_input_);
    const auto ended = exit_status();  // before the last look at its output, not after
    open = open && read_into(decoder, heard);
    if (until_its_end) decoder.clear();
    auto frame = decoder.next();
    while (frame && *frame) {
      const bool unasked = passes_over(**frame, decoder.last_frame(), heard);
      if (!unasked && heard.frames.size() == frames) break;
      if (!unasked) heard.frames.emplace_back(**frame);
      if (heard.frames.size() == frames && !hears_unasked()) break;
      frame = decoder.next();
    }
    heard.surplus = decoder.buffered_bytes();
    over = true;
    // Part of what it may say unasked: the rest is on its way.
    const bool begun_one = hears_unasked() && heard.bytes == decoder.buffered() &&
                           wire::may_begin_message(settings_.framing, heard.bytes);
    if (!frame || (frames == 0 && !heard.bytes.empty() && !begun_one)) {
      heard.after = After::babbled;
    } else if (frames > 0 && heard.frames.size() == frames) {
      heard.after = After::answered;
    } else if (ended) {
      heard.after = After::ended;
    } else if (host::sys::now() >= until) {
      heard.after = !open ? After::closed : heard.bytes.empty() ? After::silent : After::babbled;
    } else {
      over = false;
    }
  }
  heard.exit = exit_status();
  if (heard.exit) note_end(*heard.exit);
  heard.stderr_tail = stderr_tail();
  heard.silence = silence(bytes.size());
  note_hidden();
  return heard;
}

/// What a worker says unasked is none of what was waited for; what it asks is answered.
bool Session::passes_over(std::string_view payload, std::string_view frame, Heard& heard) {
  if (!hears_unasked()) return false;
  const wire::Heard said = wire::row_of(settings_.speech).hear(payload, -1);
  if (said.kind == wire::Heard::Kind::asked) {
    const std::string answer = wire::encode_frame(settings_.framing, said.answer).value_or("");
    write_piece(answer);
  } else if (said.kind != wire::Heard::Kind::unasked) {
    return false;
  }
  const std::size_t at = heard.bytes.find(frame);
  if (at != std::string::npos) heard.bytes.erase(at, frame.size());
  return true;
}

void Session::write_piece(std::string_view bytes) {
  write_some(bytes);
  const Time until = after(host::sys::now(), kPieceLimit);
  while (host::sys::now() < until && !exit_status() && worker_->unread().value_or(0) > 0) {
    wait(after(host::sys::now(), kLook), false, false);
  }
}

void Session::close_stdin() {
  note("end of input");
  if (settings_.wire_log) settings_.wire_log->say("the client closed its end", host::sys::now());
  worker_->close_stdin();
  takes_input_ = false;
}

void Session::signal(int number) {
  note(fmt::format("SIG{}", sigabbrev_np(number)));
  worker_->signal_group(number);
}

std::optional<ExitStatus> Session::exit_status() const {
  const auto peeked = host::sys::peek_exit(worker_->pidfd());
  return peeked ? *peeked : std::nullopt;
}

void Session::note(const std::string& what) const {
  const auto us = (host::sys::now() - zero_).count();
  say_(fmt::format("{:>8}.{:03} ms  {}\n", us / 1000, us % 1000, what));
}

/// Closes a test: says how much of what the worker wrote was not shown.
void Session::note_hidden() {
  if (hidden_bytes_ > 0) note(fmt::format("and {} bytes more", hidden_bytes_));
  hidden_bytes_ = 0;
  reads_ = 0;
}

void Session::note_end(ExitStatus status) {
  if (!std::exchange(end_noted_, true)) note("it " + pool::words(status));
}

void Session::cross(bool written, std::string_view bytes) {
  if (settings_.wire_log) {
    using Way = wire::WireLog::Way;
    settings_.wire_log->note(written ? Way::to_worker : Way::to_client, bytes, host::sys::now());
  }
  if (++reads_ > kShownReads) {
    hidden_bytes_ += bytes.size();
    return;
  }
  note(fmt::format("{} {:>6} bytes  {}", written ? "->" : "<-", bytes.size(), shown(bytes)));
}

/// A frame of text as its header in hex and its text; other bytes in both ways.
std::string Session::shown(std::string_view bytes) const {
  const bool length_first = settings_.framing.wire == wire::Wire::prefix;
  const std::string_view head = bytes.substr(0, length_first ? settings_.framing.prefix_bytes : 0);
  const std::string_view body = bytes.substr(head.size());
  if (is_text(bytes.substr(0, kShownText)) && !length_first) return printable(bytes, kShownText);
  if (is_text(head) || !is_text(body.substr(0, kShownText)))
    return hex_and_text(bytes, kShownBytes);
  return fmt::format("{:02x} {}",
                     fmt::join(std::vector<unsigned char>(head.begin(), head.end()), " "),
                     printable(body, kShownText));
}

/// False: its stdout has ended.
bool Session::read_into(wire::FrameDecoder& decoder, Heard& heard) {
  std::array<char, 65536> chunk{};
  for (int i = 0; i < kReadsInARow; ++i) {
    const auto got = host::sys::read(worker_->stdout_fd(), chunk);
    if (!got) return true;
    if (*got == 0) return false;
    cross(false, {chunk.data(), *got});
    keep(heard.bytes, {chunk.data(), *got});
    decoder.push({chunk.data(), *got});
  }
  return true;
}

void Session::write_some(std::string_view& pending) {
  while (takes_input_ && !pending.empty()) {
    const auto wrote = host::sys::write(worker_->stdin_fd(), pending);
    if (!wrote) {
      takes_input_ = wrote.error() == EAGAIN;
      if (!takes_input_) note("it takes no input");
      return;
    }
    cross(true, pending.substr(0, *wrote));
    pending.remove_prefix(*wrote);
  }
}

Silence Session::silence(std::size_t unwritten) const {
  Silence seen;
  seen.unwritten = unwritten;
  if (worker_->stdin_open()) seen.unread = worker_->unread().value_or(0);
  seen.activity = worker_->activity();
  return seen;
}

void Session::wait(Time until, bool stdout_open, bool wants_to_write) {
  std::array<pollfd, 4> fds{{{stdout_open ? worker_->stdout_fd() : -1, POLLIN, 0},
                             {worker_->pidfd(), POLLIN, 0},
                             {worker_->stderr_open ? worker_->stderr_fd() : -1, POLLIN, 0},
                             {wants_to_write ? worker_->stdin_fd() : -1, POLLOUT, 0}}};
  (void)host::sys::poll(fds, std::max<Duration>(until - host::sys::now(), 0ms));
  worker_->stderr_open = worker_->stderr_open && worker_->drain_stderr();
}

std::vector<std::string> Session::put_away() {
  if (!worker_) return {};
  const bool by_itself = exit_status().has_value();
  if (!by_itself) (void)host::sys::signal_group(worker_->pid(), SIGKILL);
  // Until the leader is reaped its group's number is its own.
  const Time until = after(host::sys::now(), kLeavingLimit);
  std::vector<std::string> left;
  do {
    (void)host::sys::poll({}, kLook);
    worker_->stderr_open = worker_->stderr_open && worker_->drain_stderr();
    left.clear();
    for (const host::Marked& process : host::descendants(settings_.guardian)) {
      if (process.pid != worker_->pid()) left.push_back(process.command);
    }
  } while (!(left.empty() && exit_status()) && host::sys::now() < until);
  (void)host::sys::signal_group(worker_->pid(), SIGKILL);
  (void)host::sys::reap(worker_->pidfd());
  host::end_descendants(settings_.guardian);
  worker_.reset();
  return left;
}

}  // namespace poolproof::probe
