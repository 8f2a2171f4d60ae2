#pragma once

#include <string>

#include "fake_workers/catalogue.hpp"
#include "harness/wire/framing.hpp"

namespace poolproof::faults {

/// What crosses between a client and a real worker, whose replies are to be spoilt.
struct Between {
  wire::Framing framing = {};
  bool json = true;          ///< payloads are JSON objects with an id
  bool says_success = true;  ///< replies have the member `success`
  bool says_goodbye = true;  ///< there is a request on which a worker is to exit
};

/// Why the fault can't strike there and what would do, as half a sentence that follows its name.
/// Empty: it can.
std::string cannot_strike(const Fault& fault, const Between& between);

/// It can strike at the answer to a greeting, which is all ASCII.
bool can_strike_at_greeting(const Fault& fault);
/// A fake worker can show it on that wire.
bool can_strike_on(const Fault& fault, wire::Wire wire);
/// The wires on which it can, for people: `prefix, varint, headers`.
std::string wires_of(const Fault& fault);

}  // namespace poolproof::faults
