#include "reports/probe_json.hpp"

#include <nlohmann/json.hpp>

namespace poolproof::reports {

std::string probe_json(const probe::Table& table) {
  using json = nlohmann::ordered_json;
  json rows = json::array();
  for (const probe::Row& row : table.rows) {
    rows.push_back({{"row", row.id},
                    {"fact", row.fact},
                    {"verdict", probe::name(row.finding.verdict)},
                    {"what", row.finding.what},
                    {"took_ms", to_ms(row.took)}});
  }
  const json document{{"schema_version", 1},
                      {"command", table.command},
                      {"usable", table.usable()},
                      {"diagnosis", table.diagnosis},
                      {"rows", std::move(rows)}};
  return document.dump(2, ' ', false, json::error_handler_t::replace) + "\n";
}

}  // namespace poolproof::reports
