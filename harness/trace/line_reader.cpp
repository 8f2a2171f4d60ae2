#include "harness/trace/line_reader.hpp"

#include <charconv>
#include <cmath>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/json_node.hpp"
#include "harness/base/text.hpp"

namespace poolproof::trace {
namespace {

using Json = nlohmann::json;

/// Up to this many milliseconds a double tells every microsecond apart.
constexpr double kMaxMs = 1e12;

std::optional<WorkerId> worker_of(std::string_view word) {
  WorkerId worker;
  const char* end = word.data() + word.size();
  const auto slot = std::from_chars(word.data(), end, worker.slot);
  if (slot.ec != std::errc{} || slot.ptr == end || *slot.ptr != '.') return std::nullopt;
  const auto generation = std::from_chars(slot.ptr + 1, end, worker.generation);
  if (generation.ec != std::errc{} || generation.ptr != end) return std::nullopt;
  return worker;
}

}  // namespace

LineReader::LineReader(const Json& object, std::string where)
    : object_(object), where_(std::move(where)) {}

bool LineReader::has(std::string_view key) const {
  return object_.contains(key);
}

const Json* LineReader::value(std::string_view key) {
  asked_.emplace_back(key);
  const auto found = object_.find(std::string(key));
  if (found != object_.end()) return &*found;
  wrong(key, "is missing");
  return nullptr;
}

void LineReader::wrong(std::string_view key, const std::string& what, const std::string& want) {
  if (error_) return;
  error_ = InputError{where_, fmt::format("\"{}\" {}", key, printable(what)), want};
}

std::optional<InputError> LineReader::finish() {
  if (error_) return error_;
  const auto key = unknown_key(object_, asked_);
  if (!key) return std::nullopt;
  return InputError{where_, "unknown key \"" + printable(*key) + "\"", did_you_mean(*key, asked_)};
}

void LineReader::nested(std::string_view key, pool::StartEvidence& evidence) {
  const Json* inner = value(key);
  if (inner == nullptr) return;
  if (!inner->is_object()) return wrong(key, "is no object");
  LineReader reader(*inner, where_);
  evidence_fields(reader, evidence);
  const auto error = reader.finish();
  if (error && !error_) error_ = error;
}

void LineReader::first_bytes(std::string_view key, std::array<char, 48>& bytes,
                             std::uint8_t& size) {
  if (!has(key)) return;
  std::string hex;
  get(key, hex);
  const bool fits = hex.size() % 2 == 0 && hex.size() / 2 <= bytes.size();
  if (!fits) return wrong(key, "is not the hex of at most 48 bytes");
  for (std::size_t i = 0; i < hex.size() / 2; ++i) {
    unsigned char byte = 0;
    const char* end = hex.data() + 2 * i + 2;
    if (std::from_chars(hex.data() + 2 * i, end, byte, 16).ptr != end) {
      return wrong(key, "is not hex");
    }
    bytes[i] = static_cast<char>(byte);
  }
  size = static_cast<std::uint8_t>(hex.size() / 2);
}

void LineReader::get(std::string_view key, bool& flag) {
  const Json* found = value(key);
  if (found == nullptr) return;
  if (!found->is_boolean()) return wrong(key, "is neither true nor false");
  flag = found->get<bool>();
}

void LineReader::get(std::string_view key, std::string& text) {
  const Json* found = value(key);
  if (found == nullptr) return;
  if (!found->is_string()) return wrong(key, "is no text");
  text = found->get<std::string>();
}

void LineReader::get(std::string_view key, Duration& span) {
  const Json* found = value(key);
  if (found == nullptr) return;
  if (!found->is_number()) return wrong(key, "is no number of milliseconds");
  const double ms = found->get<double>();
  if (!(std::abs(ms) <= kMaxMs)) return wrong(key, "is out of range", "at most 1e12 ms");
  span = Duration(std::llround(ms * 1000));
}

void LineReader::get(std::string_view key, Time& time) {
  if (has(key) && object_.find(std::string(key))->is_null()) {
    asked_.emplace_back(key);
    time = kNever;
    return;
  }
  Duration since = time.time_since_epoch();
  get(key, since);
  time = Time(since);
}

void LineReader::get(std::string_view key, WorkerId& worker) {
  std::string word;
  get(key, word);
  const auto found = worker_of(word);
  if (!found) return wrong(key, "is no worker: " + word, "slot.generation, as \"0.1\"");
  worker = *found;
}

void LineReader::get(std::string_view key, std::vector<std::string>& values) {
  const Json* found = value(key);
  if (found == nullptr) return;
  if (!found->is_array()) return wrong(key, "is no list");
  for (const Json& one : *found) {
    if (!one.is_string()) return wrong(key, "is no list of texts");
    values.push_back(one.get<std::string>());
  }
}

void LineReader::signed_number(std::string_view key, std::int32_t& number) {
  const Json* found = value(key);
  if (found == nullptr) return;
  using Limits = std::numeric_limits<std::int32_t>;
  const auto read = whole_within(*found, Limits::min(), Limits::max());
  if (!read) return wrong(key, "is no whole number in range");
  number = static_cast<std::int32_t>(*read);
}

void LineReader::whole_number(std::string_view key, std::uint64_t& number, std::uint64_t max) {
  const Json* found = value(key);
  if (found == nullptr) return;
  if (!found->is_number_unsigned() || found->get<std::uint64_t>() > max) {
    return wrong(key, "is no whole number from 0 in range");
  }
  number = found->get<std::uint64_t>();
}

}  // namespace poolproof::trace
