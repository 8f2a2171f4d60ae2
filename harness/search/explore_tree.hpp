#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <span>

#include "harness/sim/agenda.hpp"
#include "harness/sim/footprint.hpp"

namespace poolproof::search {

/// Where in the tree of all orders of one scenario an exploration is: the moves of its last run,
/// and what has been tried instead of each. Plain memory, so that another process can go on from
/// it. All zero: nothing was run.
struct OrderTree {
  static constexpr std::size_t kMovesMost = 512;
  static constexpr std::size_t kReadyMost = 12;
  static constexpr std::size_t kDrawsMost = 4;
  static constexpr std::size_t kChoicesMost = 2048;

  struct Move {
    std::uint32_t ready;   ///< so many could have made it
    std::uint32_t chosen;  ///< which of them did
    std::uint32_t asleep;  ///< by bit: what begins with their move comes to what was tried before
    std::uint32_t tried;   ///< by bit: with all that can come after
    std::uint32_t draws;   ///< what else was open in this move
    std::array<std::uint8_t, kDrawsMost> drawn;
    std::array<std::uint8_t, kDrawsMost> bounds;
    std::array<sim::Task, kReadyMost> tasks;
    std::array<sim::Footprint, kReadyMost> touched;  ///< by whatever move they can make
    sim::Footprint touches;                          ///< by the one that was made
  };

  std::uint32_t fixed;   ///< the next run begins with so many moves of the last one
  std::uint32_t length;  ///< of the last run
  std::uint32_t draw;    ///< of the move under way: the next one
  bool under_way;        ///< the last move is
  bool rested;           ///< since then everything has come to rest
  bool again;            ///< the run would come to what was tried before, and was broken off
  bool unled;            ///< the run is larger than all this: it goes on in the plainest order
  bool incomplete;       ///< some run was: not every order is tried
  std::uint32_t taken;   ///< so many choices has the last run's schedule
  std::array<std::uint32_t, kChoicesMost> choices;
  std::array<Move, kMovesMost> moves;
};

/// Leads each run to where none has been: a depth-first search with sleep sets (Godefroid,
/// "Partial-Order Methods for the Verification of Concurrent Systems", 1996, chapter 5). Of every
/// run that the simulated world can make of a scenario, one is made, judged and not broken off that
/// writes the same trace, byte for byte. Why:
///
///  1. Two moves of different tasks that follow each other and do not conflict (see footprint.hpp)
///     can be exchanged: each does what it did, and the world after both is the same. What the
///     witnesses write is part of the world: who writes into the same history conflicts. So runs
///     that such exchanges turn into each other write the same trace and get the same verdict.
///  2. Once all that can follow when task t moves first has been tried, and another task moves
///     instead, t sleeps until somebody's move conflicts with its own. A run in which it moves
///     while it sleeps can be turned, by exchanges, into one in which it moved first: that has been
///     tried. Where all who are ready sleep, every way on has been.
///  3. When nobody is ready, time goes on: nothing before can be exchanged with what comes after.
///     Nobody sleeps then, for who sleeps is ready.
///  4. A move that draws (how long a start takes, whether pipes close before an exit shows) is
///     tried with all that it can draw; its task sleeps only then, and with all that it touched.
///  5. A client that is ready though what it waits for has not come true looks at once, and this is
///     no move: nothing changes but that it waits, and whatever it waits for will wake it.
///
/// explore_tree_test.cpp holds it against the search that knows nothing of all this.
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

/// To the next run, also behind one that ended in the middle of a move. False: there is none.
bool turn(OrderTree& tree);

}  // namespace poolproof::search
