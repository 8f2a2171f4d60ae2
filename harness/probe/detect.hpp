#pragma once

#include <optional>
#include <string>

#include "harness/probe/session.hpp"

namespace poolproof::probe {

/// What the user has said of how the worker speaks; the rest must be found out.
struct SpeechHints {
  std::optional<wire::Wire> wire;
  std::optional<wire::Speech> speech;
  /// Payloads are any bytes: greeting finds out nothing, so prefix is assumed
  bool opaque = false;
};

/// Finds out on which wire and in which speech the worker answers a greeting, by trying candidates,
/// each on a fresh process; what the worker writes decides which come next. Returns the settings
/// with the wire and the speech that were found; else with those that its output comes nearest to;
/// else, if it wrote nothing, with the first that were tried. `say` gets one line about what was
/// found. Takes up to 20 s for a worker that reads all of them and is silent, or objects, and then
/// `limit` for each likely one.
Settings detect(Settings settings, const SpeechHints& hints, const std::string& token,
                const Say& say);

}  // namespace poolproof::probe
