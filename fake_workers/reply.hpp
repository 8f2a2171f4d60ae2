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

/// How a worker goes on that a fault has stopped within a frame.
enum class Ending : std::uint8_t {
  exit,
  kill,    ///< it kills itself by KILL
  hang,    ///< it reads and writes nothing any more, and lives until a signal comes
  close,   ///< it closes the stream that the frame is in, and lives
  answer,  ///< only for requests: it answers without having read the request, then hangs
};
inline constexpr std::array<std::string_view, 4> kEndingNames{"exit", "kill", "hang", "close"};
inline constexpr std::array<std::string_view, 5> kReadEndingNames{"exit", "kill", "hang", "close",
                                                                  "answer"};

/// Where a frame is cut off, and what the worker does then.
struct Cut {
  std::size_t keep_bytes = 0;  ///< how much of the frame is left, header included
  Ending then = Ending::exit;
  int code = 0;  ///< the exit code of Ending::exit
};

/// The cut of a fault that has the parameters `keep_bytes`, `then` and `code`.
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
  std::string nonce;                   ///< terse: the request's nonce, if the request is echoed
  std::optional<std::string> payload;  ///< replaces the whole envelope
  std::uint32_t pad_bytes = 0;         ///< terse: the request's pad, if the request is echoed
  std::size_t pad_to = 0;              ///< a shorter payload is padded until it is that long
  wire::Codec codec = wire::Codec::json;
  wire::Speech speech = wire::Speech::bridge;
  bool of_tool = false;  ///< mcp: a tool's result, which itself says whether the tool failed
  bool success = true;
  RpcError code = RpcError::server_error;  ///< JSON-RPC: the code of an error
  bool names_success = true;

  // Whether it is written at all.
  bool dropped = false;
  bool held_back = false;  ///< it stays in the worker's own buffer

  // How the payload is framed.
  Header header = Header::sound;
  wire::Framing framing;
  std::string_view malformation;  ///< for `malformed`: one of kHeaderNames
  /// For `over_limit`: by how much the header exceeds what a frame may hold
  std::int64_t over_bytes = 0;
  std::int64_t length_error = 0;  ///< what the header adds to the payload's length
  std::string bytes_before;       ///< text, or frames, in front of the reply
  std::string bytes_after;
  /// How many of the frames before it are the worker's own requests with the client's id
  std::uint64_t asks_with_its_id = 0;
  std::size_t copies = 1;

  // How it is written.
  /// After so many bytes another frame comes, then the rest; 0: not interrupted
  std::size_t interrupted_at = 0;
  std::optional<Cut> cut;  ///< where it ends, if only its beginning is written
  std::size_t chunk_bytes = 0;
  Duration gap{0};

  /// The envelope as compact JSON with sorted keys (terse: as a terse message), or the payload that
  /// replaces it; without padding.
  [[nodiscard]] std::string payload_bytes() const;
  [[nodiscard]] std::size_t payload_size() const;
  /// All bytes that go to stdout.
  [[nodiscard]] std::string bytes() const;
  /// If the reply is interrupted, puts the frame of an event into the middle of `bytes`, all that
  /// goes to stdout: at the latest in front of their last byte.
  void interrupt(std::string& bytes) const;

 private:
  [[nodiscard]] ReplyInProgress padded() const;
};

/// How `reply_reshaped` may change the envelope.
inline constexpr std::array<std::string_view, 7> kShapeNames{
    "id_fraction", "no_result", "result_list", "null_id_error", "id_null", "null", "batch"};

/// What `header_malformed` may make wrong with the headers.
inline constexpr std::array<std::string_view, 5> kHeaderNames{"negative", "missing", "no_number",
                                                              "twice", "line_feed"};

/// Which frames `frames_before_reply` may put in front of a reply.
inline constexpr std::array<std::string_view, 4> kFrameNames{"event", "request", "request_same_id",
                                                             "previous_reply"};

/// With this prefix begin the ids of a worker's own requests, unless they use the client's id.
inline constexpr std::string_view kOwnIdPrefix = "poolproof-";

/// The payload as a frame, even if it exceeds the limit.
std::string framed(const wire::Framing& framing, std::string_view payload);
/// The payload of a notification that a client may pass over in any speech that has them.
std::string_view event_payload(wire::Speech speech);
/// The payload of a request that the worker itself makes; `id` is JSON.
std::string own_request_payload(wire::Speech speech, std::string_view id);

/// Text as JSON; broken UTF-8 becomes U+FFFD.
std::string json_text(std::string_view text);

}  // namespace poolproof::faults
