#pragma once

#include <string>
#include <utility>

#include <fmt/format.h>

#include "harness/guard/facts.hpp"
#include "harness/guard/finding.hpp"

/// The rules of the table in `judge.cpp`; the file of each answers a question of its own.
namespace poolproof::guard {

void judge_survivors(const Facts& facts, Judgement& judgement);     // defined in survivors.cpp
void judge_zombies(const Facts& facts, Judgement& judgement);       // defined in survivors.cpp
void judge_host_end(const Facts& facts, Judgement& judgement);      // defined in host_end.cpp
void judge_idle(const Facts& facts, Judgement& judgement);          // defined in idle.cpp
void judge_descriptors(const Facts& facts, Judgement& judgement);   // defined in descriptors.cpp
void judge_starts(const Facts& facts, Judgement& judgement);        // defined in starts.cpp
void judge_at_most_once(const Facts& facts, Judgement& judgement);  // defined in requests.cpp
void judge_reuse(const Facts& facts, Judgement& judgement);         // defined in requests.cpp
void judge_leaving(const Facts& facts, Judgement& judgement);       // defined in leaving.cpp
void judge_strikes(const Facts& facts, Judgement& judgement);       // defined in strikes.cpp

/// What was seen of a worker's process; null: no look has seen it.
const Process* seen_of(const Facts& facts, const Incarnation& incarnation);
/// The same; if it was not seen, what its journal says.
Process process_of(const Facts& facts, const Incarnation& incarnation);

inline std::string seconds(Duration span) {
  return fmt::format("{}.{:01} s", to_ms(span) / 1000, to_ms(span) / 100 % 10);
}

}  // namespace poolproof::guard
