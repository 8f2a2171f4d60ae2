#pragma once

#include <string>

#include "harness/cli/commands.hpp"
#include "harness/search/sweep.hpp"

/// What a sweep and a sum of its shards both print.
namespace poolproof::cli {

double seconds(Duration span);
/// How many a second; 0 if there was no time.
double per_second(std::uint64_t count, Duration span);

/// Each kind of failure, and what shows it again. `out`: where the failures' files are; empty: they
/// have their folders with them.
void print_failures(const search::SweepState& state, const std::string& out);

/// Its second part of a line: the runs that were made twice, and the hash of their traces.
std::string repeated_words(const search::SweepState& state);

/// The rates of one process in each codec.
void print_rates(const search::SweepState& state);

/// What somebody else's kills have cost, if there were any.
void print_kills(const search::SweepState& state);

/// The cells and marks that a whole sweep reached and did not reach.
void print_reached(const search::SweepState& state);

/// Prints what the coverage alone proves wrong: a cell was struck that can't be; after so many
/// scenarios, some were not that can. Returns whether there is such a thing.
bool print_broken_coverage(const search::SweepState& state);

void print_proved_nothing(const search::SweepState& state);

/// The options of a sweep for those that shrink what it found: what is said, and when they stop.
void say_what_is_shrunk(const std::string& signature);

}  // namespace poolproof::cli
