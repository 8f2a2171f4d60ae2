#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/oracle/view.hpp"

namespace poolproof::oracle {

/// One client of the scenario (of a counted one: one of them) and what it did.
struct ClientSteps {
  const scenario::Client* client = nullptr;
  std::uint32_t which = 1;  ///< of a counted one, from 1
  /// In the view; kNone: one of a counted client that did nothing.
  std::uint32_t number = kNone;
  std::span<const std::uint32_t> history;  ///< places in trace.clients

  /// `a`, or `a.1`, `a.2`... when there are several.
  [[nodiscard]] std::string name() const;
};

/// All of them, in the order of the scenario. Points into the evidence and the view.
Table<ClientSteps> clients_of(const Evidence& evidence, const View& view);

/// The places in trace.clients of the steps of clients that the scenario does not have. (The client
/// without a name is the harness.)
std::vector<std::uint32_t> strangers(const Table<ClientSteps>& known, const View& view);

}  // namespace poolproof::oracle
