#include <algorithm>
#include <cmath>
#include <map>
#include <string_view>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "reports/compare_kinds.hpp"

namespace poolproof::reports {
namespace {

using nlohmann::json;

/// What one file says about one benchmark.
struct Measured {
  std::vector<double> times_ns;
  std::string error;  ///< why there is no usable time; empty: there is one
};

struct Benchmarks {
  std::vector<std::string> order;
  std::map<std::string, Measured> by_name;
};

std::optional<double> nanoseconds_in(const std::string& unit) {
  if (unit == "ns") return 1.0;
  if (unit == "us") return 1e3;
  if (unit == "ms") return 1e6;
  if (unit == "s") return 1e9;
  return std::nullopt;
}

bool is_repetition(const json& row) {
  const std::optional<std::string> type = text_at(row, "run_type");
  return type ? *type == "iteration" : !row.contains("aggregate_name");
}

bool has_error(const json& row) {
  const auto flag = row.find("error_occurred");
  return flag != row.end() && flag->is_boolean() && flag->get<bool>();
}

/// Adds one row. Returns what is wrong with it, or "".
std::string read_row(const json& row, Measured& into) {
  if (has_error(row)) {
    into.error = text_at(row, "error_message").value_or("error_occurred");
    return "";
  }
  const auto time = row.find("real_time");
  if (time == row.end() || !time->is_number()) return "no number in \"real_time\"";
  const std::string unit = text_at(row, "time_unit").value_or("ns");
  const std::optional<double> factor = nanoseconds_in(unit);
  if (!factor) return fmt::format("unknown time_unit \"{}\"", unit);
  const double time_ns = time->get<double>() * *factor;
  if (std::isfinite(time_ns) && time_ns > 0) {
    into.times_ns.push_back(time_ns);
  } else {
    into.error = fmt::format("its time is {} {}", time->get<double>(), unit);
  }
  return "";
}

Parsed<Benchmarks> read(const Document& document) {
  const json& rows = document.json["benchmarks"];
  if (!rows.is_array()) {
    return unexpected(InputError{document.name + "#/benchmarks", "is no list", "a list of rows"});
  }
  Benchmarks found;
  for (std::size_t i = 0; i < rows.size(); ++i) {
    const std::string where = fmt::format("{}#/benchmarks/{}", document.name, i);
    std::optional<std::string> name = text_at(rows[i], "run_name");
    if (!name) name = text_at(rows[i], "name");
    if (!name) return unexpected(InputError{where, "a row without a name", "\"name\": text"});
    if (!is_repetition(rows[i])) continue;
    const auto [entry, is_new] = found.by_name.try_emplace(*name);
    if (is_new) found.order.push_back(*name);
    const std::string problem = read_row(rows[i], entry->second);
    if (!problem.empty()) {
      return unexpected(InputError{where, problem, "what Google Benchmark writes"});
    }
  }
  if (found.order.empty()) {
    return unexpected(InputError{document.name + "#/benchmarks", "no repetition's own row",
                                 "run without --benchmark_report_aggregates_only"});
  }
  return found;
}

std::string readable(double ns) {
  if (ns < 1e3) return fmt::format("{:.1f} ns", ns);
  if (ns < 1e6) return fmt::format("{:.2f} us", ns / 1e3);
  if (ns < 1e9) return fmt::format("{:.2f} ms", ns / 1e6);
  return fmt::format("{:.2f} s", ns / 1e9);
}

std::string readable(const Spread& spread) {
  if (spread.repetitions == 1) return readable(spread.median_ns) + " (once: no spread)";
  return fmt::format("{} [{}..{}]", readable(spread.median_ns), readable(spread.low_ns),
                     readable(spread.high_ns));
}

Change judged(const Spread& before, const Spread& after, double ratio, Limits limits) {
  const double bound = 1 + limits.slower_by;
  if (ratio > bound) return after.low_ns > before.high_ns ? Change::regression : Change::noisy;
  if (ratio < 1 / bound) return after.high_ns < before.low_ns ? Change::better : Change::noisy;
  return Change::same;
}

ComparedRow row_of(const std::string& name, const Measured& base, const Measured& fresh,
                   Limits limits) {
  const Spread before = spread_of(base.times_ns);
  const Spread after = spread_of(fresh.times_ns);
  const double ratio = after.median_ns / before.median_ns;
  return {name, judged(before, after, ratio, limits), readable(before), readable(after), ratio};
}

/// Requires: `values` is not empty.
double median(std::vector<double> values) {
  std::ranges::sort(values);
  const std::size_t half = values.size() / 2;
  return values.size() % 2 == 1 ? values[half] : (values[half - 1] + values[half]) / 2;
}

/// Rows that run none of our code: they show how fast the machine was.
constexpr std::string_view kMachineRows = "echo/raw/";
/// A larger factor means another machine, or one that had another speed.
constexpr double kMachineFactor = 1.25;
constexpr const char* kTakeBoth = "two runs of one machine at one speed: ./dev bench --against REV";

std::optional<InputError> other_machine(const Document& base, const Document& fresh) {
  for (const char* key : {"host_name", "num_cpus"}) {
    const json::json_pointer place = json::json_pointer("/context") / key;
    if (!base.json.contains(place) || !fresh.json.contains(place)) continue;
    const json& before = base.json[place];
    const json& after = fresh.json[place];
    if (before == after) continue;
    return InputError{
        fmt::format("{}#/context/{}", fresh.name, key),
        fmt::format("{} cannot be compared with {} of {}", after.dump(), before.dump(), base.name),
        kTakeBoth};
  }
  return std::nullopt;
}

std::optional<InputError> other_speed(const Document& base, const Benchmarks& before,
                                      const Document& fresh, const Benchmarks& after) {
  for (const auto& [name, measured] : after.by_name) {
    const auto old = before.by_name.find(name);
    if (!name.starts_with(kMachineRows) || old == before.by_name.end()) continue;
    if (measured.times_ns.empty() || old->second.times_ns.empty()) continue;
    const double ratio =
        spread_of(measured.times_ns).median_ns / spread_of(old->second.times_ns).median_ns;
    if (ratio <= kMachineFactor && ratio >= 1 / kMachineFactor) continue;
    return InputError{fmt::format("{}: {}", fresh.name, name),
                      fmt::format("has no pool in it and takes x{:.2f} of what it takes in {}: the "
                                  "two cannot be compared",
                                  ratio, base.name),
                      kTakeBoth};
  }
  return std::nullopt;
}

}  // namespace

Spread spread_of(const std::vector<double>& times_ns) {
  POOLPROOF_ASSERT(!times_ns.empty());
  Spread spread;
  spread.repetitions = times_ns.size();
  spread.median_ns = median(times_ns);
  std::vector<double> deviations;
  deviations.reserve(times_ns.size());
  for (const double time : times_ns) deviations.push_back(std::abs(time - spread.median_ns));
  const double far = 3 * median(deviations);
  spread.low_ns = spread.high_ns = spread.median_ns;
  for (const double time : times_ns) {
    if (std::abs(time - spread.median_ns) > far) continue;
    spread.low_ns = std::min(spread.low_ns, time);
    spread.high_ns = std::max(spread.high_ns, time);
  }
  return spread;
}

Parsed<Comparison> compare_benchmarks(const Document& base, const Document& fresh, Limits limits,
                                      Comparison into) {
  const Parsed<Benchmarks> before = read(base);
  if (!before) return unexpected(before.error());
  const Parsed<Benchmarks> after = read(fresh);
  if (!after) return unexpected(after.error());
  if (auto other = other_machine(base, fresh)) return unexpected(*std::move(other));
  if (auto other = other_speed(base, *before, fresh, *after)) return unexpected(*std::move(other));

  for (const std::string& name : after->order) {
    const Measured& measured = after->by_name.at(name);
    const auto old = before->by_name.find(name);
    if (!measured.error.empty()) {
      into.errors.push_back(fmt::format("{}: {}", name, measured.error));
    } else if (old == before->by_name.end()) {
      into.added.push_back(name);
    } else if (!old->second.error.empty()) {
      into.added.push_back(fmt::format("{} (in error in the base: {})", name, old->second.error));
    } else {
      into.rows.push_back(row_of(name, old->second, measured, limits));
    }
  }
  for (const std::string& name : before->order) {
    if (!after->by_name.contains(name)) into.removed.push_back(name);
  }
  return into;
}

}  // namespace poolproof::reports
