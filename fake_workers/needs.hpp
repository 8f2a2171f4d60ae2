#pragma once

#include <string>

#include "fake_workers/catalogue.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::faults {

/// What the messages between a client and a real worker are like, where replies are to be spoilt.
struct Between {
  wire::Framing framing = {};
  bool json = true;          ///< payloads are JSON objects with an id
  bool says_success = true;  ///< replies have the member `success`
  bool says_goodbye = true;  ///< there is a request that asks a worker to exit
};

/// Why the fault can't strike between these two, and what would help, as half a sentence that
/// follows the fault's name. Empty: it can strike.
std::string cannot_strike(const Fault& fault, const Between& between);

/// Whether the fault can strike at the answer to a greeting, which is all ASCII.
bool can_strike_at_greeting(const Fault& fault);
/// Whether a fake worker can show the fault on that wire.
bool can_strike_on(const Fault& fault, wire::Wire wire);
/// The wires on which the fault can be shown, for people: `prefix, varint, headers`.
std::string wires_of(const Fault& fault);

}  // namespace poolproof::faults
