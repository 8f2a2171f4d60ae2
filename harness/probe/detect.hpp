#pragma once

#include <optional>
#include <string>

#include "harness/probe/session.hpp"

namespace poolproof::probe {

/// What the user has said of how the worker speaks; the rest is to be found out.
struct Asked {
  std::optional<wire::Wire> wire;
  std::optional<wire::Speech> speech;
  bool opaque = false;  ///< any bytes: nothing can be found out by greeting, so prefix is assumed
};

/// Finds out on which wire and in which speech the worker answers a greeting, by trying one after
/// the other on a fresh process each; what it writes says which come next. Gives the settings as
/// they were, with the wire and the speech that were found, or with those to which what it wrote
/// comes nearest, or with the first that were tried if it wrote nothing. `say` is told what was
/// found, in one line. Takes up to 20 s, and four times `limit`, for who is silent on all of them.
Settings detect(Settings settings, const Asked& asked, const std::string& token, const Say& say);

}  // namespace poolproof::probe
