#pragma once

#include <cstddef>
#include <cstdint>
#include <map>
#include <optional>
#include <string>
#include <string_view>
#include <utility>

#include "fake_workers/request.hpp"
#include "harness/base/clock.hpp"

namespace poolproof::faults {

/// The answer to a request, before it is framed.
struct Answer {
  bool success = true;
  RpcError code = RpcError::server_error;  ///< JSON-RPC: the code of an error
  bool refused = false;  ///< the request was not carried out: the answer is no tool's result
  std::string body;      ///< as JSON: the result, or the error's text
  bool echoes = false;   ///< the request is sent back
  Duration pause{0};     ///< how long the command sleeps first
  std::uint64_t grow_bytes = 0;  ///< how much more memory the command takes first
  /// The number of primes below this must be counted first
  std::optional<std::uint32_t> compute_below;
};

/// Carries out the commands of harness/PROTOCOL.md, without any fault.
class SoundWorker {
 public:
  explicit SoundWorker(std::string worker_id) : worker_id_(std::move(worker_id)) {}
  /// Starts anew, as if just constructed, and reuses its memory.
  void begin(std::string_view worker_id, wire::Speech speech = wire::Speech::bridge);

  Answer answer(const Request& request);
  /// The answer to `compute`, when the primes have been counted.
  static Answer computed(std::uint32_t primes);
  /// An error in place of an answer that no frame can hold. `was_error`: that answer was an error,
  /// too, and has been counted.
  Answer refuse_length(std::size_t payload_bytes, bool was_error);

 private:
  Answer obey(const Request& request);
  [[nodiscard]] std::optional<Answer> obey_method(const Request& request) const;
  Answer put(const nlohmann::json& args);
  Answer grow(const nlohmann::json& args);
  [[nodiscard]] Answer get(const nlohmann::json& args) const;

  std::string worker_id_;
  wire::Speech speech_ = wire::Speech::bridge;
  /// The JSON that was put under each (session, key)
  std::map<std::pair<std::string, std::string>, std::string> stored_;
  std::uint64_t calls_ = 0;
  std::uint64_t errors_ = 0;
  std::uint64_t grown_bytes_ = 0;
};

/// Counts the primes below a number by trial division, in slices, so that TERM can come in between.
class PrimeCount {
 public:
  explicit PrimeCount(std::uint32_t below) : below_(below) {}

  /// Looks at the next `numbers` numbers. True when all have been looked at.
  bool run(std::uint32_t numbers);
  [[nodiscard]] std::uint32_t found() const { return found_; }

 private:
  std::uint32_t below_;
  std::uint32_t next_ = 2;
  std::uint32_t found_ = 0;
};

}  // namespace poolproof::faults
