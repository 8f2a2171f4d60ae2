#pragma once

#include <span>
#include <string>
#include <vector>

#include "harness/oracle/view.hpp"

namespace poolproof::oracle {

/// One client of the scenario and what it did; of a client with a count: one of its copies.
struct ClientSteps {
  const scenario::Client* client = nullptr;
  std::uint32_t which = 1;  ///< which copy of a client with a count, from 1
  /// The client's number in the view; kNone: a copy that did nothing.
  std::uint32_t number = kNone;
  std::span<const std::uint32_t> history;  ///< its steps, as places in trace.clients

  /// The client's name in the trace: `a`, or `a.1`, `a.2`... when there are several copies.
  [[nodiscard]] std::string name() const;
};

/// All clients, in the order of the scenario. The result points into the evidence and the view.
Table<ClientSteps> clients_of(const Evidence& evidence, const View& view);

/// The places in trace.clients of the steps of clients that the scenario does not have. (The client
/// without a name is the harness.)
std::vector<std::uint32_t> strangers(const Table<ClientSteps>& known, const View& view);

}  // namespace poolproof::oracle
