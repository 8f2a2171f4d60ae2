#include "reports/compare.hpp"

#include <algorithm>
#include <array>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/wire/envelope.hpp"
#include "reports/compare_kinds.hpp"
#include "reports/report_json.hpp"
#include "reports/wording.hpp"

namespace poolproof::reports {
namespace {

using nlohmann::json;

enum class Kind : std::uint8_t { benchmarks, report };

constexpr std::string_view kWanted =
    "it should be a report.json of poolproof or what a benchmark writes with "
    "--benchmark_format=json";

Parsed<json> parsed(std::string_view text, const std::string& name) {
  Expected<json, std::string> document = wire::parse_json(text);
  if (!document) return unexpected(InputError{name, document.error(), std::string(kWanted)});
  return std::move(*document);
}

Parsed<Kind> kind_of(const Document& document) {
  const json& top = document.json;
  if (top.is_object() && top.contains("report_version")) {
    if (top["report_version"] == kReportVersion) return Kind::report;
    return unexpected(InputError{document.name + "#/report_version", "is not known here",
                                 fmt::format("it should be {}", kReportVersion)});
  }
  if (top.is_object() && top.contains("benchmarks")) return Kind::benchmarks;
  return unexpected(
      InputError{document.name, "neither a report nor benchmarks", std::string(kWanted)});
}

/// The names of the changes, indexed by Change.
constexpr std::array<std::string_view, 5> kChangeNames{"same", "better", "noisy", "changed",
                                                       "REGRESSION"};

std::size_t count(const Comparison& comparison, Change change) {
  return static_cast<std::size_t>(
      std::ranges::count(comparison.rows, change, &ComparedRow::change));
}

std::string shown_name(const ComparedRow& row) {
  return shortened(legal_line(row.name));
}

std::string listed(std::string_view what, const std::vector<std::string>& names) {
  std::string out;
  for (const std::string& name : names) out += fmt::format("{:10}  {}\n", what, legal_line(name));
  return out;
}

std::string judgement(const Comparison& comparison) {
  const std::size_t regressions = count(comparison, Change::regression);
  std::string out = fmt::format("{} compared, {} regression{}", comparison.rows.size(), regressions,
                                regressions == 1 ? "" : "s");
  if (!comparison.errors.empty()) out += fmt::format(", {} in error", comparison.errors.size());
  return out + (comparison.regressed() ? ": worse than the base\n" : ": no worse than the base\n");
}

}  // namespace

bool Comparison::regressed() const {
  return !errors.empty() || count(*this, Change::regression) > 0;
}

Parsed<Comparison> compare(std::string_view base_json, const std::string& base_name,
                           std::string_view new_json, const std::string& new_name, Limits limits) {
  const Parsed<json> base_document = parsed(base_json, base_name);
  if (!base_document) return unexpected(base_document.error());
  const Parsed<json> new_document = parsed(new_json, new_name);
  if (!new_document) return unexpected(new_document.error());

  const Document base{base_name, *base_document};
  const Document fresh{new_name, *new_document};
  const Parsed<Kind> base_kind = kind_of(base);
  if (!base_kind) return unexpected(base_kind.error());
  const Parsed<Kind> new_kind = kind_of(fresh);
  if (!new_kind) return unexpected(new_kind.error());
  if (*base_kind != *new_kind) {
    const bool report = *new_kind == Kind::report;
    return unexpected(InputError{new_name, report ? "is a report" : "holds benchmarks",
                                 fmt::format("{} {}: compare two of a kind", base_name,
                                             report ? "holds benchmarks" : "is a report")});
  }

  Comparison comparison{base_name, new_name, {}, {}, {}, {}};
  Parsed<Comparison> result = *base_kind == Kind::benchmarks
                                  ? compare_benchmarks(base, fresh, limits, std::move(comparison))
                                  : compare_reports(base, fresh, std::move(comparison));
  if (result && result->rows.empty() && result->errors.empty()) {
    return unexpected(InputError{new_name, "has nothing in common with " + base_name,
                                 "a comparison of nothing proves nothing"});
  }
  return result;
}

std::string text(const Comparison& comparison) {
  std::size_t width = 0;
  for (const ComparedRow& row : comparison.rows) {
    width = std::max(width, shown_name(row).size());
  }
  std::string out = fmt::format("base {}, new {}\n", legal_line(comparison.base_name),
                                legal_line(comparison.new_name));
  for (const ComparedRow& row : comparison.rows) {
    const std::string ratio = row.ratio ? fmt::format("x{:<6.2f}  ", *row.ratio) : "";
    out += fmt::format("{:10}  {:{}}  {}{} -> {}\n",
                       kChangeNames[static_cast<std::size_t>(row.change)], shown_name(row), width,
                       ratio, legal_line(row.before), legal_line(row.after));
  }
  out += listed("added", comparison.added);
  out += listed("removed", comparison.removed);
  out += listed("ERROR", comparison.errors);
  return out + judgement(comparison);
}

std::optional<std::string> text_at(const json& object, const char* key) {
  if (!object.is_object()) return std::nullopt;
  const auto found = object.find(key);
  if (found == object.end() || !found->is_string()) return std::nullopt;
  return found->get<std::string>();
}

}  // namespace poolproof::reports
