#include "harness/wire/speech.hpp"

#include <algorithm>
#include <array>

#include <nlohmann/json.hpp>

namespace poolproof::wire {
namespace {

constexpr std::array<const SpeechRow*, 4> kSpeeches{&kBridgeSpeech, &kJsonRpcSpeech, &kMcpSpeech,
                                                    &kLspSpeech};

}  // namespace

std::span<const SpeechRow* const> speeches() {
  return kSpeeches;
}

const SpeechRow& row_of(Speech speech) {
  return *kSpeeches[static_cast<std::size_t>(speech)];
}

const SpeechRow* speech_called(std::string_view name) {
  const auto* const row = std::ranges::find(kSpeeches, name, &SpeechRow::name);
  return row == kSpeeches.end() ? nullptr : *row;
}

bool same_message(std::string_view one, std::string_view other) {
  if (one == other) return true;
  const auto first = parse_json(one);
  const auto second = parse_json(other);
  return first && second && *first == *second;
}

std::shared_ptr<const nlohmann::json> content_of(
    Speech speech, const std::shared_ptr<const nlohmann::json>& result) {
  const SpeechRow& row = row_of(speech);
  return row.unwrapped == nullptr ? result : row.unwrapped(result);
}

}  // namespace poolproof::wire
