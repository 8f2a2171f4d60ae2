#include "harness/trace/timeline.hpp"

#include <algorithm>
#include <numeric>

#include <fmt/format.h>

#include "harness/base/text.hpp"
#include "harness/trace/fields.hpp"
#include "harness/trace/merge.hpp"

namespace poolproof::trace {
namespace {

/// How important a line is when there is room for a few only.
enum Weight : int { kPlain, kResult, kEnding, kTrouble, kLast };

struct Line {
  Time at;
  std::string who;
  std::string what;
  int weight = kPlain;
};

// ---- a record in words -------------------------------------------------------------------------

std::string what_came(const ClientStep& step) {
  if (step.skipped) return "skipped";
  if (step.outcome != Outcome::ok) {
    std::string came{name(step.outcome)};
    if (step.phase != Phase::none) came += fmt::format(" ({})", name(step.phase));
    if (step.cause != StartCause::none) came += fmt::format(", cause {}", name(step.cause));
    return came;
  }
  if (step.kind == StepKind::checkout && step.worker)
    return "granted worker " + dotted(*step.worker);
  return "ok";
}

Line line_of(const ClientStep& step) {
  const bool trouble = !step.skipped && step.outcome != Outcome::ok;
  std::string what{name(step.kind)};
  if (!step.command.empty()) what += " " + step.command;
  if (!step.nonce.empty()) what += " " + step.nonce;
  what += ": " + what_came(step);
  if (!step.skipped) what += fmt::format(" after {} ms", milliseconds(step.ended - step.begun));
  if (step.in_doubt) what += ", stream in doubt";
  if (trouble && !step.message.empty()) what += ": " + step.message;
  const std::string who = step.client.empty() ? "harness" : "client " + step.client;
  return {step.ended, who, what, trouble ? kTrouble : kResult};
}

std::string of_request(const faults::JournalRecord& record) {
  return record.request ? fmt::format(" request {}", *record.request) : "";
}

Line line_of(const WorkerRecord& stamped) {
  using Kind = faults::JournalRecord::Kind;
  const faults::JournalRecord& record = stamped.record;
  Line line{stamped.at, "worker " + dotted(stamped.worker), "", kPlain};
  switch (record.kind) {
    case Kind::started:
      line.what = fmt::format("started, pid {}", stamped.pid);
      break;
    case Kind::read:
      line.what = fmt::format("read{}: {}{}", of_request(record), record.command.value_or("?"),
                              record.nonce ? " " + *record.nonce : "");
      break;
    case Kind::wrote:
      line.what = fmt::format("wrote {} bytes for{}", record.bytes, of_request(record));
      break;
    case Kind::receipt:
      line.what = fmt::format("fault {} ({}) strikes{}{}", record.fault, record.plan_id,
                              record.request ? " at" : "", of_request(record));
      line.weight = kTrouble;
      break;
    case Kind::stdin_end:
      line.what = "saw the end of stdin";
      break;
    case Kind::term:
      line.what = "received TERM";
      line.weight = kEnding;
      break;
    case Kind::grandchild:
      line.what = fmt::format("left process {} behind", record.child_pid);
      break;
    case Kind::exiting:
      line.what = fmt::format("exits with code {}", record.code);
      line.weight = kEnding;
      break;
    case Kind::goodbye:
      line.what = "was told to exit";
      line.weight = kEnding;
      break;
    case Kind::misframed:
      line.what = printable_message(record.text);
      line.weight = kTrouble;
      break;
  }
  return line;
}

Line line_of(const OsRecord& record) {
  std::string what =
      fmt::format("census {}: {} children, {} zombies, {} descriptors, {} threads", record.when,
                  record.children, record.zombies, record.descriptors, record.threads);
  for (const std::string& survivor : record.survivors) what += "; still there: " + survivor;
  return {record.at, "os", what, record.survivors.empty() ? kPlain : kTrouble};
}

Line line_of(const EnvironmentRecord& record) {
  return {record.at, "environment",
          fmt::format("signal {} to worker {}{}", record.signal, dotted(record.worker),
                      record.delivered ? "" : ": not there"),
          kTrouble};
}

/// An event or an effect in words: its name, and which checkout, worker and lease it is about.
template <class Variant>
std::string in_words(const Variant& variant) {
  std::string words{name(variant)};
  std::visit(
      [&words](const auto& one) {
        if constexpr (requires { one.step; }) {
          words += fmt::format(" {} ({})", name(one.step), name(one.why));
        }
        if constexpr (requires { one.checkout; }) {
          words += fmt::format(" #{}", static_cast<std::uint64_t>(one.checkout));
        }
        if constexpr (requires { one.worker; }) words += fmt::format(" {}", dotted(one.worker));
        if constexpr (requires { one.lease; }) {
          words += fmt::format(" lease {}", static_cast<std::uint64_t>(one.lease));
        }
        if constexpr (requires { one.clean; }) words += one.clean ? " clean" : " dirty";
        if constexpr (requires { one.evidence; }) {
          words += fmt::format(": {}", name(one.evidence.cause));
        }
        if constexpr (requires { one.failures; }) {
          words += fmt::format(": {} ({})", name(one.why), name(one.phase));
        }
        if constexpr (requires { one.status; }) {
          words += one.status.signal != 0 ? fmt::format(" by signal {}", one.status.signal)
                   : one.status.code >= 0 ? fmt::format(" with code {}", one.status.code)
                                          : ", how is not known";
        }
      },
      variant);
  return words;
}

Line line_of(const PoolRecord& record) {
  Line line{record.at, "pool", in_words(record.event), kPlain};
  for (std::size_t i = 0; i < record.effects.size(); ++i) {
    line.what += (i == 0 ? " -> " : ", ") + in_words(record.effects[i]);
    const auto* stop = std::get_if<pool::Stop>(&record.effects[i]);
    if (stop != nullptr && is_signal(stop->step)) line.weight = kTrouble;
  }
  if (std::holds_alternative<pool::Exited>(record.event) && line.weight < kEnding) {
    line.weight = kEnding;
  }
  return line;
}

bool worth_a_line(const Merged& record) {
  const auto* const* pool = std::get_if<const PoolRecord*>(&record.record);
  if (pool == nullptr) return true;
  return !std::holds_alternative<pool::Tick>((*pool)->event) || !(*pool)->effects.empty();
}

// ---- the choice --------------------------------------------------------------------------------

/// The indices of the `room` most important lines, in the order of time.
std::vector<std::size_t> chosen(const std::vector<Line>& lines, std::size_t room) {
  std::vector<std::size_t> places(lines.size());
  std::iota(places.begin(), places.end(), std::size_t{0});
  if (places.size() <= room) return places;
  std::stable_sort(places.begin(), places.end(), [&lines](std::size_t a, std::size_t b) {
    return lines[a].weight > lines[b].weight;
  });
  places.resize(room);
  std::sort(places.begin(), places.end());
  return places;
}

std::string written(const std::vector<Line>& lines, const std::vector<std::size_t>& places,
                    Time begin) {
  std::size_t widest = 0;
  for (const std::size_t place : places) widest = std::max(widest, lines[place].who.size());
  std::string text;
  for (const std::size_t place : places) {
    const Line& line = lines[place];
    text += fmt::format("{:>12}  {:<{}}  {}\n", milliseconds(line.at - begin), line.who, widest,
                        line.what);
  }
  return text;
}

}  // namespace

std::string timeline(const Trace& trace, std::size_t max_lines) {
  std::vector<Line> lines;
  const std::vector<Merged> records = merged(trace);
  const Time begin = begin_of(records);
  for (const Merged& record : records) {
    if (!worth_a_line(record)) continue;
    lines.push_back(std::visit([](const auto* one) { return line_of(*one); }, record.record));
    lines.back().who = printable(lines.back().who);
    lines.back().what = printable_message(lines.back().what, 400);
  }
  if (lines.size() <= max_lines) {
    return lines.empty() ? "" : written(lines, chosen(lines, lines.size()), begin);
  }
  lines.back().weight = kLast;
  const std::size_t room = max_lines == 0 ? 0 : max_lines - 1;
  return written(lines, chosen(lines, room), begin) +
         fmt::format("... {} more\n", lines.size() - room);
}

}  // namespace poolproof::trace
