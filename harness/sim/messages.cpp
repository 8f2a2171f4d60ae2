#include "harness/sim/messages.hpp"

#include <nlohmann/json.hpp>

#include "harness/sim/client_script.hpp"

namespace poolproof::sim {
namespace {

constexpr std::size_t kTextsMost = 32;

}  // namespace

Expected<std::string, std::string> Messages::call(std::int64_t request, const scenario::Call& step,
                                                  const std::string& nonce) {
  if (wire_.codec == wire::Codec::terse) {
    return wire::encode_frame(
        wire_.framing,
        wire::TerseRequest{request, step.command, nonce, text_of(step.args), step.pad_bytes});
  }
  return wire::encode_frame(wire_.framing, wire_.row().request(request, step.command,
                                                               call_args(step, nonce), kTimestamp));
}

const std::string& Messages::text_of(const Args& args) {
  for (const auto& [known, text] : texts_) {
    if (known == args) return text;
  }
  if (texts_.size() >= kTextsMost) texts_.clear();
  texts_.emplace_back(args, args->dump(-1, ' ', false, nlohmann::json::error_handler_t::replace));
  return texts_.back().second;
}

}  // namespace poolproof::sim
