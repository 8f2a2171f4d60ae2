#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>
#include <vector>

namespace poolproof::sim {

/// Things that moves of different tasks may both touch. Each has a number, too: of a client, a
/// worker...
enum class Shared : std::uint8_t {
  core,         ///< the Core, the pool's trace, what explains a refusal
  starts,       ///< workers that are to be started
  places,       ///< which worker is where
  pids,         ///< the next process id
  closed,       ///< whether the pool is closed
  moments,      ///< the moments of workers that clients may wait for
  records,      ///< the clients' history
  journal,      ///< the journal of all workers
  environment,  ///< what was done to workers from outside
  order,        ///< an order, by its place among the Core's orders
  ticket,       ///< the ticket of a client
  client,       ///< all that belongs to one client
  progress,     ///< one step of a client has begun or ended: never taken back
  in,           ///< a worker's stdin
  out,          ///< a worker's stdout
  err,          ///< a worker's stderr, and what is kept of it
  work,         ///< all that belongs to one process
  state,        ///< whether the process runs, and is reaped
  kept,         ///< what the pool and the holder keep of the worker
  wake          ///< whether its caller was woken from elsewhere
};

/// What one move has read and written, each thing one bit. Things that share a bit count as the
/// same: so two moves may be taken to conflict that do not.
class Footprint {
 public:
  void reads(Shared what, std::uint32_t number) { set(read_, what, number); }
  void writes(Shared what, std::uint32_t number) { set(written_, what, number); }
  void writes_all() { written_.fill(~std::uint64_t{0}); }

  /// Whether one of the moves writes what the other touches, so that their order may matter.
  [[nodiscard]] bool conflicts(const Footprint& other) const {
    std::uint64_t both = 0;
    for (std::size_t i = 0; i < kWords; ++i) {
      both |= written_[i] & (other.read_[i] | other.written_[i]);
      both |= read_[i] & other.written_[i];
    }
    return both != 0;
  }
  void add(const Footprint& other) {
    for (std::size_t i = 0; i < kWords; ++i) {
      read_[i] |= other.read_[i];
      written_[i] |= other.written_[i];
    }
  }

 private:
  static constexpr std::size_t kWords = 4;
  using Bits = std::array<std::uint64_t, kWords>;

  struct Range {
    std::uint32_t first;
    std::uint32_t count;
  };
  static constexpr Range range(Shared what) {
    const auto kind = static_cast<std::uint32_t>(what);
    constexpr auto kOrder = static_cast<std::uint32_t>(Shared::order);
    constexpr auto kIn = static_cast<std::uint32_t>(Shared::in);
    if (kind < kOrder) return {kind, 1};
    if (what == Shared::order) return {16, 32};
    if (what == Shared::ticket) return {48, 8};
    if (what == Shared::client) return {56, 8};
    if (what == Shared::progress) return {64, 64};
    return {128 + 16 * (kind - kIn), 16};
  }
  static void set(Bits& bits, Shared what, std::uint32_t number) {
    const Range range = Footprint::range(what);
    const std::uint32_t bit = range.first + number % range.count;
    bits[bit / 64] |= std::uint64_t{1} << (bit % 64);
  }

  Bits read_{};
  Bits written_{};
};

/// Somebody who decides move by move what happens next, instead of a Schedule's own source, and is
/// told what each move touched. What a move does, and whether its task is ready, depends only on
/// what the move reads or writes: so two moves of different tasks that follow each other and do not
/// conflict could as well come in the other order, and would touch the same and lead to the same
/// world.
///
/// For this reason a footprint does not say which task makes which other one ready. The agenda
/// follows from the rest: what changes a worker ends in Worker::look(), which says anew which tasks
/// of the worker are ready, and a client or the pool becomes ready with what it waits for (its
/// ticket, an order). The exception is a client that is cancelled while it calls: the next look()
/// forgets that, and so it is Shared::wake.
class Moves {
 public:
  Moves() = default;
  Moves(const Moves&) = delete;
  Moves& operator=(const Moves&) = delete;
  virtual ~Moves() = default;

  /// A run begins.
  virtual void begin() = 0;
  /// Nobody is ready: all that has been done comes before all that will be done.
  virtual void rest() = 0;
  /// The move under way, if any, is over.
  virtual void move_ended() = 0;
  /// The run is of no more interest.
  [[nodiscard]] virtual bool broken_off() const = 0;
  /// An index of `ready`: who makes the next move.
  virtual std::uint32_t pick(std::span<const std::uint32_t> ready) = 0;
  /// One of [0, bound), as part of the move under way. Requires: bound > 1.
  virtual std::uint32_t below(std::uint32_t bound) = 0;
  /// The Schedule's next choice was that.
  virtual void kept(std::uint32_t choice) = 0;

  Footprint footprint;  ///< what the move under way has touched
  /// Clients that wait for what has not come true. Should one of them be ready, its move changes
  /// nothing but that it no longer is.
  std::vector<std::uint32_t> in_vain;
};

}  // namespace poolproof::sim
