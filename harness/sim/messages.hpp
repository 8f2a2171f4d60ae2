#pragma once

#include <cstdint>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include <nlohmann/json_fwd.hpp>

#include "harness/pool/requests.hpp"
#include "harness/scenario/scenario.hpp"

namespace poolproof::sim {

inline constexpr const char* kTimestamp = "1970-01-01T00:00:00.000Z";

/// What clients say to workers, as frames, in the codec of the run.
class Messages {
 public:
  void begin(const pool::WireOptions& wire) { wire_ = wire; }

  [[nodiscard]] const pool::WireOptions& wire() const { return wire_; }
  /// A call as a frame. Error: why no frame can hold it.
  Expected<std::string, std::string> call(std::int64_t request, const scenario::Call& step,
                                          const std::string& nonce);

 private:
  using Args = std::shared_ptr<const nlohmann::json>;

  [[nodiscard]] const std::string& text_of(const Args& args);

  pool::WireOptions wire_;
  /// The args met last and their texts: generated scenarios share a few args, and each is turned
  /// into text only once.
  std::vector<std::pair<Args, std::string>> texts_;
};

}  // namespace poolproof::sim
