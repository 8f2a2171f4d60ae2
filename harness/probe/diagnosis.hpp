#pragma once

#include <string>
#include <vector>

#include "harness/probe/tests.hpp"

/// What was found out about a worker, put into sentences. Pure.
namespace poolproof::probe {

struct Diagnosis {
  std::vector<std::string> faults;   ///< why no pool can use it
  std::vector<std::string> quirks;   ///< what a pool can live with
  std::vector<std::string> virtues;  ///< what is as it should be
  std::string text;                  ///< all of it, in one to three lines
};

Diagnosis diagnose(const Results& results, const Settings& settings);

}  // namespace poolproof::probe
