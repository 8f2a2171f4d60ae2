#include "harness/agreement/replay.hpp"

#include <algorithm>

#include <fmt/format.h>

#include "harness/pool/core.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/trace/fields.hpp"
#include "harness/trace/line_writer.hpp"

namespace poolproof::agreement {
namespace {

using Lines = std::vector<std::string>;

/// An archive (see fields.hpp) that lists fields as `key value`, as a trace writes them. A field
/// that a trace leaves out is an empty entry, so that all values of one type have equally many
/// entries.
class FieldList {
 public:
  template <class Value>
  void must(std::string_view key, const Value& value) {
    add(key, [&](trace::LineWriter& member) { member.must(key, value); });
  }

  template <class Value>
  void may(std::string_view key, const Value& value) {
    add(key, [&](trace::LineWriter& member) { member.may(key, value); });
  }

  void nested(std::string_view key, const pool::StartEvidence& evidence) {
    FieldList inner;
    trace::evidence_fields(inner, evidence);
    for (const auto& line : inner.lines) {
      lines.push_back(line.empty() ? line : fmt::format("{}.{}", key, line));
    }
  }

  void first_bytes(std::string_view key, const std::array<char, 48>& bytes, std::uint8_t size) {
    add(key, [&](trace::LineWriter& member) { member.first_bytes(key, bytes, size); });
  }

  Lines lines;

 private:
  /// Adds one entry from what `write` gives for a field: `{"key":value}`, or `{}` if it is left
  /// out.
  template <class Write>
  void add(std::string_view key, Write write) {
    trace::LineWriter member;
    write(member);
    const std::string object = member.object();
    constexpr std::size_t kAround = 4;  // the size of {"":
    if (object == "{}") return lines.emplace_back(), void();
    std::string value = object.substr(key.size() + kAround);
    value.pop_back();
    std::erase(value, '"');  // values are names, numbers and hex: none contains a quote
    lines.push_back(fmt::format("{} {}", key, value));
  }
};

/// The kind and then the fields of an event or an effect.
template <class Variant>
Lines lines_of(const Variant& variant) {
  FieldList fields;
  fields.lines.emplace_back(trace::name(variant));
  std::visit([&](const auto& value) { trace::PoolFields<FieldList>{fields}(value); }, variant);
  return fields.lines;
}

std::string in_words(const pool::Event& event) {
  Lines lines = lines_of(event);
  std::erase(lines, "");
  return fmt::format("{}", fmt::join(lines, ", "));
}

/// The lines of effect number `index`, its fields indented. No lines if there is no such effect.
Lines lines_at(std::span<const pool::Effect> effects, std::size_t place) {
  if (place >= effects.size()) return {};
  Lines lines = lines_of(effects[place]);
  for (std::size_t i = 1; i < lines.size(); ++i) {
    if (!lines[i].empty()) lines[i].insert(0, "  ");
  }
  return lines;
}

std::vector<EffectRow> compared(std::span<const pool::Effect> recorded,
                                std::span<const pool::Effect> today) {
  std::vector<EffectRow> rows;
  for (std::size_t place = 0; place < std::max(recorded.size(), today.size()); ++place) {
    Lines left = lines_at(recorded, place);
    Lines right = lines_at(today, place);
    const bool of_one_kind = !left.empty() && !right.empty() && left.front() == right.front();
    if (!of_one_kind) {
      std::erase(left, "");
      std::erase(right, "");
    }
    const std::size_t height = std::max(left.size(), right.size());
    left.resize(height);
    right.resize(height);
    for (std::size_t i = 0; i < height; ++i) {
      if (!left[i].empty() || !right[i].empty()) rows.push_back({left[i], right[i]});
    }
  }
  return rows;
}

bool differs(const EffectRow& row) {
  return row.recorded != row.today;
}

}  // namespace

Parsed<Replay> replay(const trace::Trace& trace, const std::string& where) {
  if (trace.pool.empty()) {
    return unexpected(InputError{where, "no record of a pool in it",
                                 "the trace of a run with our own pool, whole"});
  }
  const auto scenario =
      scenario::read_scenario(trace.header.scenario_json, where + ":1#/scenario_json");
  if (!scenario) return unexpected(scenario.error());
  pool::Config config = scenario->pool.core;
  config.seed = trace.header.seed;
  pool::Core core(config);
  Replay replay;
  replay.events = trace.pool.size();
  std::vector<pool::Effect> today;
  for (std::size_t i = 0; i < trace.pool.size(); ++i) {
    const trace::PoolRecord& record = trace.pool[i];
    today.clear();
    core.step(record.at, record.event, today);
    auto rows = compared(record.effects, today);
    if (std::ranges::none_of(rows, differs)) continue;
    replay.difference =
        Difference{i + 1, record.line, record.at, in_words(record.event), std::move(rows)};
    break;
  }
  return replay;
}

std::string words(const Replay& replay, const std::string& where) {
  if (!replay.difference) {
    return fmt::format("replayed {} event{}, the same effects\n", replay.events,
                       replay.events == 1 ? "" : "s");
  }
  const Difference& found = *replay.difference;
  std::string text = fmt::format(
      "{}:{}: event {} of {} has other effects than recorded\n  at {} ms: {}\n", where, found.line,
      found.number, replay.events, trace::milliseconds(found.at.time_since_epoch()), found.event);
  std::size_t width = std::string_view("recorded").size();
  for (const EffectRow& row : found.rows) width = std::max(width, row.recorded.size());
  text += fmt::format("    {:<{}}   today\n", "recorded", width);
  for (const EffectRow& row : found.rows) {
    text += fmt::format("  {} {:<{}} | {}\n", differs(row) ? '!' : ' ',
                        row.recorded.empty() ? "-" : row.recorded, width,
                        row.today.empty() ? "-" : row.today);
  }
  return text;
}

}  // namespace poolproof::agreement
