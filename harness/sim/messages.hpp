#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <string_view>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/base/ids.hpp"
#include "harness/base/result.hpp"
#include "harness/scenario/scenario.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::sim {

/// What the pool and its clients say to workers, as frames, in the codec of the run. Errors: why
/// no frame can hold it.
class Messages {
 public:
  using Frame = Expected<std::string, std::string>;

  void begin(const wire::Framing& framing, wire::Codec codec);

  [[nodiscard]] wire::Codec codec() const { return codec_; }
  Frame ping(WorkerId worker);
  Frame shutdown(WorkerId worker, std::int64_t request);
  Frame call(std::int64_t request, const scenario::Call& step, const std::string& nonce);

 private:
  using Args = std::shared_ptr<const nlohmann::json>;

  Frame terse(const wire::TerseRequest& request);
  [[nodiscard]] const std::string& text_of(const Args& args);

  wire::Framing framing_;
  wire::Codec codec_ = wire::Codec::json;
  /// Generated scenarios share the few args there are: those met last, so that they are written
  /// once.
  std::vector<std::pair<Args, std::string>> texts_;
};

}  // namespace poolproof::sim
