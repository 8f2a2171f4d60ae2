#pragma once

#include <cstdint>
#include <string>
#include <string_view>
#include <unordered_set>
#include <utility>
#include <vector>

#include "harness/pool/requests.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::probe {

/// Of what came no more is kept, wherever it is kept.
inline constexpr std::size_t kKeptBytes = std::size_t{4} << 20U;

/// Whole messages in the order in which they came, but for those that a worker may say unasked.
struct Messages {
  std::vector<std::string> frames;  ///< their payloads; of very many the first ones
  std::string framed;               ///< the same messages as they came, headers and ends included
  std::uint64_t unasked = 0;        ///< how many were passed over
  std::uint64_t unasked_bytes = 0;  ///< of these
  std::uint64_t echoes = 0;         ///< of the frames, those that are a request that it was sent
};

/// All that one worker writes, from its good answer to the greeting on, cut into messages. It lives
/// as long as the worker: what came in part is there when the rest comes, whoever asks then. Pure.
class Stream {
 public:
  explicit Stream(const pool::WireOptions& wire) : wire_(wire), sent_(wire.framing) {}

  /// What is written to it. Whatever it asks in the same words is no question, and has no answer.
  void sent(std::string_view bytes);
  void push(std::string_view bytes);
  /// Moves the whole messages that are there behind those in `messages`. What the worker asked is
  /// owed an answer from then on.
  void take(Messages& messages);

  /// What came behind the last whole message.
  [[nodiscard]] std::string_view rest() const { return buffer_; }
  /// It begins no message: nothing behind it can be read.
  [[nodiscard]] bool broken() const { return broken_; }
  /// It may be the beginning of what a worker may say unasked.
  [[nodiscard]] bool under_way() const;
  /// It can be nothing of that kind.
  [[nodiscard]] bool is_noise() const { return !buffer_.empty() && !under_way(); }
  /// Whole messages of any kind, so far.
  [[nodiscard]] std::uint64_t count() const { return count_; }

  /// The answers that have become due since the last look, as frames.
  [[nodiscard]] std::string take_owed() { return std::exchange(owed_, {}); }

 private:
  [[nodiscard]] bool passes_over(std::string_view payload, Messages& messages);

  pool::WireOptions wire_;
  wire::FrameDecoder sent_;                   ///< until something is written that is no frame
  std::unordered_set<std::string> requests_;  ///< that were sent, in the form that JSON equals have
  std::string buffer_;
  std::string owed_;
  bool broken_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace poolproof::probe
