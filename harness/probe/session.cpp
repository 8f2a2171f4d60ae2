#include "harness/probe/session.hpp"

#include <array>
#include <csignal>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/host/child.hpp"
#include "harness/host/system.hpp"
#include "harness/pool/explain.hpp"
#include "harness/pool/handshake.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;

constexpr std::size_t kShownBytes = 32;
constexpr std::size_t kShownText = 200;
/// Of what the worker writes during one test this many reads are shown; the rest is counted.
constexpr int kShownReads = 8;
/// Reads in a row: a worker that floods us must not keep us from looking at the time.
constexpr int kReadsInARow = 16;
/// The time in which a worker may still end, or write more, after it has answered.
constexpr Duration kAfterthought = 200ms;
constexpr Duration kPostmortem = 500ms;
constexpr std::size_t kTailBytes = 4096;

}  // namespace

Expected<void, std::string> Session::start() {
  host::Command command{settings_.command, {"POOLPROOF_TOKEN=" + token_}, ""};
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

pool::StartEvidence Session::greet() {
  const nlohmann::json args{{"initialization", true}, {"worker_id", "probe"}};
  const wire::Framing& framing = settings_.framing;
  ping_ = wire::encode_frame(framing, wire::encode_request(0, "ping", args, host::sys::timestamp()))
              .value_or("");
  const Time deadline = after(host::sys::now(), settings_.limit);
  pool::Handshake handshake(
      *worker_, framing, ping_, deadline, kPostmortem,
      [this] {
        note("no answer: its stdin is closed now, to see what comes out");
        worker_->close_stdin();
      },
      [this](bool written, std::string_view bytes) { cross(written, bytes); });
  handshake.exchange(host::sys::now());
  while (!handshake.evidence()) {
    wait(handshake.next_deadline(), !handshake.stdout_ended());
    if (const auto ended = exit_status()) {
      handshake.process_ended(*ended, host::sys::now());
    } else {
      handshake.exchange(host::sys::now());
      handshake.tick(host::sys::now());
    }
  }
  if (const auto ended = exit_status()) note_end(*ended);
  worker_->drain_stderr();
  note_hidden();
  return *handshake.evidence();
}

bool Session::echoes(const pool::StartEvidence& evidence) const {
  const std::string_view first(evidence.first.data(), evidence.first_size);
  return first.size() > settings_.framing.prefix_bytes && ping_.starts_with(first);
}

After Session::send(std::string_view bytes, Duration patience, std::string* reply) {
  if (const auto wrote = host::sys::write(worker_->stdin_fd(), bytes)) {
    cross(true, bytes.substr(0, *wrote));
  } else {
    note("it takes no input");
  }
  const After then = listen(patience, reply);
  note_hidden();
  return then;
}

After Session::close_stdin(Duration patience) {
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

After Session::linger() {
  const After then = listen(kAfterthought, nullptr);
  note_hidden();
  return then;
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
  if (hidden_bytes_ > 0) note(fmt::format("<- and {} bytes more", hidden_bytes_));
  hidden_bytes_ = 0;
  reads_ = 0;
}

void Session::note_end(ExitStatus status) {
  if (!std::exchange(end_noted_, true)) note("it " + pool::words(status));
}

void Session::cross(bool written, std::string_view bytes) {
  if (!written && ++reads_ > kShownReads) {
    hidden_bytes_ += bytes.size();
    return;
  }
  note(fmt::format("{} {:>6} bytes  {}", written ? "->" : "<-", bytes.size(), shown(bytes)));
}

/// A frame of text as its header in hex and its text; other bytes in both ways.
std::string Session::shown(std::string_view bytes) const {
  const std::string_view head = bytes.substr(0, settings_.framing.prefix_bytes);
  const std::string_view body = bytes.substr(head.size());
  if (is_text(head) || !is_text(body.substr(0, kShownText)))
    return hex_and_text(bytes, kShownBytes);
  return fmt::format("{:02x} {}",
                     fmt::join(std::vector<unsigned char>(head.begin(), head.end()), " "),
                     printable(body, kShownText));
}

After Session::listen(Duration patience, std::string* reply) {
  const Time until = after(host::sys::now(), patience);
  wire::FrameDecoder decoder(settings_.framing);
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

/// False: its stdout has ended.
bool Session::read_into(wire::FrameDecoder& decoder) {
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

void Session::wait(Time until, bool stdout_open) {
  std::array<pollfd, 3> fds{{{stdout_open ? worker_->stdout_fd() : -1, POLLIN, 0},
                             {worker_->pidfd(), POLLIN, 0},
                             {worker_->stderr_open ? worker_->stderr_fd() : -1, POLLIN, 0}}};
  (void)host::sys::poll(fds, std::max<Duration>(until - host::sys::now(), 0ms));
  worker_->stderr_open = worker_->stderr_open && worker_->drain_stderr();
}

void Session::put_away() {
  if (!worker_) return;
  (void)host::sys::signal_group(worker_->pid(), SIGKILL);
  (void)host::sys::reap(worker_->pidfd());
}

}  // namespace poolproof::probe
