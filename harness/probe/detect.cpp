#include "harness/probe/detect.hpp"

#include <algorithm>
#include <array>
#include <deque>
#include <vector>

#include <fmt/format.h>

#include "harness/host/system.hpp"
#include "harness/probe/evidence.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::probe {
namespace {

using namespace std::chrono_literals;
using wire::Misframing;
using wire::Speech;
using wire::Wire;

struct Candidate {
  Wire wire;
  Speech speech;
  std::uint8_t prefix_bytes = 4;
  bool little_endian = false;
  bool operator==(const Candidate&) const = default;
};

/// Most workers speak one of these.
constexpr std::array kUsual{
    Candidate{Wire::prefix, Speech::bridge}, Candidate{Wire::lines, Speech::mcp},
    Candidate{Wire::headers, Speech::lsp}, Candidate{Wire::lines, Speech::bridge}};

/// A worker that waits for the rest of a supposed length is silent; it speaks one of these.
constexpr std::array kLengths{
    Candidate{Wire::prefix, Speech::bridge, 4, true}, Candidate{Wire::prefix, Speech::bridge, 2},
    Candidate{Wire::varint, Speech::bridge},          Candidate{Wire::prefix, Speech::bridge, 8},
    Candidate{Wire::prefix, Speech::bridge, 8, true}, Candidate{Wire::prefix, Speech::bridge, 1},
    Candidate{Wire::prefix, Speech::bridge, 2, true}};

/// A child of Node's fork(). Few of them speak as bridges do.
constexpr Candidate kForked{Wire::node_ipc, Speech::bridge};

/// A worker that understands the greeting answers within this time of reading it, or soon after the
/// end of its input.
constexpr Duration kOnceRead = 500ms;

struct Tried {
  Candidate candidate;
  Evidence evidence;
};

Candidate speaking(Candidate candidate, Speech speech) {
  candidate.speech = speech;
  return candidate;
}

/// The speeches to try on a wire, the likeliest first.
std::vector<Candidate> on_wire_of(const Candidate& one, bool rpc) {
  const Speech first = one.wire == Wire::headers ? Speech::lsp
                       : one.wire == Wire::lines ? Speech::mcp
                                                 : Speech::json_rpc;
  std::vector<Candidate> both{speaking(one, first), speaking(one, Speech::bridge)};
  if (!rpc && first == Speech::json_rpc) std::swap(both[0], both[1]);
  return both;
}

/// Everything to try on a worker that says nothing.
std::vector<Candidate> all() {
  std::vector<Candidate> candidates(kUsual.begin(), kUsual.end());
  candidates.insert(candidates.end(), kLengths.begin(), kLengths.end());
  candidates.push_back({Wire::prefix, Speech::json_rpc});
  for (const Candidate& length : kLengths) candidates.push_back(speaking(length, Speech::json_rpc));
  return candidates;
}

Settings with(Settings settings, const Candidate& candidate) {
  settings.framing.wire = candidate.wire;
  settings.speech = candidate.speech;
  if (candidate.wire == Wire::prefix) {
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

/// Tries one candidate after the other, each on a process of its own.
class Search {
 public:
  Search(Settings settings, const SpeechHints& hints, const std::string& token, const Say& say)
      : settings_(std::move(settings)), hints_(hints), token_(token), say_(say) {
    for (const Candidate& candidate : first_candidates()) add(candidate);
  }

  Settings run();

 private:
  [[nodiscard]] std::vector<Candidate> first_candidates() const;
  [[nodiscard]] bool fits(const Candidate& candidate) const;
  void add(const Candidate& candidate) {
    if (fits(candidate)) waiting_.push_back(candidate);
  }
  /// Greets the worker as that candidate. Error: its process could not be started.
  Expected<Tried, std::string> attempt(const Candidate& candidate, bool patient) const;
  void follow(const Tried& tried);
  [[nodiscard]] std::vector<Candidate> meant_by(const Tried& tried) const;
  void grade_the_silent();
  [[nodiscard]] Settings told(const Tried& tried, std::string_view how) const;
  [[nodiscard]] Settings told_refusing(const Tried& tried) const;
  [[nodiscard]] bool knows_its_greeting(const Tried& tried) const;
  [[nodiscard]] Settings told_as_opaque(const Tried& tried, std::string_view how) const;
  [[nodiscard]] std::optional<Settings> taken_for_opaque() const;
  [[nodiscard]] bool is_likely(const Candidate& candidate) const;
  [[nodiscard]] std::optional<Settings> patiently() const;

  Settings settings_;
  const SpeechHints& hints_;
  const std::string& token_;
  const Say& say_;
  std::deque<Candidate> waiting_;
  std::vector<Tried> tried_;
  std::vector<Candidate> meant_;     ///< candidates that output on another wire pointed to first
  std::vector<Candidate> possible_;  ///< and all that it may have meant
};

/// The candidates to begin with: what the user has said leaves fewer to try.
std::vector<Candidate> Search::first_candidates() const {
  const wire::Framing& framing = settings_.framing;
  if (hints_.wire == Wire::node_ipc) return {kForked};
  if (hints_.wire) {
    const bool lengths = *hints_.wire == Wire::prefix;
    return on_wire_of(
        {*hints_.wire, Speech::bridge, lengths ? framing.prefix_bytes : std::uint8_t{4},
         lengths && framing.little_endian},
        false);
  }
  if (!hints_.speech || hints_.speech == Speech::bridge) return all();
  std::vector<Candidate> candidates{{Wire::lines, *hints_.speech},
                                    {Wire::headers, *hints_.speech},
                                    {Wire::prefix, *hints_.speech}};
  if (hints_.speech == Speech::lsp) std::swap(candidates[0], candidates[1]);
  for (const Candidate& length : kLengths) candidates.push_back(speaking(length, *hints_.speech));
  return candidates;
}

bool Search::fits(const Candidate& candidate) const {
  if (hints_.speech.value_or(candidate.speech) != candidate.speech) return false;
  if (hints_.wire.value_or(candidate.wire) != candidate.wire) return false;
  return hints_.wire != Wire::prefix ||
         (candidate.prefix_bytes == settings_.framing.prefix_bytes &&
          candidate.little_endian == settings_.framing.little_endian);
}

Expected<Tried, std::string> Search::attempt(const Candidate& candidate, bool patient) const {
  Settings now = with(settings_, candidate);
  // A speech without a greeting is tried with another's: its workers can say what they make of
  // that.
  if (now.speech == Speech::json_rpc) now.speech = Speech::mcp;
  const Say silent = [](std::string_view) {};
  Session session(now, token_, host::sys::now(), silent);
  if (auto started = session.start(); !started) return unexpected(started.error());
  const pool::StartEvidence start =
      session.greet(patient ? std::optional<Duration>() : std::min(kOnceRead, settings_.limit));
  Tried tried{candidate,
              evidence_of(now, start, session.greeting(), candidate.speech == Speech::json_rpc)};
  if (!session.echo().empty()) tried.evidence.grade = Grade::echo;
  // A JSON-RPC worker without a greeting is spoken to as the speech that its answer shows.
  if (tried.evidence.speech && !hints_.speech) tried.candidate.speech = *tried.evidence.speech;
  return tried;
}

/// Chooses what to try next, by what came of the last try.
void Search::follow(const Tried& tried) {
  const Evidence& evidence = tried.evidence;
  const std::vector<Candidate> meant = meant_by(tried);
  const bool first = tried_.size() == 1;
  const bool unread = first && evidence.unread;
  // The wire that it reads is found. A worker that objects may read another wire than it writes.
  const bool found =
      evidence.grade == Grade::answer || (evidence.grade == Grade::message && !evidence.logs);
  if (evidence.grade == Grade::echo || (found && !unread)) {
    waiting_.clear();
  } else if (unread) {
    // Without reading, no wire matters. But a child of fork() reads nothing without its channel,
    // whether it ends or lives on.
    waiting_.clear();
    add(kForked);
  } else if (first && evidence.exited) {
    add(kForked);
  } else if (first && evidence.grade == Grade::noise) {
    // It writes such noise to anybody: only the usual wires are tried, to see what stands behind
    // it.
    std::erase_if(waiting_, [](const Candidate& candidate) {
      return std::ranges::find(kUsual, candidate) == kUsual.end();
    });
  }
  for (auto one = meant.rbegin(); one != meant.rend(); ++one) {
    if (!fits(*one)) continue;
    std::erase(waiting_, *one);
    waiting_.push_front(*one);
  }
}

/// The candidates to which the worker's output points.
std::vector<Candidate> Search::meant_by(const Tried& tried) const {
  const Evidence& evidence = tried.evidence;
  if (evidence.sound) return on_wire_of(tried.candidate, evidence.rpc);
  if (!evidence.suspicion && evidence.binary_varints)
    return on_wire_of({Wire::varint, Speech::bridge}, false);
  if (!evidence.suspicion) return {};
  std::vector<Candidate> meant;
  const auto mean = [&](const Candidate& candidate) {
    for (const Candidate& one : on_wire_of(candidate, evidence.rpc)) meant.push_back(one);
  };
  switch (*evidence.suspicion) {
    case Misframing::headers:
      mean({Wire::headers, Speech::lsp});
      break;
    case Misframing::json_line:
      mean({Wire::lines, Speech::mcp});
      if (!evidence.rpc) std::swap(meant[0], meant[1]);
      break;
    case Misframing::varint:
      mean({Wire::varint, Speech::bridge});
      break;
    case Misframing::little_endian:
      mean({Wire::prefix, Speech::bridge, 4, !tried.candidate.little_endian});
      break;
    case Misframing::other_prefix:
      mean({Wire::prefix, Speech::bridge, 2});
      mean({Wire::prefix, Speech::bridge, 1});
      mean({Wire::prefix, Speech::bridge, 8});
      mean({Wire::varint, Speech::bridge});
      mean({Wire::prefix, Speech::bridge, 4});
      break;
    default:
      break;
  }
  return meant;
}

/// Among silent candidates, those come nearest whose wire the worker used in answer to others.
void Search::grade_the_silent() {
  for (Tried& tried : tried_) {
    if (tried.evidence.grade == Grade::silent &&
        std::ranges::find(meant_, tried.candidate) != meant_.end()) {
      tried.evidence.grade = Grade::meant;
    }
  }
}

Settings Search::told(const Tried& tried, std::string_view how) const {
  Settings found = with(settings_, tried.candidate);
  say_(fmt::format("{} ({})\n", words(found), how));
  return found;
}

Settings Search::told_as_opaque(const Tried& tried, std::string_view how) const {
  Settings any = with(settings_, tried.candidate);
  any.opaque = true;
  say_(fmt::format("{} ({})\n", words(any), how));
  return any;
}

/// Whether a silent candidate is worth a longer wait: it is a usual one, or output pointed to its
/// wire.
bool Search::is_likely(const Candidate& candidate) const {
  const auto is_its_wire = [&](const Candidate& meant) {
    return speaking(meant, candidate.speech) == candidate;
  };
  return std::ranges::find(kUsual, candidate) != kUsual.end() ||
         std::ranges::any_of(possible_, is_its_wire);
}

/// Waits longer for workers that read a greeting but did not answer at once, when all else is
/// tried. A worker that is slow with what it understands may be quick with what it does not.
std::optional<Settings> Search::patiently() const {
  for (const Tried& tried : tried_) {
    if (!tried.evidence.waits || !is_likely(tried.candidate)) continue;
    const auto again = attempt(tried.candidate, true);
    if (!again) continue;
    if (again->evidence.grade == Grade::good) return told(*again, "found by trying");
    if (again->evidence.refuses && !hints_.speech) return told_refusing(*again);
  }
  return std::nullopt;
}

/// Whether the worker refuses its greeting with other words than a method that nobody has: then it
/// knows the greeting, and something else is amiss.
bool Search::knows_its_greeting(const Tried& tried) const {
  constexpr std::string_view kNobodyHas = "poolproof_no_such_method";
  Settings now = with(settings_, tried.candidate);
  if (now.speech == Speech::json_rpc) now.speech = Speech::mcp;
  const wire::SpeechRow& speech = wire::row_of(now.speech);
  const Say silent = [](std::string_view) {};
  const auto error_of = [&](std::string_view payload) -> std::string {
    const wire::Heard heard = speech.hear(payload, 0);
    const bool refuses = heard.kind == wire::Heard::Kind::reply && !heard.reply.success;
    return refuses ? heard.reply.error : "";
  };
  const std::string unknown =
      fmt::format(R"({{"jsonrpc":"2.0","id":0,"method":"{}","params":{{}}}})", kNobodyHas);
  const std::string greeting = speech.greeting("probe", host::sys::timestamp());
  std::array<std::string, 2> errors;
  for (const bool greets : {false, true}) {
    Session session(now, token_, host::sys::now(), silent);
    if (!session.start()) return false;
    const auto frame = wire::encode_frame(now.framing, greets ? greeting : unknown);
    const Heard heard = session.ask(frame.value_or(""), settings_.limit);
    if (!heard.frames.empty()) errors.at(greets ? 1 : 0) = error_of(heard.frames.front());
  }
  // Such an error often quotes the method.
  for (const std::string_view name : {kNobodyHas, speech.greeting_name}) {
    for (std::string& error : errors) {
      if (const auto at = error.find(name); at != std::string::npos) error.erase(at, name.size());
    }
  }
  return !errors[1].empty() && errors[0] != errors[1];
}

/// No greeting is answered well, and one is refused as JSON-RPC refuses. Whatever its code says,
/// the worker knows no greeting if it refuses just so what nobody knows.
Settings Search::told_refusing(const Tried& tried) const {
  if (knows_its_greeting(tried)) {
    const bool plain = tried.candidate.speech == Speech::json_rpc;
    const Candidate known = plain ? speaking(tried.candidate, Speech::mcp) : tried.candidate;
    return told({known, tried.evidence},
                fmt::format("it knows {}, and refuses it; --wire and --speech say another",
                            wire::row_of(known.speech).greeting_name));
  }
  return told({speaking(tried.candidate, Speech::json_rpc), tried.evidence},
              "it refuses the greetings in JSON-RPC; --wire and --speech say another");
}

/// The wire on which the worker takes part, though it answers no greeting: it writes whole messages
/// that are no JSON, or it lives only with a channel.
std::optional<Settings> Search::taken_for_opaque() const {
  if (hints_.speech) return std::nullopt;
  for (const Tried& tried : tried_) {
    if (tried.evidence.binary && !tried.evidence.suspicion && !tried.evidence.exited)
      return told_as_opaque(tried, "it answers in whole messages that are no JSON");
  }
  const bool left = std::ranges::any_of(tried_, [](const Tried& one) {
    return one.candidate.wire != Wire::node_ipc && one.evidence.exited &&
           one.evidence.wrote_nothing;
  });
  for (const Tried& tried : tried_) {
    const bool lives = tried.candidate.wire == Wire::node_ipc && tried.evidence.waits;
    if (lives && left && tried.evidence.wrote_nothing)
      return told_as_opaque(tried,
                            "without a channel it ends by itself; with one it lives and reads");
  }
  return std::nullopt;
}

Settings Search::run() {
  const Candidate first = waiting_.front();
  while (!waiting_.empty()) {
    const Candidate candidate = waiting_.front();
    waiting_.pop_front();
    const bool again =
        std::ranges::any_of(tried_, [&](const Tried& one) { return one.candidate == candidate; });
    if (again) continue;
    auto tried = attempt(candidate, false);
    if (!tried) return with(settings_, first);
    tried_.push_back(*tried);
    if (tried->evidence.grade == Grade::good) {
      return told(*tried, tried_.size() == 1 ? "the first that was tried" : "found by trying");
    }
    const bool has_channel = candidate.wire == Wire::node_ipc && !tried->evidence.wrote_nothing;
    if (!hints_.speech && (hints_.wire == Wire::node_ipc || has_channel)) {
      return told_as_opaque(*tried, "on its channel it answers otherwise than a bridge");
    }
    if (!tried->evidence.sound) {
      const auto meant = meant_by(*tried);
      if (!meant.empty()) meant_.push_back(meant.front());
      possible_.insert(possible_.end(), meant.begin(), meant.end());
    }
    follow(*tried);
  }
  grade_the_silent();
  // Of equal grades the first one counts.
  const auto best =
      std::ranges::max_element(tried_, {}, [](const Tried& one) { return one.evidence.grade; });
  // Any later grade has shown the wire that it reads.
  if (best->evidence.grade <= Grade::objection) {
    if (auto found = patiently()) return *found;
  }
  if (best->evidence.refuses && !hints_.speech) return told_refusing(*best);
  if (best->evidence.grade <= Grade::misframed) {
    if (auto found = taken_for_opaque()) return *found;
  }
  if (best->evidence.grade == Grade::echo && !hints_.speech) {
    return told(*best,
                "it gives back what it is sent; if that is its work, say so: --speech opaque");
  }
  if (best->evidence.grade == Grade::silent) {
    return told(tried_.front(),
                "none of those that were tried was answered; --wire and --speech say another");
  }
  return told(*best, tried_.size() == 1 ? "the first that was tried"
                                        : "what it wrote comes nearest to that; --wire and "
                                          "--speech say another");
}

}  // namespace

Settings detect(Settings settings, const SpeechHints& hints, const std::string& token,
                const Say& say) {
  if (hints.opaque) {
    settings.opaque = true;
    settings.framing.wire = hints.wire.value_or(settings.framing.wire);
    say(fmt::format("{} (as was said; nothing is found by trying)\n", words(settings)));
    return settings;
  }
  if (hints.wire && hints.speech) {
    settings.framing.wire = *hints.wire;
    settings.speech = *hints.speech;
    return settings;
  }
  return Search(std::move(settings), hints, token, say).run();
}

}  // namespace poolproof::probe
