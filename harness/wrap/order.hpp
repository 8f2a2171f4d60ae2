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

// What the machine wants done beside moving bytes, in order.

struct StartWorker {
  bool operator==(const StartWorker&) const = default;
};
/// To our own stderr.
struct SayAside {
  std::string text;
  bool operator==(const SayAside&) const = default;
};
/// The signal goes to this very process, with its default disposition. A deadly one takes the
/// worker along first.
struct RaiseSignal {
  int signal = 0;
  bool operator==(const RaiseSignal&) const = default;
};
/// Ends this very process so, and the worker with it if it lives. The last order.
struct End {
  ExitStatus status;
  bool operator==(const End&) const = default;
};
/// The client finds the stream that it reads, or writes, closed.
struct CloseOutput {
  bool operator==(const CloseOutput&) const = default;
};
struct CloseInput {
  bool operator==(const CloseInput&) const = default;
};
/// The worker finds the end of its input. All that it was to be told has been taken.
struct EndWorkerInput {
  bool operator==(const EndWorkerInput&) const = default;
};
struct SignalWorker {
  int signal = 0;
  bool operator==(const SignalWorker&) const = default;
};
/// A process holds our three streams for so long. Its pid is to be noted in the journal.
struct HoldStreams {
  Duration lifetime{0};
  bool operator==(const HoldStreams&) const = default;
};

/// Of the request that the next record is about: the journal tells it, too.
struct Digest {
  std::uint64_t value = 0;
  bool operator==(const Digest&) const = default;
};

using Order =
    std::variant<StartWorker, SayAside, RaiseSignal, End, CloseOutput, CloseInput, EndWorkerInput,
                 SignalWorker, HoldStreams, Digest, faults::JournalRecord>;

/// Bytes for the client and orders, one after the other: an order is due when all bytes before it
/// were taken. Bytes go out whole, or in chunks with a pause after each.
class Lane {
 public:
  void put(std::string bytes, std::size_t chunk_bytes = 0, Duration gap = Duration{0});
  void put(Order order);

  /// What is to be written now, in one write.
  [[nodiscard]] std::string_view due(Time now) const;
  void taken(std::size_t bytes, Time now);
  /// The client takes nothing any more.
  void drop_bytes();
  /// Moves the orders that are due.
  void collect(std::deque<Order>& into);

  [[nodiscard]] bool empty() const { return items_.empty(); }
  [[nodiscard]] std::size_t bytes() const { return bytes_; }
  /// When there is something to be written again; kNever: now, or nothing is there.
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
  std::size_t offset_ = 0;      ///< of the first item, what was taken
  std::size_t chunk_left_ = 0;  ///< of the chunk under way; 0: none is
  Time not_before_ = Time::min();
};

}  // namespace poolproof::wrap
