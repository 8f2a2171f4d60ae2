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
#include "harness/wire/framing.hpp"

namespace poolproof::probe {

struct Settings {
  std::vector<std::string> command;  ///< the worker's; not empty
  wire::Framing framing;
  Duration limit = std::chrono::seconds(5);  ///< for each answer
};

/// Prints a piece of the time line at once.
using Say = std::function<void(std::string_view)>;

/// What became of the worker after something was sent to it.
enum class After : std::uint8_t { answered, babbled, ended, closed, silent };

/// One worker process outside any pool, and the time line of all that crosses its pipes. Its
/// process group is gone when the session is; processes that left the group are the guardian's.
class Session {
 public:
  /// `token` marks the worker's environment for the guardian; the time line counts from `zero`.
  /// `settings` must outlive the session.
  Session(const Settings& settings, std::string token, Time zero, Say say)
      : settings_(settings), token_(std::move(token)), zero_(zero), say_(std::move(say)) {}
  ~Session() { put_away(); }
  Session(const Session&) = delete;
  Session& operator=(const Session&) = delete;

  Expected<void, std::string> start();

  /// The init ping, with the evidence a pool would gather. Cause none: the worker is good.
  pool::StartEvidence greet();

  /// Whether the first bytes it wrote are the ping itself.
  [[nodiscard]] bool echoes(const pool::StartEvidence& evidence) const;

  /// Writes raw bytes and reads on until a whole frame has come, the worker has ended, or nothing
  /// more comes.
  After send(std::string_view bytes, Duration patience, std::string* reply = nullptr);
  After close_stdin(Duration patience);
  /// Gives it a moment to end, or to write more than it should.
  After linger();

  [[nodiscard]] std::optional<ExitStatus> exit_status() const;
  [[nodiscard]] std::string stderr_tail() const { return worker_->stderr_tail.text(); }
  /// How many bytes came with the last reply and belong to none.
  [[nodiscard]] std::size_t surplus_bytes() const { return surplus_bytes_; }

 private:
  void note(const std::string& what) const;
  void note_hidden();
  void note_end(ExitStatus status);
  void cross(bool written, std::string_view bytes);
  [[nodiscard]] std::string shown(std::string_view bytes) const;
  After listen(Duration patience, std::string* reply);
  bool read_into(wire::FrameDecoder& decoder);
  void wait(Time until, bool stdout_open);
  void put_away();

  const Settings& settings_;
  std::string token_;
  Time zero_;
  Say say_;
  std::string ping_;
  std::shared_ptr<host::Worker> worker_;
  bool end_noted_ = false;
  int reads_ = 0;
  std::size_t hidden_bytes_ = 0;
  std::size_t surplus_bytes_ = 0;
};

}  // namespace poolproof::probe
