#pragma once

#include <string>
#include <vector>

#include "harness/cli/commands.hpp"
#include "harness/search/sweep.hpp"

/// What a sweep and a sum of its shards both print.
namespace poolproof::cli {

double seconds(Duration span);
/// How many a second; 0 if the span is zero.
double per_second(std::uint64_t count, Duration span);

/// Prints each kind of failure and the command that shows it again. `out`: the folder of the
/// failures' files; empty: their names have their folders with them.
void print_failures(const search::SweepState& state, const std::string& out);

/// A part of a line: how many runs were made twice, and the hash of their traces; may be empty.
std::string repeated_words(const search::SweepState& state);

/// Prints how fast one process was in each codec.
void print_rates(const search::SweepState& state);

/// Prints how often processes were killed from outside, if any were, and what that has cost.
void print_kills(const search::SweepState& state);

/// Prints the cells and marks that a whole sweep reached and did not reach.
void print_reached(const search::SweepState& state);

/// What the coverage alone proves wrong, one sentence each: a cell that can't be struck was struck,
/// or one that can was not, after very many scenarios.
std::vector<std::string> broken_coverage(const search::SweepState& state);
/// Prints it. Returns whether there is any.
bool print_broken_coverage(const search::SweepState& state);

/// Prints how many kinds of failure have no file, although failures were to be shrunk.
void print_unshrunk(const search::SweepState& state);

void print_proved_nothing(const search::SweepState& state);

/// Prints that a failure with this signature is being shrunk.
void say_what_is_shrunk(const std::string& signature);

}  // namespace poolproof::cli
