#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "harness/guard/facts.hpp"
#include "harness/guard/finding.hpp"

/// The rules of `judge.cpp`'s table; each stands in a file of its own question.
namespace poolproof::guard {

void judge_survivors(const Facts& facts, Judgement& judgement);     // survivors.cpp
void judge_zombies(const Facts& facts, Judgement& judgement);       // survivors.cpp
void judge_host_end(const Facts& facts, Judgement& judgement);      // host_end.cpp
void judge_idle(const Facts& facts, Judgement& judgement);          // idle.cpp
void judge_descriptors(const Facts& facts, Judgement& judgement);   // descriptors.cpp
void judge_starts(const Facts& facts, Judgement& judgement);        // starts.cpp
void judge_at_most_once(const Facts& facts, Judgement& judgement);  // requests.cpp
void judge_reuse(const Facts& facts, Judgement& judgement);         // requests.cpp
void judge_leaving(const Facts& facts, Judgement& judgement);       // leaving.cpp
void judge_strikes(const Facts& facts, Judgement& judgement);       // strikes.cpp

/// What was seen of a worker's process; of one that was not, what its journal says.
Process process_of(const Facts& facts, const Incarnation& incarnation);

inline std::string seconds(Duration span) {
  return fmt::format("{}.{:01} s", to_ms(span) / 1000, to_ms(span) / 100 % 10);
}

}  // namespace poolproof::guard
