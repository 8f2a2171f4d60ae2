#pragma once

#include <array>
#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <string_view>

#include "fake_workers/plan.hpp"
#include "fake_workers/request.hpp"
#include "harness/base/clock.hpp"
#include "harness/wire/framing.hpp"
#include "harness/wire/speech.hpp"
#include "harness/wire/terse.hpp"

namespace poolproof::faults {

/// How a worker goes on that has stopped within a frame.
enum class Ending : std::uint8_t {
  exit,
  kill,    ///< itself, by KILL
  hang,    ///< reads and writes nothing any more, and lives until a signal comes
  close,   ///< closes the stream that the frame is in, and lives
  answer,  ///< of a request only: answers it without having read it, then hangs
};
inline constexpr std::array<std::string_view, 4> kEndingNames{"exit", "kill", "hang", "close"};
inline constexpr std::array<std::string_view, 5> kReadEndingNames{"exit", "kill", "hang", "close",
                                                                  "answer"};

/// Where a frame ends too early, and what comes then.
struct Cut {
  std::size_t keep_bytes = 0;  ///< of the frame, header included
  Ending then = Ending::exit;
  int code = 0;  ///< of Ending::exit
};

/// Of a fault that has the parameters `keep_bytes`, `then` and `code`.
Cut cut_of(const PlannedFault& fault);

/// A reply on its way out, in pieces that faults may change before it becomes bytes.
struct ReplyInProgress {
  enum class Header : std::uint8_t {
    sound,
    none,
    zero,
    huge,
    little_endian,
    over_limit,
    malformed
  };

  // The envelope. `id`, `body` and `timestamp` are JSON.
  std::string id = "null";
  std::string body;  ///< the result, or the error; empty: there is none
  std::string timestamp;
  std::string nonce;                   ///< terse: of the request that is given back
  std::optional<std::string> payload;  ///< stands in for the envelope
  std::uint32_t pad_bytes = 0;         ///< terse: as the nonce
  std::size_t pad_to = 0;              ///< a shorter payload is padded until it is that long
  wire::Codec codec = wire::Codec::json;
  wire::Speech speech = wire::Speech::bridge;
  bool of_tool = false;  ///< mcp: the result is that of a tool, which says by itself if it failed
  bool success = true;
  RpcError code = RpcError::server_error;  ///< JSON-RPC: of an error
  bool names_success = true;

  // Whether it is written at all.
  bool dropped = false;
  bool held_back = false;  ///< stays in the worker's own buffer

  // The frame.
  Header header = Header::sound;
  wire::Framing framing;
  std::string_view malformation;  ///< malformed: one of kHeaderNames
  std::int64_t over_bytes = 0;    ///< over_limit: what the header adds to what a frame may hold
  std::int64_t length_error = 0;  ///< what the header adds to the payload's length
  std::string bytes_before;       ///< text, or frames
  std::string bytes_after;
  std::uint64_t asks_with_its_id = 0;  ///< of the frames before: the worker's own requests
  std::size_t copies = 1;

  // How it is written.
  std::size_t interrupted_at = 0;  ///< so much, then another frame, then the rest; 0: it is not
  std::optional<Cut> cut;          ///< only the beginning is written
  std::size_t chunk_bytes = 0;
  Duration gap{0};

  /// The envelope as compact JSON with sorted keys (terse: as a terse message), or what stands in
  /// for it; not padded.
  [[nodiscard]] std::string payload_bytes() const;
  [[nodiscard]] std::size_t payload_size() const;
  /// All that goes to stdout.
  [[nodiscard]] std::string bytes() const;
  /// Puts the frame of an event into the middle of `bytes`, all that goes to stdout, if it is
  /// interrupted: in front of the last byte of them at the latest.
  void interrupt(std::string& bytes) const;

 private:
  [[nodiscard]] ReplyInProgress padded() const;
};

/// What becomes of the envelope by `reply_reshaped`.
inline constexpr std::array<std::string_view, 7> kShapeNames{
    "id_fraction", "no_result", "result_list", "null_id_error", "id_null", "null", "batch"};

/// What is wrong with headers by `header_malformed`.
inline constexpr std::array<std::string_view, 5> kHeaderNames{"negative", "missing", "no_number",
                                                              "twice", "line_feed"};

/// Which frames stand in front of a reply by `frames_before_reply`.
inline constexpr std::array<std::string_view, 4> kFrameNames{"event", "request", "request_same_id",
                                                             "previous_reply"};

/// The ids of a worker's own requests begin so, unless they have the client's.
inline constexpr std::string_view kOwnIdPrefix = "poolproof-";

/// The payload as a frame, whatever the limit.
std::string framed(const wire::Framing& framing, std::string_view payload);
/// The payload of a notification that a client may pass over in any speech that has them.
std::string_view event_payload(wire::Speech speech);
/// The payload of a request of the worker's own; `id` is JSON.
std::string own_request_payload(wire::Speech speech, std::string_view id);

/// Text as JSON; broken UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);

}  // namespace poolproof::faults
