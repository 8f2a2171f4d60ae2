#include "fake_workers/leaves.hpp"

#include <algorithm>
#include <array>
#include <set>
#include <vector>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "fake_workers/brain.hpp"
#include "fake_workers/needs.hpp"
#include "harness/base/signals.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/wires.hpp"

/// The experiment that holds the table's columns true: a Brain with each fault is asked, what it
/// writes goes to a Conversation, and both are compared with what the columns say.
namespace poolproof::faults {
namespace {

using wire::Payload;
using namespace std::string_view_literals;

constexpr std::array<std::string_view, 12> kLeavesNames{
    "sound",    "late",     "held_back", "error",   "surplus", "no_reply",
    "no_frame", "unframed", "part",      "nothing", "garbled", "depends"};

std::string_view name(Leaves leaves) {
  return kLeavesNames[static_cast<std::size_t>(leaves)];
}

/// Carries a Brain's actions out, as far as they can be seen.
class Seen {
 public:
  void carry_out(const Actions& actions) {
    for (const Action& action : actions) {
      if (over()) return;
      std::visit([this](const auto& one) { act(one); }, action);
    }
  }
  [[nodiscard]] bool over() const { return ended || stopped; }

  std::string reply;    ///< up to the record that it was written
  std::string unasked;  ///< what came later
  bool struck = false;
  bool ended = false;
  bool stopped = false;
  Closes closes = Closes::nothing;
  Shows shows = Shows::elsewhere;
  bool paused = false;

 private:
  void act(const Write& write) {
    (wrote_ ? unasked : reply) += write.bytes;
    if (struck && paused_last_) shows = Shows::pause_before_reply;
    paused_last_ = false;
    const bool pieces = write.chunk_bytes > 0;
    if (pieces) shows = write.gap > Duration{0} ? Shows::pauses_in_reply : Shows::pieces;
    paused =
        paused || (pieces && write.gap > Duration{0} && write.bytes.size() > write.chunk_bytes);
  }
  void act(const Pause&) {
    paused = paused_last_ = true;
    if (struck) shows = Shows::pause_before_reading;  // unless something comes behind it
  }
  void act(const Exit&) {
    ended = true;
    if (struck && paused_last_) shows = Shows::pause_before_exit;
  }
  void act(const Raise& raise) {
    ended = is_deadly(raise.signal);
    stopped = is_stopping(raise.signal);
  }
  void act(const CloseStdout&) { closes = Closes::stdout_; }
  void act(const CloseStdin&) { closes = Closes::stdin_; }
  void act(const Fork&) { shows = Shows::process; }
  void act(const Journal& journal) {
    struck = struck || journal.kind == JournalRecord::Kind::receipt;
    if (journal.kind == JournalRecord::Kind::read) paused_last_ = false;
    wrote_ = wrote_ || journal.kind == JournalRecord::Kind::wrote;
  }
  template <class Other>
  void act(const Other&) {}

  bool wrote_ = false;
  bool paused_last_ = false;
};

/// A request with the id 0, and what a worker needs to read it.
struct Asked {
  Reader reader;
  wire::Codec codec = wire::Codec::json;
  std::string args = "{}";

  [[nodiscard]] std::string frame(std::string_view command) const {
    std::string payload =
        wire::row_of(reader.speech).request(0, command, nlohmann::json::parse(args), "1");
    if (codec == wire::Codec::terse) {
      payload.clear();
      wire::encode_terse(wire::TerseRequest{0, command, "a:1", args, 0}, payload);
    }
    return *wire::encode_frame(reader.framing, payload);
  }
  [[nodiscard]] std::string frame() const {
    return frame(reader.payload == Payload::handshake ? "ping" : "echo");
  }
};

class Rig {
 public:
  Rig(const Plan& plan, const Asked& asked)
      : brain_({{}, asked.reader.framing, plan, "0.0", "1", asked.codec, asked.reader.speech}) {
    take(&Brain::start);
  }

  void read(std::string input) {
    while (!seen.over() && brain_.wants() > 0 && !input.empty()) {
      const std::string bytes = input.substr(0, brain_.wants());
      input.erase(0, bytes.size());
      Actions out;
      brain_.read(bytes, out);
      carry_out(out);
    }
  }
  void take(void (Brain::*input)(Actions&)) {
    Actions out;
    if (!seen.over()) (brain_.*input)(out);
    carry_out(out);
  }

  Seen seen;

 private:
  void carry_out(const Actions& actions) {
    for (const Action& action : actions) {
      if (std::holds_alternative<HoldBack>(action)) brain_.held_back();
    }
    seen.carry_out(actions);
  }

  Brain brain_;
};

wire::Conversation conversation(const Asked& asked, std::string_view reply) {
  wire::Conversation talk(asked.reader.framing, asked.reader.payload, 0, asked.frame(), kNever,
                          asked.codec, asked.reader.speech);
  talk.wrote(asked.frame().size());
  if (!reply.empty()) talk.read(reply);
  // Answers are taken. What seems to begin a message behind the reply never becomes one.
  if (!talk.decided()) talk.wrote(talk.pending_output().size());
  if (talk.holds_reply()) {
    talk.tick(Time{});
    talk.tick(Time(std::chrono::seconds(1)));
  }
  return talk;
}

bool is_reply(const Asked& asked, std::string_view payload) {
  const auto frame = wire::encode_frame(asked.reader.framing, payload);
  return frame && conversation(asked, *frame).result().outcome == Outcome::ok;
}

/// What the reader finds out; `later` came when the worker's stdin had ended.
Leaves found(const Asked& asked, const Seen& seen, const std::string& later) {
  const std::string_view reply = seen.reply;
  const auto talk = conversation(asked, reply);
  if (!talk.decided()) {
    if (!reply.empty()) return Leaves::part;
    const auto late = conversation(asked, later);
    return late.decided() && late.result().outcome == Outcome::ok ? Leaves::held_back
                                                                  : Leaves::nothing;
  }
  switch (talk.result().outcome) {
    case Outcome::ok:
      if (talk.result().in_doubt) return Leaves::surplus;
      return seen.paused ? Leaves::late : Leaves::sound;
    case Outcome::worker_error:
      return talk.result().in_doubt ? Leaves::surplus : Leaves::error;
    default:
      break;
  }
  wire::FrameDecoder decoder(asked.reader.framing);
  decoder.push(reply);
  if (decoder.next()) return Leaves::no_reply;
  const bool line = reply.starts_with('{') && reply.ends_with('\n');
  return line && is_reply(asked, reply.substr(0, reply.size() - 1)) ? Leaves::unframed
                                                                    : Leaves::no_frame;
}

bool agrees(Leaves said, Leaves found) {
  if (said == Leaves::depends) return true;
  if (said == Leaves::garbled) {
    return found == Leaves::no_reply || found == Leaves::no_frame || found == Leaves::part;
  }
  return said == found;
}

// ---- which parameters --------------------------------------------------------------------------

PlannedFault with_defaults(const Fault& fault) {
  PlannedFault planned;
  planned.id = "f0";
  planned.fault = &fault;
  for (const Param& param : fault.params) {
    if (param.is_text) planned.texts.emplace(param.name, param.default_text);
    if (!param.is_text) {
      planned.numbers.emplace(param.name, param.quick.value_or(param.default_number));
    }
  }
  return planned;
}

const std::vector<std::string> kTexts{"",
                                      "x",
                                      "tick\n",
                                      "Loading model\n",
                                      std::string("\0", 1),
                                      std::string("\0\0\0\2{}", 6),
                                      std::string("\0\2{}", 4),
                                      "\2{}",
                                      "\n\n\n",
                                      R"({"id":0,"result":{},"success":true})"};

void vary(const Param& param, std::vector<PlannedFault>& all) {
  std::vector<PlannedFault> varied = all;
  const std::string key(param.name);
  for (const PlannedFault& planned : all) {
    const auto add = [&](auto& in, auto value) {
      varied.push_back(planned);
      in(varied.back())[key] = value;
    };
    const auto texts = [](PlannedFault & one) -> auto& {
      return one.texts;
    };
    const auto numbers = [](PlannedFault & one) -> auto& {
      return one.numbers;
    };
    for (const std::string_view word : param.words) add(texts, std::string(word));
    if (param.is_text && param.words.empty()) {
      for (const std::string& text : kTexts) add(texts, text);
    }
    if (param.is_pause) add(numbers, param.min);
    if (param.is_text || param.is_pause) continue;
    for (const std::int64_t number : param.palette) {
      add(numbers, std::clamp(number, param.min, param.max));
    }
    add(numbers, std::clamp<std::int64_t>(0, param.min, param.max));
    if (param.name == "signal") add(numbers, 19), add(numbers, 18);
  }
  all = std::move(varied);
}

/// Every combination of its parameters' values.
std::vector<PlannedFault> variants(const Fault& fault) {
  std::vector<PlannedFault> all{with_defaults(fault)};
  for (const Param& param : fault.params) vary(param, all);
  return all;
}

const std::string kUmlaut = "{\"s\":\"\xc3\xbc\"}";

/// The wires and speeches that are not the usual ones.
void add_other_wires(const Fault& fault, std::vector<Asked>& all) {
  using wire::Speech;
  using wire::Wire;
  constexpr std::size_t kLimit = 70'000;
  for (const Wire wire : {Wire::prefix, Wire::varint, Wire::lines, Wire::headers, Wire::node_ipc}) {
    if (!can_strike_on(fault, wire)) continue;
    for (const Speech speech : {Speech::bridge, Speech::json_rpc, Speech::mcp, Speech::lsp}) {
      for (const Payload payload : {Payload::envelope, Payload::opaque}) {
        if (payload == Payload::opaque && speech != Speech::bridge) continue;
        all.push_back({{{4, kLimit, wire}, payload, speech}, wire::Codec::json, kUmlaut});
      }
    }
  }
}

std::vector<Asked> all_asked(const Fault& fault) {
  std::vector<Asked> all;
  for (const wire::Framing framing :
       {wire::Framing{}, wire::Framing{4, 1000}, wire::Framing{4, 70'000}, wire::Framing{2, 60'000},
        wire::Framing{2, 65'535}, wire::Framing{1, 255}, wire::Framing{1, 110}}) {
    for (const Payload payload : {Payload::envelope, Payload::handshake, Payload::opaque}) {
      all.push_back({{framing, payload}});
      if (!fault.touches_payload) all.push_back({{framing, payload}, wire::Codec::terse});
      if (framing.prefix_bytes == 1) continue;
      all.push_back(
          {{framing, payload}, wire::Codec::json, "{\"s\":\"" + std::string(300, 'x') + "\"}"});
    }
  }
  add_other_wires(fault, all);
  return all;
}

std::string described(const PlannedFault& planned, const Asked& asked) {
  std::string text(planned.fault->name);
  for (const auto& [key, value] : planned.numbers) text += " " + key + " " + std::to_string(value);
  for (const auto& [key, value] : planned.texts) text += " " + key + " " + printable(value, 40);
  return text + ", prefix " + std::to_string(asked.reader.framing.prefix_bytes) + ", limit " +
         std::to_string(asked.reader.framing.max_frame_bytes) +
         (asked.codec == wire::Codec::terse ? ", terse" : ", json") + ", " +
         std::string(wire::row_of(asked.reader.framing.wire).name) + ", " +
         std::string(wire::row_of(asked.reader.speech).name) + ", payload " +
         std::to_string(static_cast<int>(asked.reader.payload));
}

/// Runs one; what is wrong with the columns goes into `wrong`.
void experiment(const PlannedFault& planned, const Asked& asked, std::set<std::string>& wrong) {
  const Plan plan{planned};
  Rig rig(plan, asked);
  rig.read(asked.frame());
  const Seen seen = rig.seen;
  rig.take(&Brain::end_of_input);
  // What has not struck leaves what a sound worker leaves.
  if (planned.fault->moment != Moment::shutdown && !seen.struck) return;
  const Leaves said = leaves_of_reply(planned, asked.reader);
  const Leaves is = found(asked, seen, rig.seen.reply);
  const auto chunk = planned.numbers.find("chunk_bytes");
  const bool one_piece = chunk != planned.numbers.end() &&
                         static_cast<std::size_t>(chunk->second) >= seen.reply.size();
  const bool as_said =
      agrees(said, is) || (said == Leaves::late && is == Leaves::sound && one_piece);
  const auto report = [&](const std::string& what) {
    wrong.insert(described(planned, asked) + ": " + what);
  };
  if (!as_said) {
    report("leaves " + std::string(name(is)) + ", the table says " + std::string(name(said)));
  }
  if (seen.ended != ends_process(planned)) report("`end` is wrong");
  const bool waits = !seen.ended && seen.closes != Closes::stdout_ &&
                     (is == Leaves::part || is == Leaves::nothing || is == Leaves::held_back);
  if (waits && !leaves_waiting(planned, asked.reader)) report("its reader may wait for ever");
  if (seen.unasked.empty() == writes_unasked(planned)) report("`writes_unasked` is wrong");
  const bool told = planned.fault->end == End::as_told;
  if (!told && seen.closes != planned.fault->closes) report("`closes` is wrong");
}

TEST_CASE("fake_workers: leaves: a Brain with the fault leaves what the table says") {
  for (const Fault& fault : catalogue()) {
    if (fault.moment == Moment::launch) continue;  // no Brain runs
    std::set<std::string> wrong;
    for (const Asked& asked : all_asked(fault)) {
      for (const PlannedFault& planned : variants(fault)) experiment(planned, asked, wrong);
    }
    if (wrong.empty()) continue;
    FAIL_CHECK(wrong.size() << " of them, the first: " << *wrong.begin());
  }
}

TEST_CASE("fake_workers: leaves: by its defaults, in the usual frames, every fault says which") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    const Leaves said = leaves_of_reply(with_defaults(fault), {});
    // The wrong way round, some lengths are right.
    const bool turned = fault.leaves.of(with_defaults(fault), {{4, 1000}}) == Leaves::no_frame;
    CHECK((said != Leaves::depends || turned));
    if (fault.harmless) CHECK((said == Leaves::sound || said == Leaves::late));
  }
}

TEST_CASE("fake_workers: leaves: who stops itself while idle leaves the next caller waiting") {
  PlannedFault fault = with_defaults(*find("killed_while_idle"));
  CHECK_FALSE(leaves_waiting(fault, {}));
  fault.numbers["signal"] = 19;
  CHECK(leaves_waiting(fault, {}));
}

TEST_CASE("fake_workers: leaves: a fault shows in its worker's journal as the table says") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    Asked asked;
    const Plan plan{with_defaults(fault)};
    Rig rig(plan, asked);
    rig.read(asked.frame());
    if (fault.moment == Moment::shutdown) rig.take(&Brain::term), rig.take(&Brain::end_of_input);
    const bool unseen = fault.shows == Shows::by_receipt && rig.seen.shows == Shows::elsewhere;
    CHECK((unseen || rig.seen.shows == fault.shows));
  }
}

TEST_CASE("fake_workers: leaves: a fault of the shutdown strikes at the reasons of its row") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    const Plan plan{with_defaults(fault)};
    const auto strikes = [&plan](auto tell) {
      Rig rig(plan, {});
      tell(rig);
      return rig.seen.struck;
    };
    const Reasons found{strikes([](Rig& rig) { rig.take(&Brain::end_of_input); }),
                        strikes([](Rig& rig) { rig.take(&Brain::term); }),
                        strikes([](Rig& rig) { rig.read(Asked{}.frame("shutdown")); })};
    CHECK(fault.strikes_at == (fault.moment == Moment::shutdown ? found : Reasons{}));
  }
}

/// The payloads that a reader cuts out of a stream, as far as it is one of frames.
std::set<std::string> payloads_of(const Plan& plan, const std::string& args) {
  Asked asked;
  asked.args = args;
  Rig rig(plan, asked);
  rig.read(asked.frame() + asked.frame());
  wire::FrameDecoder decoder({});
  decoder.push(rig.seen.reply + rig.seen.unasked);
  std::set<std::string> payloads;
  for (auto next = decoder.next(); next && *next; next = decoder.next()) payloads.emplace(**next);
  return payloads;
}

/// With its defaults, and with each word that a parameter of few words may be.
std::vector<PlannedFault> worded(const Fault& fault) {
  std::vector<PlannedFault> all{with_defaults(fault)};
  for (const Param& param : fault.params) {
    if (!param.words.empty()) vary(param, all);
  }
  return all;
}

TEST_CASE("fake_workers: leaves: only faults that touch payloads make frames with other payloads") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    const std::string args = can_strike_at_greeting(fault) ? "{}" : kUmlaut;
    const auto sound = payloads_of({}, args);
    REQUIRE(sound.size() == 1);
    bool touches = false;
    for (PlannedFault& once : worded(fault)) {
      if (!aimed_by_incarnation(fault)) once.at.request = 0;
      const auto payloads = payloads_of({once}, args);
      const bool all_sound =
          std::includes(sound.begin(), sound.end(), payloads.begin(), payloads.end());
      // What has no frame around it is a payload all the same.
      touches = touches || !all_sound || leaves_of_reply(once, {}) == Leaves::unframed;
    }
    CHECK(touches == fault.touches_payload);
  }
}

}  // namespace
}  // namespace poolproof::faults
