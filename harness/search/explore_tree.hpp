#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness/sim/agenda.hpp"
#include "harness/sim/footprint.hpp"

namespace poolproof::search {

/// The position of an exploration in the tree of all orders of one scenario: the moves of its last
/// run, and what has been tried in place of each. Plain memory, so that another process can go on
/// from it. All zero: nothing has been run.
struct OrderTree {
  static constexpr std::size_t kMovesMost = 512;
  static constexpr std::size_t kReadyMost = 12;
  static constexpr std::size_t kDrawsMost = 4;
  static constexpr std::size_t kChoicesMost = 2048;

  struct Move {
    std::uint32_t ready;   ///< the number of tasks that could move
    std::uint32_t chosen;  ///< the index of the task that moved
    /// One bit a task: a run that begins with its move equals one tried before.
    std::uint32_t asleep;
    std::uint32_t tried;  ///< one bit a task: its move has been tried, with all that can follow
    std::uint32_t draws;  ///< the number of draws in this move
    std::array<std::uint8_t, kDrawsMost> drawn;
    std::array<std::uint8_t, kDrawsMost> bounds;
    std::array<sim::Task, kReadyMost> tasks;
    /// All that each task touched in the moves of it that were tried.
    std::array<sim::Footprint, kReadyMost> touched;
    sim::Footprint touches;  ///< what the chosen move touched
  };

  std::uint32_t fixed;   ///< the number of moves of the last run with which the next one begins
  std::uint32_t length;  ///< the number of moves of the last run
  std::uint32_t draw;    ///< the index of the next draw in the move under way
  bool under_way;        ///< the last move has not ended yet
  bool rested;           ///< all tasks have come to rest since the last move
  bool again;            ///< the run would equal one tried before, and was broken off
  bool unled;            ///< the run is larger than this memory and goes on in the plainest order
  bool incomplete;       ///< some run was too large: not every order is tried
  std::uint32_t taken;   ///< the number of choices in the last run's schedule
  std::array<std::uint32_t, kChoicesMost> choices;
  std::array<Move, kMovesMost> moves;
};

/// Leads each run to an order that has not been tried: a depth-first search with sleep sets
/// (Godefroid, "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter
/// 5). For every run that the simulated world can make of a scenario, the search makes and judges
/// one that writes the same trace, byte for byte. The proof:
///
///  1. Two successive moves of different tasks that do not conflict (see footprint.hpp) can be
///     exchanged: each does the same, and the world after both is the same. What the witnesses
///     write is part of the world: two tasks that write into the same history conflict. So runs
///     that such exchanges turn into each other write the same trace and get the same verdict.
///  2. Suppose that everything that can follow a first move of task t has been tried, and another
///     task moves instead. Then t sleeps until a move conflicts with its own. A run in which t
///     moves while it sleeps can be turned, by exchanges, into a run in which t moved first, and
///     that has been tried. Where all ready tasks sleep, every continuation has been tried.
///  3. When no task is ready, time goes on: nothing before can be exchanged with anything after. No
///     task sleeps then, because a sleeping task is ready.
///  4. A move that draws (how long a start takes, whether pipes close before an exit shows) is
///     tried with every value that it can draw. Only then does its task sleep, with the footprints
///     of all these moves together.
///  5. A client may be ready although its condition has not come true. It looks and waits again at
///     once; this is no move, because it changes nothing else, and whatever makes the condition
///     true will wake the client.
///
/// explore_tree_test.cpp compares it with a search that knows nothing of all this.
class EveryOrder final : public sim::Moves {
 public:
  /// `tree` must outlive it.
  explicit EveryOrder(OrderTree& tree) : tree_(tree) {}

  void begin() override;
  void rest() override { tree_.rested = true; }
  void move_ended() override;
  [[nodiscard]] bool broken_off() const override { return tree_.again; }
  std::uint32_t pick(std::span<const sim::Task> ready) override;
  std::uint32_t below(std::uint32_t bound) override;
  void kept(std::uint32_t choice) override;

 private:
  bool add_move(std::span<const sim::Task> ready);

  OrderTree& tree_;
};

/// Turns to the next run, even after one that ended in the middle of a move. False: there is none.
bool turn(OrderTree& tree);

}  // namespace poolproof::search
