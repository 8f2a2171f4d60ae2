#include "harness/wire/plain_json.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/wire/envelope.hpp"

namespace poolproof::wire {
namespace {

using nlohmann::json;

bool is_plain(char c) {
  return c >= ' ' && c <= '~' && c != '"' && c != '\\';
}

bool is_digit(char c) {
  return c >= '0' && c <= '9';
}

/// Reads plain JSON from the front of a text. Each function is false where the text is not plain;
/// then whatever was read before must be thrown away.
class PlainReader {
 public:
  explicit PlainReader(std::string_view text) : rest_(text) {}

  /// Skips blanks, and the next character if it is `wanted`; false if it is another one.
  bool take(char wanted) {
    skip_blanks();
    if (rest_.empty() || rest_.front() != wanted) return false;
    rest_.remove_prefix(1);
    return true;
  }

  bool at_end() {
    skip_blanks();
    return rest_.empty();
  }

  bool text(std::string_view& into) {
    if (!take('"')) return false;
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_plain);
    if (end == rest_.end() || *end != '"') return false;
    into = rest_.substr(0, static_cast<std::size_t>(end - rest_.begin()));
    rest_.remove_prefix(into.size() + 1);
    return true;
  }

  bool boolean(bool& into) {
    skip_blanks();
    into = rest_.starts_with("true");
    return literal(into ? "true" : "false");
  }

  /// Reads a whole number of at most 18 digits, which fits every integer of 64 bits.
  bool number(bool& negative, std::uint64_t& magnitude) {
    negative = take('-');
    const std::size_t digits = count_digits();
    magnitude = 0;
    for (std::size_t i = 0; i < digits; ++i) {
      magnitude = magnitude * 10 + static_cast<std::uint64_t>(rest_[i] - '0');
    }
    if (digits == 0 || digits > kDigitsMax || (rest_.front() == '0' && digits > 1)) {
      return false;
    }
    rest_.remove_prefix(digits);
    return rest_.empty() || (rest_.front() != '.' && rest_.front() != 'e' && rest_.front() != 'E');
  }

  bool value(json& into, int depth = 0) {
    skip_blanks();
    if (rest_.empty() || depth > kDepthMax) return false;
    switch (rest_.front()) {
      case '{':
        return object(into, depth);
      case '[':
        return list(into, depth);
      case '"':
        return text_value(into);
      case 't':
      case 'f':
        return boolean_value(into);
      case 'n':
        into = nullptr;
        return literal("null");
      default:
        return number_value(into);
    }
  }

  /// Skips a number with a fraction, as Python writes timestamps. False, and nothing skipped: not
  /// one.
  bool skip_fraction() {
    const std::string_view before = rest_;
    const std::size_t whole = count_digits();
    const bool leading_zero = whole > 1 && rest_.front() == '0';
    rest_.remove_prefix(whole);
    if (whole > 0 && whole <= kDigitsMax && !leading_zero && rest_.starts_with('.')) {
      rest_.remove_prefix(1);
      const std::size_t fraction = count_digits();
      rest_.remove_prefix(fraction);
      if (fraction > 0 && !rest_.starts_with('e') && !rest_.starts_with('E')) return true;
    }
    rest_ = before;
    return false;
  }

  void skip_blanks() {
    while (!rest_.empty() && (rest_.front() == ' ' || rest_.front() == '\n' ||
                              rest_.front() == '\t' || rest_.front() == '\r')) {
      rest_.remove_prefix(1);
    }
  }

 private:
  static constexpr std::size_t kDigitsMax = 18;
  static constexpr int kDepthMax = 16;

  [[nodiscard]] std::size_t count_digits() const {
    const auto end = std::find_if_not(rest_.begin(), rest_.end(), is_digit);
    return static_cast<std::size_t>(end - rest_.begin());
  }

  bool literal(std::string_view word) {
    if (!rest_.starts_with(word)) return false;
    rest_.remove_prefix(word.size());
    return true;
  }

  bool object(json& into, int depth) {
    take('{');
    into = json::object();
    if (take('}')) return true;
    do {
      std::string_view key;
      json member;
      if (!text(key) || !take(':') || !value(member, depth + 1)) return false;
      // Of two members with one name the last counts: such an object is left to nlohmann.
      if (!into.emplace(key, std::move(member)).second) return false;
    } while (take(','));
    return take('}');
  }

  bool list(json& into, int depth) {
    take('[');
    into = json::array();
    if (take(']')) return true;
    do {
      json member;
      if (!value(member, depth + 1)) return false;
      into.push_back(std::move(member));
    } while (take(','));
    return take(']');
  }

  bool text_value(json& into) {
    std::string_view read;
    if (!text(read)) return false;
    into = read;
    return true;
  }

  bool boolean_value(json& into) {
    bool read = false;
    if (!boolean(read)) return false;
    into = read;
    return true;
  }

  bool number_value(json& into) {
    bool negative = false;
    std::uint64_t magnitude = 0;
    if (!number(negative, magnitude)) return false;
    if (negative) {
      into = -static_cast<std::int64_t>(magnitude);
    } else {
      into = magnitude;
    }
    return true;
  }

  std::string_view rest_;
};

/// Reads a plain reply, member by member.
class PlainReply {
 public:
  explicit PlainReply(std::string_view payload) : reader_(payload) {}

  std::optional<Reply> read(std::int64_t expected_id) {
    if (!reader_.take('{')) return std::nullopt;
    do {
      std::string_view key;
      if (!reader_.text(key) || !reader_.take(':') || !member(key, expected_id)) {
        return std::nullopt;
      }
    } while (reader_.take(','));
    if (!reader_.take('}') || !reader_.at_end() || !has_id_ || !has_success_) return std::nullopt;
    // A failure without an error text is left to the full reader, which has words for it.
    if (reply_.success ? !has_result_ : !has_error_) return std::nullopt;
    if (reply_.success) {
      reply_.error.clear();
      reply_.result_is_object = result_.is_object();
      if (reply_.result_is_object) {
        const auto nonce = result_.find("nonce");
        if (nonce != result_.end() && nonce->is_string()) reply_.nonce = nonce->get<std::string>();
      }
      reply_.result = std::make_shared<const json>(std::move(result_));
    }
    reply_.id = expected_id;
    return std::move(reply_);
  }

 private:
  /// Reads one member of the reply. False also if it comes twice.
  bool member(std::string_view key, std::int64_t expected_id) {
    if (key == "id") {
      bool negative = false;
      std::uint64_t magnitude = 0;
      return !std::exchange(has_id_, true) && reader_.number(negative, magnitude) &&
             (negative ? -static_cast<std::int64_t>(magnitude)
                       : static_cast<std::int64_t>(magnitude)) == expected_id;
    }
    if (key == "success") {
      return !std::exchange(has_success_, true) && reader_.boolean(reply_.success);
    }
    if (key == "result") return !std::exchange(has_result_, true) && reader_.value(result_);
    if (key == "error") {
      std::string_view said;
      if (std::exchange(has_error_, true) || !reader_.text(said)) return false;
      reply_.error = said;
      return true;
    }
    reader_.skip_blanks();
    json ignored;
    return reader_.skip_fraction() || reader_.value(ignored);
  }

  PlainReader reader_;
  Reply reply_;
  json result_;
  bool has_id_ = false;
  bool has_success_ = false;
  bool has_result_ = false;
  bool has_error_ = false;
};

std::string dump(const json& value) {
  return value.dump(-1, ' ', false, json::error_handler_t::replace);
}

void append_number(std::string& into, const json& value) {
  const auto append = [&into](const fmt::format_int& digits) {
    into.append(digits.data(), digits.size());
  };
  if (value.is_number_unsigned()) {
    append(fmt::format_int(value.get<std::uint64_t>()));
  } else {
    append(fmt::format_int(value.get<std::int64_t>()));
  }
}

void append_object(std::string& into, const json& object) {
  char before = '{';
  for (const auto& [key, member] : object.get_ref<const json::object_t&>()) {
    into += before;
    append_json_text(into, key);
    into += ':';
    append_json(into, member);
    before = ',';
  }
  into += before == '{' ? "{}" : "}";
}

void append_list(std::string& into, const json& list) {
  char before = '[';
  for (const json& member : list) {
    into += before;
    append_json(into, member);
    before = ',';
  }
  into += before == '[' ? "[]" : "]";
}

}  // namespace

void append_json_text(std::string& into, std::string_view text) {
  if (!std::all_of(text.begin(), text.end(), is_plain)) {
    into += dump(json(text));
    return;
  }
  into += '"';
  into += text;
  into += '"';
}

void append_json(std::string& into, const json& value) {
  switch (value.type()) {
    case json::value_t::object:
      return append_object(into, value);
    case json::value_t::array:
      return append_list(into, value);
    case json::value_t::string:
      return append_json_text(into, value.get_ref<const std::string&>());
    case json::value_t::number_integer:
    case json::value_t::number_unsigned:
      return append_number(into, value);
    default:
      into += dump(value);
  }
}

std::optional<Reply> read_plain_reply(std::string_view payload, std::int64_t expected_id) {
  return PlainReply(payload).read(expected_id);
}

}  // namespace poolproof::wire
