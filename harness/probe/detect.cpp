#include "harness/probe/detect.hpp"

#include <algorithm>
#include <vector>

#include <fmt/format.h>

#include "harness/host/system.hpp"
#include "harness/wire/misframing.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::probe {
namespace {

using wire::Misframing;
using wire::Speech;
using wire::Wire;

struct Candidate {
  Wire wire;
  Speech speech;
  std::uint8_t prefix_bytes = 4;
  bool little_endian = false;
};

/// Who is silent may speak any of these; the others are tried once something hints at them.
const std::vector<Candidate> kUsual{{Wire::prefix, Speech::bridge},
                                    {Wire::lines, Speech::mcp},
                                    {Wire::headers, Speech::lsp},
                                    {Wire::lines, Speech::bridge}};

/// A child of Node's fork(). Few of them speak as bridges do.
constexpr Candidate kForked{Wire::node_ipc, Speech::bridge};

/// What to try next, after `bytes` came to a greeting on the usual wire.
std::vector<Candidate> hinted(const Settings& settings, const pool::StartEvidence& evidence,
                              const std::string& bytes) {
  if (bytes.empty()) {
    std::vector<Candidate> others(kUsual.begin() + 1, kUsual.end());
    // Who reads a few bytes and gives up at once takes them for another length.
    const bool gave_up =
        evidence.cause == StartCause::exited && evidence.unread_bytes < evidence.ping_bytes;
    if (gave_up) {
      others.push_back({Wire::prefix, Speech::bridge, 4, true});
      others.push_back({Wire::prefix, Speech::bridge, 2});
      others.push_back({Wire::varint, Speech::bridge});
      others.push_back({Wire::prefix, Speech::bridge, 8});
    }
    // Without its channel a child of fork() has nothing to wait for.
    if (evidence.cause == StartCause::exited) others.push_back(kForked);
    return others;
  }
  const auto suspicion = wire::suspect(settings.framing, bytes);
  if (!suspicion) return {};
  switch (suspicion->kind) {
    case Misframing::headers:
      return {{Wire::headers, Speech::lsp}, {Wire::headers, Speech::bridge}};
    case Misframing::json_line:
      return {{Wire::lines, Speech::mcp}, {Wire::lines, Speech::bridge}};
    case Misframing::varint:
      return {{Wire::varint, Speech::bridge}};
    case Misframing::little_endian:
      return {{Wire::prefix, Speech::bridge, 4, true}};
    case Misframing::other_prefix:
      return {{Wire::prefix, Speech::bridge, 2},
              {Wire::prefix, Speech::bridge, 1},
              {Wire::prefix, Speech::bridge, 8},
              {Wire::varint, Speech::bridge}};
    default:
      return {};
  }
}

Settings with(Settings settings, const Candidate& candidate) {
  settings.framing.wire = candidate.wire;
  settings.speech = candidate.speech;
  if (candidate.wire != Wire::prefix || candidate.prefix_bytes != 4 || candidate.little_endian) {
    settings.framing.prefix_bytes = candidate.prefix_bytes;
    settings.framing.little_endian = candidate.little_endian;
  }
  return settings;
}

std::string words(const Settings& settings) {
  std::string wire(wire::row_of(settings.framing.wire).name);
  if (settings.framing.wire == Wire::prefix) {
    wire += fmt::format(" of {} byte{}{}", settings.framing.prefix_bytes,
                        settings.framing.prefix_bytes == 1 ? "" : "s",
                        settings.framing.little_endian ? ", little-endian" : "");
  }
  return fmt::format("wire {}, speech {}", wire,
                     settings.opaque ? "opaque" : wire::row_of(settings.speech).name);
}

}  // namespace

Settings detect(Settings settings, const Asked& asked, const std::string& token, const Say& say) {
  if (asked.opaque) {
    settings.opaque = true;
    settings.framing.wire = asked.wire.value_or(settings.framing.wire);
    say(fmt::format("{} (as was said; nothing is found by trying)\n", words(settings)));
    return settings;
  }
  const auto fits = [&asked](const Candidate& candidate) {
    return asked.wire.value_or(candidate.wire) == candidate.wire &&
           asked.speech.value_or(candidate.speech) == candidate.speech;
  };
  std::vector<Candidate> waiting = kUsual;
  // What nobody tries by himself is what was asked for.
  const Candidate said{asked.wire.value_or(Wire::prefix), asked.speech.value_or(Speech::bridge),
                       settings.framing.prefix_bytes, settings.framing.little_endian};
  std::erase_if(waiting, [&fits](const Candidate& candidate) { return !fits(candidate); });
  if (waiting.empty()) waiting.push_back(said);
  const Settings first = with(settings, waiting.front());
  const bool forked = asked.wire == Wire::node_ipc && !asked.speech;
  if (waiting.size() == 1 && !forked) return first;
  const Say silent = [](std::string_view) {};
  for (std::size_t tried = 0; tried < waiting.size(); ++tried) {
    const Settings now = with(settings, waiting[tried]);
    Session session(now, token, host::sys::now(), silent);
    if (!session.start()) return first;
    const pool::StartEvidence evidence = session.greet();
    if (evidence.cause == StartCause::none) {
      say(fmt::format("{} ({})\n", words(now),
                      tried == 0 ? "the first that was tried" : "found by trying"));
      return now;
    }
    const bool has_channel = now.framing.wire == Wire::node_ipc && !session.greeting().empty();
    if (!asked.speech && (forked || has_channel)) {
      Settings any = now;
      any.opaque = true;
      say(fmt::format("{} (on its channel it answers otherwise than a bridge)\n", words(any)));
      return any;
    }
    if (tried > 0 || asked.wire) continue;
    waiting = hinted(now, evidence, session.greeting());
    std::erase_if(waiting, [&fits](const Candidate& candidate) { return !fits(candidate); });
    waiting.insert(waiting.begin(), kUsual.front());
  }
  say(
      fmt::format("{} (none of those that were tried was answered; --wire and --speech say "
                  "another)\n",
                  words(first)));
  return first;
}

}  // namespace poolproof::probe
