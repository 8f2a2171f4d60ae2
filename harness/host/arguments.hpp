#pragma once

#include <utility>

#include <nlohmann/json.hpp>

namespace poolproof::host {

/// The arguments of one call: a JSON object, written in place as `{{"n", 1}, {"text", "x"}}`, or
/// one that is already there, which is not copied and must outlive the call.
class Arguments {
 public:
  Arguments() : own_(nlohmann::json::object()), value_(&own_) {}
  Arguments(nlohmann::json::initializer_list_t members) : own_(members), value_(&own_) {}
  Arguments(const nlohmann::json& object) : value_(&object) {}
  Arguments(const Arguments&) = delete;
  Arguments& operator=(const Arguments&) = delete;
  ~Arguments() = default;

  [[nodiscard]] const nlohmann::json& value() const { return *value_; }

 private:
  nlohmann::json own_;
  const nlohmann::json* value_;
};

}  // namespace poolproof::host
