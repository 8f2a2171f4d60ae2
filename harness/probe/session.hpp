#pragma once

#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <string_view>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/host/worker.hpp"
#include "harness/pool/event.hpp"
#include "harness/pool/requests.hpp"
#include "harness/probe/outbox.hpp"
#include "harness/probe/stream.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/wire_log.hpp"

namespace poolproof::probe {

struct Settings {
  std::vector<std::string> command;  ///< the worker's command line; not empty
  wire::Framing framing;
  wire::Speech speech = wire::Speech::bridge;
  /// Payloads are any bytes: one frame back for each; no greeting, no goodbye
  bool opaque = false;
  Duration limit = std::chrono::seconds(5);  ///< how long each answer is waited for
  pid_t guardian = 0;                        ///< the one process below us that is not a worker's
  /// A log of what all processes say, one after the other; or null
  std::shared_ptr<wire::WireLog> wire_log = {};

  [[nodiscard]] pool::WireOptions wire() const {
    return {framing, opaque, wire::Codec::json, speech};
  }
};

/// Prints a piece of the time line at once.
using Say = std::function<void(std::string_view)>;

/// What became of the worker after something was sent to it.
enum class After : std::uint8_t {
  answered,          ///< as many whole messages came as were waited for
  wrote_no_message,  ///< bytes came that are no message, or not a whole one
  ended,             ///< the process has ended
  closed,            ///< its stdout has ended and the process lives
  asks_on,           ///< it asks, and does not read very many of our answers
  silent,            ///< nothing came
};

/// What a worker that does not answer does, as the system shows it.
struct Silence {
  std::size_t left = 0;       ///< bytes of the request that it has not read
  std::size_t answers = 0;    ///< bytes of answers to what it asked that its stdin has no room for
  bool closed_stdin = false;  ///< it has closed its stdin, so it can read nothing more
  Activity activity;
};

/// What was heard of a worker, without what it may say unasked, and what is known at the time.
struct Heard : Messages {
  After after = After::silent;
  std::string rest;        ///< what came behind the messages; the first 4 MiB
  bool under_way = false;  ///< the rest may be the beginning of something that it may say unasked
  bool stalled = false;    ///< the rest may be such a beginning, but has not become whole in time
  bool closed = false;     ///< its stdout has ended
  std::size_t sent = 0;    ///< how many bytes it was to read
  std::optional<ExitStatus> exit;  ///< how the process ended
  std::string stderr_tail;         ///< the end of its stderr, at most 4 KiB
  Silence silence;

  [[nodiscard]] std::string bytes() const { return framed + rest; }
  /// Whether more came than `wanted` messages, apart from what it may say unasked.
  [[nodiscard]] bool more_than(std::size_t wanted) const {
    return frames.size() > wanted || stalled || (!rest.empty() && !under_way);
  }
  /// Adds what the same worker said later.
  void add(Heard later);
};

/// What a worker does that sends back what it gets: to be read after "it". `echoed`: all that came;
/// `answers`: there was more than the echo.
std::string echo_words(const wire::Framing& framing, std::string_view echoed, bool answers);

/// One worker process outside any pool, and the time line of all that crosses its pipes. Its
/// process group is gone when the session is.
class Session {
 public:
  /// `token` marks the worker's environment for the guardian; the time line counts from `zero`.
  /// `settings` must outlive the session.
  Session(const Settings& settings, std::string token, Time zero, Say say)
      : settings_(settings),
        token_(std::move(token)),
        zero_(zero),
        say_(std::move(say)),
        stream_(settings.wire()) {}
  ~Session() { put_away(kLeavingLimit); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Expected<void, std::string> start();

  /// Sends the init ping, and returns the evidence that a pool would gather. Cause none: the worker
  /// is good. `once_read`: how long to wait for a worker that has read the ping and written
  /// nothing.
  pool::StartEvidence greet(std::optional<Duration> once_read = {});
  /// Why what it wrote at the init ping is no reply; empty: nothing is known.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  /// What the process did while it was greeted.
  [[nodiscard]] const Silence& greeting_silence() const { return greeting_silence_; }
  /// The beginning of what it wrote at the init ping.
  [[nodiscard]] const std::string& greeting() const { return greeting_; }
  /// What it does, to be read after "it", if it first sends back the ping itself; empty: it does
  /// not.
  [[nodiscard]] std::string echo() const;
  /// How long it took from the start of its process to its good answer.
  [[nodiscard]] Duration start_time() const { return start_time_; }

  /// Writes raw bytes, the last of a request, while it reads what comes, until `frames` messages
  /// are there, bytes came that begin none, the worker has ended, or `patience` is over. No bytes:
  /// the request before is whole.
  Heard ask(std::string_view bytes, Duration patience, std::size_t frames = 1);
  /// Writes a piece of a request and waits until the worker has read it. False: not within
  /// `patience`. What comes meanwhile is heard by the next call.
  bool write_piece(std::string_view bytes, Duration patience = kPieceLimit);
  /// Waits until the worker has read all that was written. False: not within `patience`.
  bool wait_until_read(Duration patience = kPieceLimit);
  /// Sends nothing and listens: until something comes that the worker must not say, or `span` is
  /// over and a message that had begun is whole.
  Heard listen(Duration span);
  /// Listens for the whole `span`, whatever comes: things that belong together may come in pieces.
  Heard hear_out(Duration span);
  /// Reads until the worker has ended, or `patience` is over. What it writes on its way out answers
  /// nothing.
  Heard wait_for_end(Duration patience);
  /// The beginning of what it wrote on its way out.
  [[nodiscard]] const std::string& last_words() const { return last_words_; }
  /// Sends and reads nothing. Returns whether the worker ends within that time.
  bool ends_within(Duration span);
  void close_stdin();
  void signal(int number);
  /// Whether the time line shows only the beginning of each message, because many say the same.
  void show_briefly(bool briefly) { briefly_ = briefly; }

  [[nodiscard]] std::optional<ExitStatus> exit_status() const;
  [[nodiscard]] std::string stderr_tail() const { return worker_->stderr_tail.text(); }
  [[nodiscard]] std::uint64_t stderr_bytes() const { return worker_->stderr_tail.total_bytes(); }

  /// How long processes that a worker leaves behind have to end by themselves, by default.
  static constexpr Duration kLeavingLimit = std::chrono::seconds(1);
  /// Ends what is left of the worker and reaps it. Returns the commands of processes that are still
  /// there `patience` later, if the worker had ended by itself or its group was killed.
  std::vector<std::string> put_away(Duration patience);

 private:
  /// A piece of a request that the worker has not read by then is left in the pipe.
  static constexpr Duration kPieceLimit = std::chrono::milliseconds(200);

  void note(const std::string& what) const;
  void note_hidden();
  void note_end(ExitStatus status);
  void cross(bool written, std::string_view bytes);
  [[nodiscard]] std::string shown(std::string_view bytes) const;
  /// Writes and reads until `done()` is true, the worker ends, or `until`. True: it has ended.
  template <class Done>
  bool pump(Time until, Heard& heard, const Done& done);
  void finish(Heard& heard);
  Heard begin();
  void conclude(Heard& heard);
  void read_some();
  void write_some();
  [[nodiscard]] Silence silence() const;
  void wait(Time until, bool stdout_open, bool wants_to_write);

  const Settings& settings_;
  std::string token_;
  Time zero_;
  Say say_;
  std::string ping_;
  std::string greeting_;  ///< the beginning of what it wrote at the init ping
  std::string reason_;
  Silence greeting_silence_;
  Duration start_time_{};
  std::shared_ptr<host::Worker> worker_;
  Stream stream_;
  Outbox outbox_;
  bool open_ = true;      ///< its stdout is open
  bool leaving_ = false;  ///< it is on its way out: its output is of no more interest
  std::string last_words_;
  bool end_noted_ = false;
  bool takes_input_ = true;
  bool briefly_ = false;
  int reads_ = 0;
  std::size_t hidden_bytes_ = 0;
};

}  // namespace poolproof::probe
