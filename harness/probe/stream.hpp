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

/// The most bytes that are kept of what a worker wrote.
inline constexpr std::size_t kKeptBytes = std::size_t{4} << 20U;

/// Whole messages in the order in which they came, without those that a worker may say unasked.
struct Messages {
  std::vector<std::string> frames;  ///< their payloads; of very many the first ones
  std::string framed;               ///< the same messages as they came, headers and ends included
  std::uint64_t unasked = 0;        ///< how many messages it said unasked
  std::uint64_t unasked_bytes = 0;  ///< the size of the unasked messages
  std::uint64_t echoes = 0;         ///< how many of the frames repeat a request that it was sent
};

/// All that one worker writes after its good answer to the greeting, cut into messages. It lives as
/// long as the worker: part of a message waits for its rest, whoever asks then. Pure.
class Stream {
 public:
  explicit Stream(const pool::WireOptions& wire) : wire_(wire), sent_(wire.framing) {}

  /// Notes what is written to the worker: if it says the same, that is an echo and no question.
  void sent(std::string_view bytes);
  void push(std::string_view bytes);
  /// Moves the whole messages behind those in `messages`. What the worker asked is then owed an
  /// answer.
  void take(Messages& messages);

  /// What came behind the last whole message.
  [[nodiscard]] std::string_view rest() const { return buffer_; }
  /// The rest begins no message: nothing behind it can be read.
  [[nodiscard]] bool broken() const { return broken_; }
  /// The rest may be the beginning of what a worker may say unasked.
  [[nodiscard]] bool under_way() const;
  /// The rest can't be the beginning of what a worker may say unasked.
  [[nodiscard]] bool is_noise() const { return !buffer_.empty() && !under_way(); }
  /// How many whole messages of any kind have come so far.
  [[nodiscard]] std::uint64_t count() const { return count_; }

  /// The answers that have become due since the last call, as frames.
  [[nodiscard]] std::string take_owed() { return std::exchange(owed_, {}); }

 private:
  [[nodiscard]] bool passes_over(std::string_view payload, Messages& messages);

  pool::WireOptions wire_;
  wire::FrameDecoder sent_;  ///< cuts what is sent, until that is no frame
  /// Requests that were sent, in a form that is the same for equal JSON
  std::unordered_set<std::string> requests_;
  std::string buffer_;
  std::string owed_;
  bool broken_ = false;
  std::uint64_t count_ = 0;
};

}  // namespace poolproof::probe
