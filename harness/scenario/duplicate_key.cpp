#include <set>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/text.hpp"
#include "harness/scenario/read_parts.hpp"

namespace poolproof::scenario {
namespace {

/// Follows the parser through the text and stops at the first key that its object has already.
class DuplicateFinder final : public nlohmann::json_sax<nlohmann::json> {
 public:
  explicit DuplicateFinder(const std::string& where) : where_(where) {}

  std::optional<InputError> found;

  bool null() override { return value(); }
  bool boolean(bool /*v*/) override { return value(); }
  bool number_integer(number_integer_t /*v*/) override { return value(); }
  bool number_unsigned(number_unsigned_t /*v*/) override { return value(); }
  bool number_float(number_float_t /*v*/, const string_t& /*text*/) override { return value(); }
  bool string(string_t& /*v*/) override { return value(); }
  bool binary(binary_t& /*v*/) override { return value(); }
  bool start_object(std::size_t /*size*/) override { return open(false); }
  bool start_array(std::size_t /*size*/) override { return open(true); }
  bool end_object() override { return close(); }
  bool end_array() override { return close(); }
  bool key(string_t& key) override {
    Level& level = levels_.back();
    level.token = key;
    if (level.keys.insert(key).second) return true;
    levels_.pop_back();
    found = InputError{place(), fmt::format("the key \"{}\" is there twice", printable(key)),
                       "one of them"};
    return false;
  }
  bool parse_error(std::size_t /*at*/, const std::string& /*token*/,
                   const nlohmann::detail::exception& /*why*/) override {
    return false;
  }

 private:
  struct Level {
    bool is_array;
    std::size_t next = 0;
    std::string token;
    std::set<std::string> keys;
  };

  bool value() {
    begin_value();
    return true;
  }
  bool open(bool is_array) {
    begin_value();
    levels_.push_back({is_array, 0, "", {}});
    return true;
  }
  bool close() {
    levels_.pop_back();
    return true;
  }
  void begin_value() {
    if (levels_.empty() || !levels_.back().is_array) return;
    levels_.back().token = std::to_string(levels_.back().next++);
  }
  [[nodiscard]] std::string place() const {
    std::string path;
    for (const Level& level : levels_) path.append("/").append(printable(level.token));
    return path.empty() ? where_ : where_ + "#" + path;
  }

  const std::string& where_;
  std::vector<Level> levels_;
};

}  // namespace

std::optional<InputError> find_duplicate_key(std::string_view json_text, const std::string& where) {
  DuplicateFinder finder(where);
  nlohmann::json::sax_parse(json_text, &finder);
  return finder.found;
}

}  // namespace poolproof::scenario
