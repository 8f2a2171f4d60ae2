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
constexpr std::size_t kShownText = 120;
/// How many bytes of each message are shown when many say the same.
constexpr std::size_t kShownOfMany = 30;
/// How many reads and writes of one test are shown; the rest are only counted.
constexpr int kShownReads = 6;
/// How many reads are made in a row: a worker that floods us must not hide the time from us.
constexpr int kReadsInARow = 16;
constexpr Duration kPostmortem = 500ms;
constexpr Duration kLook = 10ms;
constexpr std::size_t kTailBytes = 4096;
/// How long the rest of a message, or room for answers, is waited for.
constexpr Duration kRestLimit = 1s;
/// Like a pool, the session keeps no more bytes than these of answers that the worker does not
/// read.
constexpr std::size_t kAnswersMostBytes = std::size_t{1} << 20U;
/// How often to look whether a worker has read its ping.
constexpr Duration kReadLook = 20ms;

void keep(std::string& kept, std::string_view bytes) {
  kept.append(bytes.substr(0, kKeptBytes - std::min(kKeptBytes, kept.size())));
}

/// This name makes a greeting longer than 127 and shorter than 256 bytes: only then do a length of
/// one byte and a varint differ.
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

pool::StartEvidence Session::greet(std::optional<Duration> once_read) {
  const pool::WireOptions wire = settings_.wire();
  const Time begun = host::sys::now();
  worker_->watch_activity(begun);
  if (!wire.greets()) return {};
  ping_ = wire::encode_frame(wire.framing, wire.row().greeting(kWorkerName, host::sys::timestamp()))
              .value_or("");
  pool::Handshake handshake(
      *worker_, wire, ping_, after(begun, settings_.limit), kPostmortem, host::sys::now,
      [&] {
        note("no answer: its stdin is closed now, to see what comes out");
        greeting_silence_ = silence();
        if (settings_.wire_log)
          settings_.wire_log->say("the client closed its end", host::sys::now());
        worker_->close_stdin();
      },
      [this](bool written, std::string_view bytes) {
        cross(written, bytes);
        written ? stream_.sent(bytes) : keep(greeting_, bytes);
      });
  handshake.exchange();
  Time read_at = once_read ? Time(kNever) : Time(begun);
  while (!handshake.evidence()) {
    Time look = kNever;
    if (read_at == kNever) look = after(host::sys::now(), kReadLook);
    if (once_read && read_at != kNever && greeting_.empty()) look = after(read_at, *once_read);
    wait(std::min(look, handshake.next_deadline()), handshake.wants_to_read(),
         handshake.wants_to_write());
    if (const auto ended = exit_status()) {
      handshake.process_ended(*ended);
      continue;
    }
    handshake.exchange();
    const Time now = host::sys::now();
    if (read_at == kNever && !handshake.wants_to_write() && worker_->unread().value_or(1) == 0)
      read_at = now;
    if (once_read && greeting_.empty() && now >= after(read_at, *once_read)) handshake.hurry(now);
    handshake.tick();
  }
  start_time_ = host::sys::now() - begun;
  reason_ = handshake.reason();
  if (worker_->stdin_open()) greeting_silence_ = silence();
  if (const auto ended = exit_status()) note_end(*ended);
  worker_->drain_stderr();
  note_hidden();
  return *handshake.evidence();
}

std::string Session::echo() const {
  const std::string_view first = std::string_view(greeting_).substr(0, ping_.size());
  const std::size_t header = wire::header_of(settings_.framing, ping_.size()).size();
  const std::string_view ping = wire::whole_frame(settings_.framing, ping_).payload;
  std::string_view behind = greeting_;
  // Behind a terminal that echoes, cat sends everything back twice.
  for (;;) {
    const wire::WholeFrame whole = wire::whole_frame(settings_.framing, behind);
    if (whole.bytes == 0 || !wire::same_message(whole.payload, ping)) break;
    behind.remove_prefix(whole.bytes);
  }
  const bool is_whole = behind.size() < greeting_.size();
  if (!is_whole && (first.size() <= header || !ping_.starts_with(first))) return "";
  return echo_words(settings_.framing, is_whole ? greeting_ : "", is_whole && !behind.empty());
}

std::string echo_words(const wire::Framing& framing, std::string_view echoed, bool answers) {
  // A terminal turns LF into CR LF.
  const bool terminal = framing.by_lines() && echoed.find("\r\n") != std::string_view::npos;
  return terminal || answers
             ? "gives back what it is sent before it answers, as a terminal (pty) does that echoes"
             : "gives back what it is sent, as cat does, so it is no worker";
}

template <class Done>
bool Session::pump(Time until, Heard& heard, const Done& done) {
  for (bool ended = false;;) {
    stream_.take(heard);
    outbox_.answer(stream_.take_owed());
    const bool asks_on = outbox_.answers_pending() > kAnswersMostBytes;
    if (ended || asks_on || done() || host::sys::now() >= until) return ended;
    write_some();
    wait(until, open_, takes_input_ && !outbox_.pending().empty());
    ended = exit_status().has_value();  // looked at before its last output is read, not after
    read_some();
  }
}

Heard Session::ask(std::string_view bytes, Duration patience, std::size_t frames) {
  if (bytes.empty()) {
    outbox_.whole();
  } else {
    outbox_.request(bytes);
  }
  write_some();
  Heard heard = begin();
  const bool ended = pump(after(host::sys::now(), patience), heard,
                          [&] { return heard.frames.size() >= frames || stream_.broken(); });
  heard.sent = bytes.empty() ? 0 : outbox_.request_bytes();
  if (heard.frames.size() >= frames) {
    heard.after = After::answered;
  } else if (stream_.broken()) {
    heard.after = After::wrote_no_message;
  } else if (ended) {
    heard.after = After::ended;
  } else if (outbox_.answers_pending() > kAnswersMostBytes) {
    heard.after = After::asks_on;
  } else {
    heard.after = !open_                   ? After::closed
                  : stream_.rest().empty() ? After::silent
                                           : After::wrote_no_message;
  }
  conclude(heard);
  return heard;
}

Heard Session::listen(Duration span) {
  Heard heard = begin();
  const auto is_noisy = [&] { return !heard.frames.empty() || stream_.is_noise(); };
  const bool ended = pump(after(host::sys::now(), span), heard, is_noisy);
  if (!ended && !is_noisy()) finish(heard);
  conclude(heard);
  return heard;
}

Heard Session::hear_out(Duration span) {
  Heard heard = begin();
  if (!pump(after(host::sys::now(), span), heard, [] { return false; })) finish(heard);
  conclude(heard);
  return heard;
}

bool Session::ends_within(Duration span) {
  const Time until = after(host::sys::now(), span);
  while (!exit_status() && host::sys::now() < until) wait(until, false, false);
  // What it said on stderr before it ended may be unread.
  worker_->stderr_open = worker_->stderr_open && worker_->drain_stderr();
  return exit_status().has_value();
}

Heard Session::wait_for_end(Duration patience) {
  leaving_ = true;
  Heard heard = begin();
  (void)pump(after(host::sys::now(), patience), heard, [] { return false; });
  conclude(heard);
  return heard;
}

/// Waits for the rest of a message that had begun when the time was over.
void Session::finish(Heard& heard) {
  const std::uint64_t before = stream_.count();
  const auto is_whole = [&] {
    const bool part = stream_.under_way() && stream_.count() == before;
    return !part && outbox_.answers_pending() == 0;
  };
  if (is_whole()) return;
  (void)pump(after(host::sys::now(), kRestLimit), heard, is_whole);
  heard.stalled = stream_.under_way() && stream_.count() == before;
}

Heard Session::begin() {
  worker_->watch_activity(host::sys::now());
  return {};
}

void Session::conclude(Heard& heard) {
  heard.exit = exit_status();
  if (heard.exit) note_end(*heard.exit);
  heard.rest = stream_.rest().substr(0, kKeptBytes);
  heard.under_way = stream_.under_way();
  heard.closed = !open_;
  heard.stderr_tail = stderr_tail();
  heard.silence = silence();
  note_hidden();
  if (heard.after != After::silent) return;
  const bool spoke = !heard.frames.empty() || stream_.is_noise() || heard.stalled;
  heard.after = spoke        ? After::wrote_no_message
                : heard.exit ? After::ended
                : !open_     ? After::closed
                             : After::silent;
}

void Heard::add(Heard later) {
  frames.insert(frames.end(), std::make_move_iterator(later.frames.begin()),
                std::make_move_iterator(later.frames.end()));
  framed += later.framed;
  unasked += later.unasked;
  unasked_bytes += later.unasked_bytes;
  echoes += later.echoes;
  rest = std::move(later.rest);
  under_way = later.under_way;
  stalled = later.stalled;
  closed = later.closed;
  exit = later.exit;
  stderr_tail = std::move(later.stderr_tail);
  silence = later.silence;
}

bool Session::write_piece(std::string_view bytes, Duration patience) {
  outbox_.piece(bytes);
  write_some();
  return wait_until_read(patience);
}

bool Session::wait_until_read(Duration patience) {
  const Time until = after(host::sys::now(), patience);
  const auto is_taken = [this] {
    return outbox_.pending().empty() && worker_->unread().value_or(0) == 0;
  };
  const auto may_be_taken = [this] { return !exit_status() && !worker_->nobody_reads(); };
  while (!is_taken() && may_be_taken() && host::sys::now() < until) {
    wait(after(host::sys::now(), kLook), false, false);
    read_some();
    write_some();
  }
  return is_taken();
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

/// Ends a test: says how much of what the worker wrote was not shown.
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

/// How bytes are shown: a frame of text as its header in hex and its text; others in both ways.
std::string Session::shown(std::string_view bytes) const {
  const bool length_first = settings_.framing.wire == wire::Wire::prefix;
  const std::string_view head = bytes.substr(0, length_first ? settings_.framing.prefix_bytes : 0);
  const std::string_view body = bytes.substr(head.size());
  const std::size_t most = briefly_ ? kShownOfMany : kShownText;
  if (is_text(bytes.substr(0, most)) && !length_first) return printable(bytes, most);
  if (is_text(head) || !is_text(body.substr(0, most))) return hex_and_text(bytes, kShownBytes);
  return fmt::format("{:02x} {}",
                     fmt::join(std::vector<unsigned char>(head.begin(), head.end()), " "),
                     printable(body, most));
}

void Session::read_some() {
  std::array<char, 65536> chunk{};
  for (int i = 0; open_ && i < kReadsInARow; ++i) {
    const auto got = host::sys::read(worker_->stdout_fd(), chunk);
    if (!got) return;
    open_ = *got > 0;
    if (!open_) return;
    cross(false, {chunk.data(), *got});
    leaving_ ? keep(last_words_, {chunk.data(), *got}) : stream_.push({chunk.data(), *got});
  }
}

void Session::write_some() {
  while (takes_input_ && !outbox_.pending().empty()) {
    const auto wrote = host::sys::write(worker_->stdin_fd(), outbox_.pending());
    if (!wrote) {
      takes_input_ = wrote.error() == EAGAIN;
      if (!takes_input_) note("it takes no input");
      return;
    }
    cross(true, outbox_.pending().substr(0, *wrote));
    stream_.sent(outbox_.pending().substr(0, *wrote));
    outbox_.wrote(*wrote);
  }
}

Silence Session::silence() const {
  const bool open = worker_->stdin_open();
  const std::size_t unread = open ? worker_->unread().value_or(0) : 0;
  return {outbox_.request_left(unread), outbox_.answers_pending(), open && worker_->nobody_reads(),
          worker_->activity()};
}

void Session::wait(Time until, bool stdout_open, bool wants_to_write) {
  std::array<pollfd, 4> fds{{{stdout_open ? worker_->stdout_fd() : -1, POLLIN, 0},
                             {worker_->pidfd(), POLLIN, 0},
                             {worker_->stderr_open ? worker_->stderr_fd() : -1, POLLIN, 0},
                             {wants_to_write ? worker_->stdin_fd() : -1, POLLOUT, 0}}};
  (void)host::sys::poll(fds, std::max<Duration>(until - host::sys::now(), 0ms));
  worker_->stderr_open = worker_->stderr_open && worker_->drain_stderr();
}

std::vector<std::string> Session::put_away(Duration patience) {
  if (!worker_) return {};
  const bool by_itself = exit_status().has_value();
  if (!by_itself) (void)host::sys::signal_group(worker_->pid(), SIGKILL);
  // A process beside its group may wait for the end of its input, to leave by itself.
  worker_->close_stdin();
  // Until the leader is reaped, nobody else can have its group's number.
  const Time until = after(host::sys::now(), patience);
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
