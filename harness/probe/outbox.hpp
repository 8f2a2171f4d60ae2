#pragma once

#include <algorithm>
#include <cstddef>
#include <string>
#include <string_view>
#include <utility>

namespace poolproof::probe {

/// What is still to be written to a worker: requests and, behind them, answers to what it asked.
/// Nothing is put into the middle of a request that is sent in pieces. Pure.
class Outbox {
 public:
  /// A piece of a request; the first one begins it.
  void piece(std::string_view bytes) {
    if (!torn_) from_ = end();
    torn_ = true;
    queue_ += bytes;
    to_ = end();
  }
  /// The last piece of a request, which may be all of it.
  void request(std::string_view bytes) {
    piece(bytes);
    whole();
  }
  /// Ends the request: no further piece follows.
  void whole() {
    torn_ = false;
    answer(std::exchange(held_, {}));
  }
  void answer(std::string_view frames) { (torn_ ? held_ : queue_) += frames; }

  [[nodiscard]] std::string_view pending() const { return std::string_view(queue_).substr(begun_); }
  void wrote(std::size_t bytes) {
    begun_ += bytes;
    written_ += bytes;
    if (begun_ < queue_.size()) return;
    queue_.clear();
    begun_ = 0;
  }

  /// The size of the last request.
  [[nodiscard]] std::size_t request_bytes() const { return to_ - from_; }
  /// How much of the last request the worker has not read, if its pipe holds `unread` bytes.
  [[nodiscard]] std::size_t request_left(std::size_t unread) const {
    return to_ - std::clamp(written_ - std::min(unread, written_), from_, to_);
  }
  /// How many bytes of answers are not written yet.
  [[nodiscard]] std::size_t answers_pending() const {
    return pending().size() + held_.size() - request_left(0);
  }

 private:
  [[nodiscard]] std::size_t end() const { return written_ + pending().size(); }

  std::string queue_;
  std::size_t begun_ = 0;    ///< how much of the queue has been written
  std::size_t written_ = 0;  ///< how many bytes have been written since the beginning
  std::size_t from_ = 0;     ///< the last request's begin and end, counted like written_
  std::size_t to_ = 0;
  bool torn_ = false;
  std::string held_;  ///< answers that wait for the end of the request
};

}  // namespace poolproof::probe
