#include <algorithm>
#include <cstdint>
#include <string>
#include <vector>

#include <nlohmann/json.hpp>

#include "harness/base/property_testing.hpp"
#include "harness/wire/conversation.hpp"

using namespace poolproof;
using namespace poolproof::wire;
using namespace std::chrono_literals;

namespace {

using Bytes = std::vector<std::uint8_t>;

const Time kDeadline(1s);
const std::string kRequest(32, 'r');

/// A stream of sound replies, broken ones, bare bytes and text, in any order.
std::string any_stream(const Framing& framing) {
  static const std::vector<std::string> kPayloads = {
      R"({"id":1,"result":{},"success":true})",  R"({"id":1,"result":3,"success":true})",
      R"({"error":"e","id":1,"success":false})", R"({"id":2,"result":{},"success":true})",
      R"({"id":1,"result":NaN,"success":true})", "x"};
  const auto kinds = *rc::gen::container<std::vector<std::size_t>>(
      rc::gen::inRange<std::size_t>(0, kPayloads.size() + 2));
  std::string stream;
  for (const std::size_t kind : kinds) {
    if (kind < kPayloads.size()) {
      stream += encode_frame(framing, kPayloads[kind]).value();
    } else {
      const auto bytes = *rc::gen::arbitrary<Bytes>();
      stream += kind == kPayloads.size() ? "Warning" : std::string(bytes.begin(), bytes.end());
    }
  }
  const auto cut = *rc::gen::inRange<std::size_t>(0, stream.size() + 1);
  return stream.substr(0, *rc::gen::arbitrary<bool>() ? cut : stream.size());
}

void strike(Conversation& conversation, int ending) {
  switch (ending) {
    case 0:
      return conversation.tick(kDeadline);
    case 1:
      return conversation.cancel();
    case 2:
      return conversation.ended({0, 0});
    case 3:
      return conversation.ended({0, 9});
    case 4:
      return conversation.output_closed();
    default:
      return conversation.write_failed(32);
  }
}

CallResult converse(Conversation conversation, std::string_view stream, const Bytes& chunks,
                    int ending) {
  for (std::size_t i = 0; !stream.empty(); ++i) {
    const std::size_t asked = chunks.empty() ? stream.size() : chunks[i % chunks.size()] + 1U;
    const std::size_t bytes = std::min(asked, stream.size());
    conversation.read(stream.substr(0, bytes));
    stream.remove_prefix(bytes);
  }
  strike(conversation, ending);
  RC_ASSERT(conversation.decided());
  return conversation.take_result();
}

bool same_result(const CallResult& a, const CallResult& b) {
  const bool same_reply = (a.reply.result == nullptr) == (b.reply.result == nullptr) &&
                          (!a.reply.result || *a.reply.result == *b.reply.result) &&
                          a.reply.id == b.reply.id && a.reply.success == b.reply.success &&
                          a.reply.error == b.reply.error;
  return same_reply && a.outcome == b.outcome && a.phase == b.phase && a.in_doubt == b.in_doubt &&
         a.payload == b.payload && a.written_bytes == b.written_bytes &&
         a.read_bytes == b.read_bytes && a.exit == b.exit;
}

/// The sentence about a bad header shows the bytes that had arrived when the header was read.
/// Nothing else may differ between two ways of chunking.
bool one_begins_the_other(std::string_view a, std::string_view b) {
  return a.starts_with(b) || b.starts_with(a);
}

}  // namespace

TEST_CASE("wire: conversation: any stream ends the same in any chunking") {
  holds("conversation.chunking", [](const Bytes& chunks) {
    const auto prefix = *rc::gen::element<std::uint8_t>(1, 2, 4);
    const Framing framing{prefix, 1000};
    const auto payload = *rc::gen::element(Payload::envelope, Payload::handshake, Payload::opaque);
    const std::string stream = any_stream(framing);
    const auto written = *rc::gen::inRange<std::size_t>(0, kRequest.size() + 1);
    const auto ending = *rc::gen::inRange(0, 6);

    Conversation conversation(framing, payload, 1, kRequest, kDeadline);
    conversation.wrote(*rc::gen::element(written, kRequest.size()));
    const CallResult whole = converse(conversation, stream, {}, ending);
    const CallResult chunked = converse(conversation, stream, chunks, ending);
    RC_ASSERT(same_result(whole, chunked));
    RC_ASSERT(one_begins_the_other(whole.first_bytes, chunked.first_bytes));
    RC_ASSERT(whole.in_doubt || whole.first_bytes.empty());
  });
}

TEST_CASE("wire: conversation: any course of events gives one decision and keeps it") {
  holds("conversation.one_decision", [](const std::vector<std::uint8_t>& course) {
    Conversation conversation({}, Payload::envelope, 1, kRequest, kDeadline);
    const std::string reply = encode_frame({}, R"({"id":1,"result":{},"success":true})").value();
    std::size_t replied = 0;
    int decisions = 0;
    CallResult first;
    for (const std::uint8_t event : course) {
      const bool before = conversation.decided();
      if (event < 100) {
        conversation.wrote(std::min<std::size_t>(event, conversation.pending_output().size()));
      } else if (event < 230) {
        conversation.read(reply.substr(replied % reply.size(), event % 16U));
        replied += event % 16U;
      } else {
        strike(conversation, event % 7);
      }
      if (!before && conversation.decided()) {
        ++decisions;
        first = conversation.result();
      }
      if (conversation.decided()) {
        RC_ASSERT(conversation.pending_output().empty());
        RC_ASSERT(conversation.result().outcome == first.outcome);
        RC_ASSERT(conversation.result().detail == first.detail);
        RC_ASSERT(conversation.result().in_doubt || !first.in_doubt);
      }
    }
    RC_ASSERT(decisions == (conversation.decided() ? 1 : 0));
    RC_ASSERT(conversation.phase() != Phase::none);
  });
}
