#include "harness/wire/envelope.hpp"

#include <algorithm>
#include <optional>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"
#include "harness/wire/plain_json.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

/// Compact JSON with sorted keys. Bytes that are not UTF-8 become U+FFFD, because dump() throws on
/// them.
std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

/// The middle of nlohmann's message, without its error code, its line and column, and the text that
/// had been read.
std::string reason(std::string_view message) {
  const std::size_t dash = message.find(" - ");
  const std::size_t bracket = message.find("] ");
  if (dash != std::string_view::npos) {
    message.remove_prefix(dash + 3);
  } else if (bracket != std::string_view::npos) {
    message.remove_prefix(bracket + 2);
  }
  message = message.substr(0, message.find("; last read: '"));
  return std::string(message.substr(0, 120));
}

/// How many bytes before the reader's position an error begins. A misplaced token is named by its
/// start, a broken token by the byte that breaks it. (`last_token` is exact for strings and numbers
/// only.)
std::size_t bytes_of_token(std::string_view why, const std::string& last_token) {
  for (const std::string_view measured : {"unexpected string", "unexpected number", "number"}) {
    if (why.starts_with(measured)) return std::max<std::size_t>(last_token.size(), 1);
  }
  if (why.starts_with("unexpected true") || why.starts_with("unexpected null")) return 4;
  return why.starts_with("unexpected false") ? 5 : 1;
}

/// Reads JSON without building a document, to find the first error and the depth of the nesting.
class Check final : public nlohmann::json_sax<json> {
 public:
  Check(std::string_view text, int max_depth) : text_(text), max_depth_(max_depth) {}

  [[nodiscard]] std::string error() const {
    return too_deep_ ? fmt::format("JSON nested deeper than {} levels, at byte {}", max_depth_,
                                   offset_of_depth())
                     : error_;
  }

  bool null() override { return true; }
  bool boolean(bool) override { return true; }
  bool number_integer(number_integer_t) override { return true; }
  bool number_unsigned(number_unsigned_t) override { return true; }
  bool number_float(number_float_t, const string_t&) override { return true; }
  bool string(string_t&) override { return true; }
  bool binary(binary_t&) override { return true; }
  bool key(string_t&) override { return true; }
  bool start_object(std::size_t) override { return deeper(); }
  bool end_object() override { return shallower(); }
  bool start_array(std::size_t) override { return deeper(); }
  bool end_array() override { return shallower(); }

  bool parse_error(std::size_t position, const std::string& last_token,
                   const json::exception& problem) override {
    const std::string why = reason(problem.what());
    const std::size_t back = bytes_of_token(why, last_token);
    std::size_t offset = std::min(position - std::min(position, back), text_.size());
    const bool negative = offset > 0 && text_.substr(offset - 1).starts_with("-Infinity");
    if (negative) --offset;
    const bool literal = why.starts_with("invalid literal") || why.starts_with("invalid number");
    const std::optional<std::string> bare = literal ? bare_word_at(offset) : std::nullopt;
    error_ = fmt::format("not JSON: {} at byte {}", bare.value_or(why), offset);
    if (offset < text_.size()) {
      error_ += fmt::format(", near \"{}\"", printable(text_.substr(offset, 24)));
    }
    return false;
  }

 private:
  bool deeper() {
    too_deep_ = ++depth_ > max_depth_;
    return !too_deep_;
  }
  bool shallower() {
    --depth_;
    return true;
  }

  /// Python's json writes these words for floats that JSON can't express.
  [[nodiscard]] std::optional<std::string> bare_word_at(std::size_t offset) const {
    for (const std::string_view word : {"NaN", "Infinity", "-Infinity"}) {
      if (text_.substr(offset).starts_with(word)) return fmt::format("bare {}", word);
    }
    return std::nullopt;
  }

  /// The offset of the bracket that opened one level too many. Up to there the text is sound JSON.
  [[nodiscard]] std::size_t offset_of_depth() const {
    int depth = 0;
    bool in_string = false;
    for (std::size_t i = 0; i < text_.size(); ++i) {
      const char c = text_[i];
      if (in_string && c == '\\') {
        ++i;
      } else if (c == '"') {
        in_string = !in_string;
      } else if (!in_string && (c == '[' || c == '{')) {
        if (++depth > max_depth_) return i;
      } else if (!in_string && (c == ']' || c == '}')) {
        --depth;
      }
    }
    return text_.size();
  }

  std::string_view text_;
  int max_depth_;
  int depth_ = 0;
  bool too_deep_ = false;
  std::string error_;
};

bool is_id(const json& value, std::int64_t expected) {
  if (value.is_number_unsigned()) {
    return expected >= 0 && value.get<std::uint64_t>() == static_cast<std::uint64_t>(expected);
  }
  return value.is_number_integer() && value.get<std::int64_t>() == expected;
}

/// Whether brackets may be nested deeper than `max_depth`. Counts them without parsing the JSON.
bool may_be_deep(std::string_view text, int max_depth) {
  const auto opening =
      std::count_if(text.begin(), text.end(), [](char c) { return c == '[' || c == '{'; });
  return opening > max_depth;
}

/// The worker's own error text, whatever its JSON type.
std::string error_text(const json& reply) {
  const auto error = reply.find("error");
  if (error == reply.end()) return "(no error text)";
  return error->is_string() ? error->get<std::string>() : dump(*error);
}

std::optional<std::string> wrong_id(const json& reply, std::int64_t expected) {
  const auto id = reply.find("id");
  if (id == reply.end()) return "reply has no \"id\"";
  if (is_id(*id, expected)) return std::nullopt;
  std::string wrong = fmt::format("expected id {}, got {}", expected, described(*id));
  const bool explained = reply.contains("error") && reply["error"].is_string();
  if (id->is_null() && explained) wrong += "; its error says: " + printable(error_text(reply));
  return wrong;
}

std::optional<std::string> wrong_success(const json& reply) {
  const auto success = reply.find("success");
  if (success == reply.end()) {
    return reply.contains("jsonrpc") ? "reply is a JSON-RPC message, which has no \"success\""
                                     : "reply has no \"success\"";
  }
  if (!success->is_boolean()) {
    return fmt::format("reply has {} as \"success\", not true or false", described(*success));
  }
  if (success->get<bool>() && !reply.contains("result")) {
    return "reply says \"success\" and has no \"result\"";
  }
  return std::nullopt;
}

}  // namespace

std::string encode_request(std::int64_t id, std::string_view command, const json& args,
                           std::string_view timestamp) {
  POOLPROOF_ASSERT(args.is_object());
  // The keys stand here in the order in which a sorted dump would write them. Building a whole
  // document would copy `args`.
  constexpr std::size_t kMostOfThem = 256;
  std::string message;
  message.reserve(kMostOfThem);
  message += R"({"args":)";
  append_json(message, args);
  message += R"(,"command":)";
  append_json_text(message, command);
  message += R"(,"id":)";
  message += fmt::format_int(id).str();
  message += R"(,"timestamp":)";
  append_json_text(message, timestamp);
  message += '}';
  return message;
}

Expected<Reply, std::string> decode_reply(std::string_view payload, std::int64_t expected_id) {
  if (auto plain = read_plain_reply(payload, expected_id)) return *std::move(plain);
  return decode_reply_in_full(payload, expected_id);
}

Expected<Reply, std::string> decode_reply_in_full(std::string_view payload,
                                                  std::int64_t expected_id) {
  Expected<json, std::string> parsed = parse_json(payload);
  if (!parsed) return unexpected("reply is " + parsed.error());
  json& document = *parsed;
  if (!document.is_object()) {
    return unexpected(fmt::format("reply is {}, not an object", described(document)));
  }
  if (auto wrong = wrong_id(document, expected_id)) return unexpected(*std::move(wrong));
  if (auto wrong = wrong_success(document)) return unexpected(*std::move(wrong));

  Reply reply;
  reply.id = expected_id;
  reply.success = document["success"].get<bool>();
  if (reply.success) {
    reply.result = std::make_shared<const json>(std::move(document["result"]));
    reply.result_is_object = reply.result->is_object();
    reply.nonce = nonce_of(*reply.result);
  } else {
    reply.error = error_text(document);
  }
  return reply;
}

std::string nonce_of(const json& result) {
  if (!result.is_object()) return "";
  const auto nonce = result.find("nonce");
  return nonce != result.end() && nonce->is_string() ? nonce->get<std::string>() : "";
}

std::string described(const json& value) {
  if (value.is_string()) {
    return fmt::format("the text \"{}\"", printable(value.get_ref<const std::string&>(), 40));
  }
  if (value.is_array()) return "an array";
  if (value.is_object()) return "an object";
  if (value.is_number_float()) return "the number " + dump(value);
  return dump(value);
}

Expected<json, std::string> parse_json(std::string_view text, int max_depth) {
  // nlohmann skips a byte order mark. Most other readers, those of Python and Node among them, do
  // not.
  constexpr std::string_view kByteOrderMark = "\xef\xbb\xbf";
  if (text.starts_with(kByteOrderMark)) {
    return unexpected(fmt::format("not JSON: a byte order mark at byte 0, near \"{}\"",
                                  printable(text.substr(kByteOrderMark.size(), 24))));
  }
  // A text that can't be nested too deeply is parsed at once. Only a text that fails is read a
  // second time, to find words for the error.
  if (!may_be_deep(text, max_depth) && text.find('\0') == std::string_view::npos) {
    json document = json::parse(text, nullptr, false);
    if (!document.is_discarded()) return document;
  }
  Check check(text, max_depth);
  if (!json::sax_parse(text, &check)) return unexpected(check.error());
  // nlohmann takes a zero byte for the end of the text and would never look at what follows it.
  const std::size_t zero = text.find('\0');
  if (zero != std::string_view::npos) {
    return unexpected(fmt::format("not JSON: a zero byte at byte {}", zero));
  }
  return json::parse(text, nullptr, false);
}

}  // namespace poolproof::wire
