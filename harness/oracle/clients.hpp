#pragma once

#include <string>
#include <vector>

#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {

/// One client of the scenario (of a counted one: one of them) and what it did.
struct ClientSteps {
  const scenario::Client* client = nullptr;
  std::string name;  ///< `a`, or `a.1`, `a.2`... when there are several
  std::vector<const trace::ClientStep*> history;
};

/// All of them, in the order of the scenario. Points into the evidence.
std::vector<ClientSteps> clients_of(const Evidence& evidence);

/// The steps of clients that the scenario does not have. (The client without a name is the
/// harness.)
std::vector<trace::ClientStep> strangers(const Evidence& evidence);

}  // namespace poolproof::oracle
