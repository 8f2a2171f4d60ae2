#include <algorithm>
#include <string>

#include "harness/oracle/oracle.hpp"

namespace poolproof::oracle {
namespace {

constexpr std::size_t kSignatureBytesMax = 160;
constexpr std::string_view kGap = "#";

bool is_plain(char c) {
  return c > ' ' && c <= '~';
}
bool is_digit(char c) {
  return c >= '0' && c <= '9';
}
bool is_letter(char c) {
  return (c >= 'a' && c <= 'z') || (c >= 'A' && c <= 'Z');
}
/// Whether a word may contain it: names of clients (`a-b.2`), nonces (`a:1`) and numbers are words.
bool is_of_word(char c) {
  return is_letter(c) || is_digit(c) || c == '_' || c == '-' || c == '.' || c == ':' || c == '#';
}

/// Whether the word differs from run to run: a number, an id, a nonce, a byte in hex. Names of
/// outcomes and faults (`utf8_invalid`) do not.
bool varies(std::string_view word) {
  bool digit = false;
  for (const char c : word) {
    if (is_digit(c)) digit = true;
    if (c == '_') return false;
  }
  const bool hex = word.size() == 2 && word.find_first_not_of("0123456789abcdef") == word.npos;
  return digit || hex;
}

/// Whether the word varies: "be" counts as a byte in hex only behind another varying word.
bool varies_behind(std::string_view previous, std::string_view word) {
  return varies(word) && (word != "be" || varies(previous));
}

/// Whether a name stands behind this word.
bool names(std::string_view word) {
  return word == "client" || word == "to" || word == "read" || word == "call";
}

class Reduction {
 public:
  explicit Reduction(std::string_view sentence) : rest_(sentence) {}

  void append_to(std::string& text) {
    while (!rest_.empty() && text.size() < kSignatureBytesMax) take(text);
    while (!text.empty() && text.back() == ' ') text.pop_back();
    if (text.size() > kSignatureBytesMax) text.resize(kSignatureBytesMax);
  }

 private:
  void take(std::string& text) {
    const char c = rest_.front();
    if (c == '"') return quoted(text);
    if (is_of_word(c)) return word(text);
    rest_.remove_prefix(1);
    if (c == '\\' && rest_.starts_with('x')) {
      rest_.remove_prefix(std::min<std::size_t>(3, rest_.size()));
      return gap(text);
    }
    if (is_plain(c)) {
      text += c;
    } else if (!text.empty() && text.back() != ' ') {
      text += ' ';
    }
  }

  void quoted(std::string& text) {
    const std::size_t end = rest_.find('"', 1);
    rest_.remove_prefix(end == rest_.npos ? rest_.size() : end + 1);
    previous_ = {};
    gap(text);
  }

  void word(std::string& text) {
    std::size_t size = 0;
    while (size < rest_.size() && is_of_word(rest_[size])) ++size;
    std::string_view word = rest_.substr(0, size);
    rest_.remove_prefix(size);
    std::string_view tail;  // the sentence's own punctuation at the end of the word
    while (!word.empty() && (word.back() == '.' || word.back() == ':')) {
      tail = std::string_view(word.data() + word.size() - 1, tail.size() + 1);
      word.remove_suffix(1);
    }
    const bool name = previous_ == "client" || (names(previous_) && word.find(':') != word.npos);
    const bool gone = name || varies_behind(previous_, word);
    previous_ = word;
    if (gone) {
      gap(text);
    } else {
      text += word;
    }
    text += tail;
  }

  static void gap(std::string& text) {
    if (text.ends_with("#")) return;
    if (text.ends_with("# ")) return text.pop_back();
    text += kGap;
  }

  std::string_view rest_;
  std::string_view previous_;
};

}  // namespace

std::string signature(const Finding& finding) {
  std::string text = finding.invariant + ": ";
  Reduction(finding.what).append_to(text);
  return text;
}

}  // namespace poolproof::oracle
