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
  std::vector<std::string> command;  ///< the worker's; not empty
  wire::Framing framing;
  wire::Speech speech = wire::Speech::bridge;
  bool opaque = false;  ///< any bytes: one frame back for each; no greeting, and no goodbye
  Duration limit = std::chrono::seconds(5);  ///< for each answer
  pid_t guardian = 0;                        ///< the one process below us that is not the worker's
  std::shared_ptr<wire::WireLog> wire_log = {};  ///< of all processes, one after the other; or null

  [[nodiscard]] pool::WireOptions wire() const {
    return {framing, opaque, wire::Codec::json, speech};
  }
};

/// Prints a piece of the time line at once.
using Say = std::function<void(std::string_view)>;

/// What became of the worker after something was sent to it.
enum class After : std::uint8_t {
  answered,  ///< as many whole messages came as were waited for
  babbled,   ///< bytes came that are no message, or not a whole one
  ended,     ///< the process has ended
  closed,    ///< its stdout has ended and the process lives
  asks_on,   ///< it asks, and very many of the answers wait for it to read them
  silent,    ///< nothing came
};

/// What a worker that does not answer does, as the system shows it.
struct Silence {
  std::size_t left = 0;       ///< bytes of the request that it has not read
  std::size_t answers = 0;    ///< bytes of answers to what it asked that its stdin has no room for
  bool closed_stdin = false;  ///< it has closed its stdin, so it can read nothing more
  Activity activity;
};

/// What came, as far as nobody need expect it; and what else is known then.
struct Heard : Messages {
  After after = After::silent;
  std::string rest;                ///< what came behind the messages; the first 4 MiB
  bool under_way = false;          ///< that may be the beginning of what it may say unasked
  bool stalled = false;            ///< the same, and that has not become whole in time
  std::size_t sent = 0;            ///< bytes it was to read
  std::optional<ExitStatus> exit;  ///< ended
  std::string stderr_tail;         ///< at most 4 KiB
  Silence silence;

  [[nodiscard]] std::string bytes() const { return framed + rest; }
  /// More came than `wanted` messages, what it may say unasked, and what may begin that.
  [[nodiscard]] bool more_than(std::size_t wanted) const {
    return frames.size() > wanted || stalled || (!rest.empty() && !under_way);
  }
  /// What came later, of the same worker.
  void add(Heard later);
};

/// What who gives back what it is sent does, to be read after "it". `echoed` is all that came,
/// and `answers` whether more than the echo did.
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

  /// The init ping, with the evidence a pool would gather. Cause none: the worker is good. With
  /// `once_read`, who has read it and written nothing is not waited for any longer than that.
  pool::StartEvidence greet(std::optional<Duration> once_read = {});
  /// Why what it wrote at the init ping is no reply; empty: nothing is known.
  [[nodiscard]] const std::string& reason() const { return reason_; }
  /// What the process did in the meantime.
  [[nodiscard]] const Silence& greeting_silence() const { return greeting_silence_; }
  /// The beginning of what it wrote at the init ping.
  [[nodiscard]] const std::string& greeting() const { return greeting_; }
  /// What it does, to be read after "it", if the first bytes it wrote are the ping itself; else
  /// empty.
  [[nodiscard]] std::string echo() const;
  /// From the start of its process to its good answer.
  [[nodiscard]] Duration start_time() const { return start_time_; }

  /// Writes raw bytes, the last of a request, while it reads what comes, until `frames` messages
  /// are there, bytes came that begin none, the worker has ended, or `patience` is over. No bytes:
  /// the request before is whole.
  Heard ask(std::string_view bytes, Duration patience, std::size_t frames = 1);
  /// Writes a piece of a request and waits until the worker has taken it. Whether it has, within
  /// `patience`. What comes meanwhile is heard by who asks next.
  bool write_piece(std::string_view bytes, Duration patience = kPieceLimit);
  /// Nothing is sent: until anything comes that nobody should say, or `span` is over and what it
  /// was saying then is whole.
  Heard listen(Duration span);
  /// The same, whatever comes: what belongs together may come in pieces.
  Heard hear_out(Duration span);
  /// Reads on until it has ended, or `patience` is over. Whatever it writes on its way out is no
  /// answer to anything.
  Heard wait_for_end(Duration patience);
  void close_stdin();
  void signal(int number);
  /// Whether the time line shows just the beginning of each message: many say the same.
  void show_briefly(bool briefly) { briefly_ = briefly; }

  [[nodiscard]] std::optional<ExitStatus> exit_status() const;
  [[nodiscard]] std::string stderr_tail() const { return worker_->stderr_tail.text(); }
  [[nodiscard]] std::uint64_t stderr_bytes() const { return worker_->stderr_tail.total_bytes(); }

  /// What a worker leaves behind has so long to end by itself, if nobody says otherwise.
  static constexpr Duration kLeavingLimit = std::chrono::seconds(1);
  /// Ends what is left of it and reaps it. The commands of the processes that a worker that had
  /// ended by itself, or whose group was killed, left behind and that are there `patience` later.
  std::vector<std::string> put_away(Duration patience);

 private:
  /// A piece of a request that was not taken by then is left in the pipe.
  static constexpr Duration kPieceLimit = std::chrono::milliseconds(200);

  void note(const std::string& what) const;
  void note_hidden();
  void note_end(ExitStatus status);
  void cross(bool written, std::string_view bytes);
  [[nodiscard]] std::string shown(std::string_view bytes) const;
  /// Writes and reads until `done()`, its end, or `until`. True: it has ended.
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
  bool open_ = true;      ///< its stdout
  bool leaving_ = false;  ///< what it writes is of no interest any more
  bool end_noted_ = false;
  bool takes_input_ = true;
  bool briefly_ = false;
  int reads_ = 0;
  std::size_t hidden_bytes_ = 0;
};

}  // namespace poolproof::probe
