#include "harness/trace/line_writer.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

namespace poolproof::trace {

std::string milliseconds(Duration span) {
  const std::int64_t us = span.count();
  const std::uint64_t size =
      us < 0 ? std::uint64_t{0} - static_cast<std::uint64_t>(us) : static_cast<std::uint64_t>(us);
  return fmt::format("{}{}.{:03}", us < 0 ? "-" : "", size / 1000, size % 1000);
}

std::string dotted(WorkerId worker) {
  return fmt::format("{}.{}", worker.slot, worker.generation);
}

std::string json_string(std::string_view text) {
  return nlohmann::json(text).dump(-1, ' ', false, nlohmann::json::error_handler_t::replace);
}

void LineWriter::first_bytes(std::string_view key, const std::array<char, 48>& bytes,
                             std::uint8_t size) {
  std::string hex;
  for (std::size_t i = 0; i < size && i < bytes.size(); ++i) {
    hex += fmt::format("{:02x}", static_cast<unsigned char>(bytes[i]));
  }
  may(key, hex);
}

void LineWriter::add(std::string_view key, std::string_view json_text) {
  members_ += fmt::format("{}\"{}\":{}", members_.empty() ? "" : ",", key, json_text);
}

std::string LineWriter::json(const std::vector<std::string>& values) {
  std::string list;
  for (const std::string& value : values) {
    if (!list.empty()) list += ',';
    list += json_string(value);
  }
  return "[" + list + "]";
}

}  // namespace poolproof::trace
