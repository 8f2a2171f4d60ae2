#include "harness/sim/messages.hpp"

#include <nlohmann/json.hpp>

#include "harness/pool/requests.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::sim {
namespace {

using nlohmann::json;

constexpr const char* kTimestamp = "1970-01-01T00:00:00.000Z";
constexpr std::size_t kTextsMost = 32;

}  // namespace

void Messages::begin(const wire::Framing& framing, wire::Codec codec) {
  framing_ = framing;
  codec_ = codec;
}

Messages::Frame Messages::ping(WorkerId worker) {
  if (codec_ == wire::Codec::terse) return terse({0, "ping", {}, "{}", 0});
  return wire::encode_frame(framing_, pool::ping_request(worker, kTimestamp));
}

Messages::Frame Messages::shutdown(WorkerId worker, std::int64_t request) {
  if (codec_ == wire::Codec::terse) return terse({request, "shutdown", {}, "{}", 0});
  return wire::encode_frame(framing_, pool::shutdown_request(worker, request, kTimestamp));
}

Messages::Frame Messages::call(std::int64_t request, const scenario::Call& step,
                               const std::string& nonce) {
  if (codec_ == wire::Codec::terse) {
    return terse({request, step.command, nonce, text_of(step.args), step.pad_bytes});
  }
  json args = *step.args;
  args["nonce"] = nonce;
  if (step.pad_bytes > 0) args["pad"] = std::string(step.pad_bytes, 'x');
  return wire::encode_frame(framing_,
                            wire::encode_request(request, step.command, args, kTimestamp));
}

Messages::Frame Messages::terse(const wire::TerseRequest& request) {
  std::string frame(framing_.prefix_bytes, '\0');
  wire::encode_terse(request, frame);
  return wire::seal_frame(framing_, std::move(frame));
}

const std::string& Messages::text_of(const Args& args) {
  for (const auto& [known, text] : texts_) {
    if (known == args) return text;
  }
  if (texts_.size() >= kTextsMost) texts_.clear();
  texts_.emplace_back(args, args->dump(-1, ' ', false, json::error_handler_t::replace));
  return texts_.back().second;
}

}  // namespace poolproof::sim
