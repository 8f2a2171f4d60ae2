#include "harness/wrap/jest.hpp"

#include <nlohmann/json.hpp>

#include "harness/base/json_node.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::wrap {
namespace {

/// A call is a list: 1, whether it has been begun, the name, the arguments.
constexpr std::size_t kNamePlace = 2;

std::optional<JestMessage> read_json(std::string_view payload) {
  const auto list = wire::parse_json(payload);
  if (!list || !list->is_array() || list->empty()) return std::nullopt;
  const auto what = whole_within(list->front(), 0, INT32_MAX);
  if (!what) return std::nullopt;
  JestMessage message{*what, ""};
  if (list->size() > kNamePlace && list->at(kNamePlace).is_string())
    message.name = list->at(kNamePlace).get<std::string>();
  return message;
}

/// Values as V8's serializer writes them: a letter for the type, then the value.
class V8Reader {
 public:
  explicit V8Reader(std::string_view bytes) : left_(bytes) {}

  bool takes(char byte) {
    if (!left_.starts_with(byte)) return false;
    left_.remove_prefix(1);
    return true;
  }
  bool takes_any() {
    if (left_.empty()) return false;
    left_.remove_prefix(1);
    return true;
  }
  /// Reads a number written with seven bits in each byte, the lowest first.
  std::optional<std::uint32_t> number() {
    std::uint64_t value = 0;
    for (unsigned shift = 0; shift < 35 && !left_.empty(); shift += 7) {
      const auto byte = static_cast<unsigned char>(left_.front());
      left_.remove_prefix(1);
      value |= std::uint64_t{byte & 0x7fU} << shift;
      if (byte < 0x80U) return static_cast<std::uint32_t>(value);
    }
    return std::nullopt;
  }
  std::string_view text(std::size_t bytes) const { return left_.substr(0, bytes); }

 private:
  std::string_view left_;
};

std::optional<JestMessage> read_v8(std::string_view payload) {
  V8Reader reader(payload);
  // After the byte FF comes the version of the format.
  if (!reader.takes('\xff') || !reader.takes_any()) return std::nullopt;
  if (!reader.takes('A')) return std::nullopt;
  const auto members = reader.number();
  if (!members || !reader.takes('I')) return std::nullopt;
  const auto zigzag = reader.number();
  if (!zigzag || *zigzag % 2 != 0) return std::nullopt;  // an odd zigzag number is negative
  JestMessage message{*zigzag / 2, ""};
  const bool named = *members > kNamePlace && (reader.takes('T') || reader.takes('F'));
  if (!named || !reader.takes('"')) return message;
  if (const auto bytes = reader.number()) message.name = reader.text(*bytes);
  return message;
}

}  // namespace

std::optional<JestMessage> read_jest_message(std::string_view payload) {
  return payload.starts_with('\xff') ? read_v8(payload) : read_json(payload);
}

}  // namespace poolproof::wrap
