#include "fake_workers/needs.hpp"

#include <array>
#include <vector>

#include <fmt/format.h>
#include <fmt/ranges.h>

#include "harness/base/assert.hpp"
#include "harness/wire/wires.hpp"

namespace poolproof::faults {
namespace {

using wire::Wire;

enum class Need : std::uint8_t {
  nothing,
  no_process,  ///< the worker's start itself: a running worker can't show the fault
  frames,      ///< a wire whose messages are no lines
  length,      ///< a wire whose frames announce their length
  text,        ///< a length, and text that is not all ASCII
  headers,     ///< a wire with headers
  limit,       ///< a length that may exceed the limit
  byte_order,  ///< a length of several bytes, in some byte order
  json,        ///< payloads with members, or with an id
  success,     ///< replies with the member `success`
  goodbye,     ///< a request that asks a worker to exit
};

struct Row {
  std::string_view fault;
  Need need;
};

/// What faults need; those that are not listed need nothing.
constexpr std::array kRows{
    Row{"start_fails", Need::no_process},
    Row{"input_read_as_lines", Need::frames},
    Row{"length_too_long", Need::length},
    Row{"length_too_short", Need::length},
    Row{"length_in_characters", Need::text},
    Row{"length_little_endian", Need::byte_order},
    Row{"length_zero", Need::length},
    Row{"length_huge", Need::length},
    Row{"length_over_limit", Need::limit},
    Row{"header_malformed", Need::headers},
    Row{"json_invalid", Need::json},
    Row{"utf8_invalid", Need::json},
    Row{"nan_result", Need::json},
    Row{"json_deep", Need::json},
    Row{"id_wrong", Need::json},
    Row{"id_text", Need::json},
    Row{"success_missing", Need::success},
    Row{"reply_reshaped", Need::json},
    Row{"error_reply", Need::json},
    Row{"reply_padded", Need::json},
    Row{"shutdown_not_obeyed", Need::goodbye},
};

std::vector<Need> needs_of_all() {
  std::vector<Need> needs(catalogue().size(), Need::nothing);
  for (const Row& row : kRows) {
    const Fault* const fault = find(row.fault);
    POOLPROOF_ASSERT(fault != nullptr);
    needs[static_cast<std::size_t>(fault - catalogue().data())] = row.need;
  }
  return needs;
}

Need need_of(const Fault& fault) {
  static const std::vector<Need> needs = needs_of_all();
  const auto place = static_cast<std::size_t>(&fault - catalogue().data());
  POOLPROOF_ASSERT(place < needs.size());
  return needs[place];
}

}  // namespace

std::string cannot_strike(const Fault& fault, const Between& between) {
  const Need need = need_of(fault);
  const wire::Framing& framing = between.framing;
  const std::string_view wire = wire::row_of(framing.wire).name;
  switch (need) {
    case Need::nothing:
      break;
    case Need::no_process:
      return "strikes before there is a worker; a scenario's \"faults\" can have it";
    case Need::frames:
      if (framing.by_lines())
        return fmt::format("means nothing on the wire {}; take another wire", wire);
      break;
    case Need::length:
    case Need::text:
    case Need::limit:
      if (framing.by_lines()) return "needs a wire that has a length: prefix, varint or headers";
      if (need == Need::limit && !framing.can_be_exceeded())
        return "needs a limit (--max-frame-bytes) below what the length can say";
      break;
    case Need::headers:
      if (framing.wire != Wire::headers)
        return fmt::format("needs headers, which {} has not; take the wire headers", wire);
      break;
    case Need::byte_order:
      if (framing.wire != Wire::prefix || framing.prefix_bytes == 1)
        return fmt::format(
            "needs a length of several bytes, which {} has not; take the wire "
            "prefix with 2, 4 or 8 bytes",
            wire);
      break;
    case Need::json:
      if (!between.json)
        return "needs replies with members and an id; take the speech json_rpc or bridge";
      break;
    case Need::success:
      if (!between.says_success) return "needs replies that have \"success\": the speech bridge";
      break;
    case Need::goodbye:
      if (!between.says_goodbye) return "needs a request to exit: the speech bridge or lsp";
      break;
  }
  return "";
}

bool can_strike_at_greeting(const Fault& fault) {
  return need_of(fault) != Need::text;
}

bool can_strike_on(const Fault& fault, wire::Wire wire) {
  if (fault.moment == Moment::launch) return true;
  Between between;
  between.framing.wire = wire;
  return cannot_strike(fault, between).empty();
}

std::string wires_of(const Fault& fault) {
  std::vector<std::string_view> names;
  for (const wire::WireRow* const row : wire::wires()) {
    if (can_strike_on(fault, row->wire)) names.push_back(row->name);
  }
  return fmt::format("{}", fmt::join(names, ", "));
}

}  // namespace poolproof::faults
