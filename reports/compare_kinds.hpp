#pragma once

#include <string>

#include <nlohmann/json_fwd.hpp>

#include "reports/compare.hpp"

/// The two kinds of files that compare() knows. Only compare.cpp uses them.
namespace poolproof::reports {

struct Document {
  const std::string& name;
  const nlohmann::json& json;
};

/// Both fill the lists of a comparison whose names have been set.
Parsed<Comparison> compare_benchmarks(const Document& base, const Document& fresh, Limits limits,
                                      Comparison into);
Parsed<Comparison> compare_reports(const Document& base, const Document& fresh, Comparison into);

/// The text under a key, or nothing.
std::optional<std::string> text_at(const nlohmann::json& object, const char* key);

}  // namespace poolproof::reports
