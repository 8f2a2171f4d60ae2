#include "harness/search/explore_tree.hpp"

#include <algorithm>
#include <bit>
#include <utility>

#include "harness/base/assert.hpp"

namespace poolproof::search {
namespace {

using sim::Task;
using Move = OrderTree::Move;

static_assert(OrderTree::kReadyMost < 32, "one bit each");

constexpr std::uint32_t bit(std::uint32_t place) {
  return std::uint32_t{1} << place;
}

void lay(const Move& last, std::uint32_t sleeper, Move& next) {
  const auto end = next.tasks.begin() + next.ready;
  const auto found = std::find(next.tasks.begin(), end, last.tasks[sleeper]);
  POOLPROOF_ASSERT(found != end);  // no move in between touched what makes the sleeper ready
  const auto place = static_cast<std::uint32_t>(found - next.tasks.begin());
  next.asleep |= bit(place);
  next.touched[place] = last.touched[sleeper];
}

/// Puts tasks to sleep when `next` is made: those that slept or had been tried at `last`, unless
/// the move made there conflicts with theirs.
void put_to_sleep(const Move& last, Move& next) {
  const std::uint32_t candidates = (last.asleep | last.tried) & ~bit(last.chosen);
  for (std::uint32_t i = 0; i < last.ready; ++i) {
    if ((candidates & bit(i)) == 0 || last.touched[i].conflicts(last.touches)) continue;
    lay(last, i, next);
  }
}

/// Chooses the first task that neither sleeps nor has been tried. False: there is none.
bool choose(Move& move) {
  move.chosen = static_cast<std::uint32_t>(std::countr_one(move.asleep | move.tried));
  if (move.chosen >= move.ready) return false;
  move.touched[move.chosen] = {};
  return true;
}

/// Lets the same task draw something else, or another task move. False: everything has been tried.
bool turn(Move& move) {
  move.touched[move.chosen].add(move.touches);
  for (; move.draws > 0; --move.draws) {
    const std::uint32_t last = move.draws - 1;
    if (++move.drawn[last] < move.bounds[last]) return true;
  }
  move.tried |= bit(move.chosen);
  return choose(move);
}

}  // namespace

void EveryOrder::begin() {
  tree_.length = tree_.taken = 0;
  tree_.under_way = tree_.again = tree_.unled = false;
  tree_.rested = true;
}

void EveryOrder::move_ended() {
  if (std::exchange(tree_.under_way, false)) tree_.moves[tree_.length - 1].touches = footprint;
}

std::uint32_t EveryOrder::pick(std::span<const Task> ready) {
  footprint = {};
  for (std::uint32_t i = 0; i < ready.size(); ++i) {
    if (std::ranges::find(in_vain, ready[i]) != in_vain.end()) return i;
  }
  if (tree_.unled || tree_.again) return 0;
  if (tree_.length >= tree_.fixed && !add_move(ready)) return 0;
  Move& move = tree_.moves[tree_.length++];
  POOLPROOF_ASSERT(
      std::equal(ready.begin(), ready.end(), move.tasks.begin(), move.tasks.begin() + move.ready));
  // Until the move has ended its footprint is unknown: it may end in a crash.
  move.touches.writes_all();
  tree_.draw = 0;
  tree_.under_way = true;
  tree_.rested = false;
  return move.chosen;
}

/// False: the run goes on, but in the plainest order.
bool EveryOrder::add_move(std::span<const Task> ready) {
  if (tree_.length == OrderTree::kMovesMost || ready.size() > OrderTree::kReadyMost) {
    tree_.unled = tree_.incomplete = true;
    return false;
  }
  Move& move = tree_.moves[tree_.length];
  move.ready = static_cast<std::uint32_t>(ready.size());
  move.asleep = move.tried = move.draws = 0;
  std::copy(ready.begin(), ready.end(), move.tasks.begin());
  if (!tree_.rested) put_to_sleep(tree_.moves[tree_.length - 1], move);
  tree_.again = !choose(move);
  return !tree_.again;
}

std::uint32_t EveryOrder::below(std::uint32_t bound) {
  if (!tree_.under_way) return 0;
  Move& move = tree_.moves[tree_.length - 1];
  if (tree_.draw < move.draws) return move.drawn[tree_.draw++];
  if (move.draws == OrderTree::kDrawsMost || bound > UINT8_MAX) {
    tree_.incomplete = true;
    return 0;
  }
  move.drawn[move.draws] = 0;
  move.bounds[move.draws] = static_cast<std::uint8_t>(bound);
  tree_.draw = ++move.draws;
  return 0;
}

void EveryOrder::kept(std::uint32_t choice) {
  if (tree_.taken < OrderTree::kChoicesMost) tree_.choices[tree_.taken++] = choice;
}

bool turn(OrderTree& tree) {
  for (tree.fixed = tree.length; tree.fixed > 0; --tree.fixed) {
    if (turn(tree.moves[tree.fixed - 1])) return true;
  }
  return false;
}

}  // namespace poolproof::search
