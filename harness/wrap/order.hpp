#pragma once

#include <cstdint>
#include <deque>
#include <string>
#include <string_view>
#include <variant>

#include "fake_workers/journal.hpp"
#include "harness/base/clock.hpp"
#include "harness/base/outcome.hpp"

namespace poolproof::wrap {

// What the machine wants done, besides moving bytes, in this order.

struct StartWorker {
  bool operator==(const StartWorker&) const = default;
};
/// Writes a text to our own stderr.
struct SayAside {
  std::string text;
  bool operator==(const SayAside&) const = default;
};
/// Sends the signal to this very process, with its default disposition. A deadly one ends the
/// worker first.
struct RaiseSignal {
  int signal = 0;
  bool operator==(const RaiseSignal&) const = default;
};
/// Ends this very process with that status, and the worker too if it lives. It is the last order.
struct End {
  ExitStatus status;
  bool operator==(const End&) const = default;
};
/// CloseOutput and CloseInput close our stdout and stdin: the client finds that stream closed.
struct CloseOutput {
  bool operator==(const CloseOutput&) const = default;
};
struct CloseInput {
  bool operator==(const CloseInput&) const = default;
};
/// Ends the worker's input, when the worker has taken everything that it was sent.
struct EndWorkerInput {
  bool operator==(const EndWorkerInput&) const = default;
};
struct SignalWorker {
  int signal = 0;
  bool operator==(const SignalWorker&) const = default;
};
/// Leaves a process behind that holds our three streams for that time. Its pid goes into the
/// journal.
struct HoldStreams {
  Duration lifetime{0};
  bool operator==(const HoldStreams&) const = default;
};

/// The digest of the request that the next journal record is about; it goes into the same line.
struct Digest {
  std::uint64_t value = 0;
  bool operator==(const Digest&) const = default;
};

/// The signal that ended the worker, which the next journal record tells; it goes into the same
/// line.
struct EndedBy {
  int signal = 0;
  bool operator==(const EndedBy&) const = default;
};

using Order =
    std::variant<StartWorker, SayAside, RaiseSignal, End, CloseOutput, CloseInput, EndWorkerInput,
                 SignalWorker, HoldStreams, Digest, EndedBy, faults::JournalRecord>;

/// A queue of bytes for the client and of orders: an order is due when all bytes before it have
/// been taken. Bytes go out whole, or in chunks with a pause after each.
class OrderQueue {
 public:
  void put(std::string bytes, std::size_t chunk_bytes = 0, Duration gap = Duration{0});
  void put(Order order);

  /// The bytes that are to be written at this time, in one write.
  [[nodiscard]] std::string_view due(Time now) const;
  void taken(std::size_t bytes, Time now);
  /// Drops all bytes, because the client reads no more.
  void drop_bytes();
  /// Moves the orders that are due into `into`.
  void collect(std::deque<Order>& into);

  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// When bytes will be due again; kNever: some are due already, or there are none.
  [[nodiscard]] Time next_deadline(Time now) const;

 private:
  struct Item {
    std::string bytes;
    std::size_t chunk_bytes = 0;
    Duration gap{0};
    std::optional<Order> order = {};
  };

  std::deque<Item> items_;
  std::size_t bytes_ = 0;
  std::size_t offset_ = 0;      ///< how much of the first item has been taken
  std::size_t chunk_left_ = 0;  ///< how much of the chunk under way is left; 0: none is under way
  Time not_before_ = Time::min();
};

}  // namespace poolproof::wrap
