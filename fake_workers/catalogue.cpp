#include "fake_workers/catalogue.hpp"

#include <algorithm>
#include <array>

#include "fake_workers/launch.hpp"
#include "fake_workers/left_by.hpp"
#include "fake_workers/reply.hpp"
#include "harness/base/assert.hpp"

namespace poolproof::faults {
namespace {

constexpr std::int64_t kDelayMaxMs = 600'000;
constexpr std::int64_t kTextMaxBytes = 65'536;

using Palette = std::array<std::int64_t, 4>;

constexpr Param number(std::string_view name, std::int64_t default_number, std::int64_t min,
                       std::int64_t max, std::string_view meaning, const Palette& palette,
                       std::optional<std::int64_t> quick = {}) {
  return {.name = name,
          .meaning = meaning,
          .default_number = default_number,
          .min = min,
          .max = max,
          .palette = palette,
          .quick = quick};
}

constexpr Param text(std::string_view default_text, std::string_view meaning,
                     std::string_view name = "text") {
  return {.name = name,
          .meaning = meaning,
          .is_text = true,
          .default_text = default_text,
          .max = kTextMaxBytes};
}

constexpr Param one_of(std::span<const std::string_view> words, std::string_view default_word,
                       std::string_view name, std::string_view meaning) {
  Param param = text(default_word, meaning, name);
  param.words = words;
  return param;
}

constexpr Param delay_ms(std::int64_t default_ms, std::string_view meaning,
                         std::int64_t min_ms = 1) {
  return {.name = "delay_ms",
          .meaning = meaning,
          .is_pause = true,
          .default_number = default_ms,
          .min = min_ms,
          .max = kDelayMaxMs};
}

constexpr Param code(std::int64_t default_code, std::int64_t min = 0) {
  return number("code", default_code, min, 255, "the exit code", {1, 0, 3, 255});
}

constexpr Param then(std::string_view default_word, std::span<const std::string_view> words) {
  return one_of(words, default_word, "then", "how it goes on");
}

constexpr Param kSignal = number("signal", 9, 1, 31, "the signal's number", {9, 11, 15, 6});
constexpr Param kChunk =
    number("chunk_bytes", 1, 1, 65'536, "the size of one write", {50, 1, 7, 1000}, 20);

constexpr std::array kReadingStopped{
    number("keep_bytes", 0, 0, 1'000'000, "how much of the frame is read, header included",
           {3, 0, 5, 50}),
    then("hang", kReadEndingNames), code(1)};
constexpr std::array kExitMidCall{code(1)};
constexpr std::array kKilled{kSignal};
constexpr std::array kKilledIdle{
    number("signal", 9, 1, 31, "the signal's number", {9, 19, 11, 15})};
constexpr std::array kStartFails{
    one_of(kLaunchErrors, kLaunchErrors.front(), "errno", "what exec says")};
constexpr std::array kExitAtStart{
    code(3), text("fault: exit at start", "the line on stderr", "stderr_text")};
constexpr std::array kExitWhileIdle{code(0)};
constexpr std::array kBanner{text("Loading model...\n", "what stands before the first frame")};
constexpr std::array kTextBefore{text("Warning: slow path\n", "what stands before the frame")};
constexpr std::array kTextAfter{text("done\n", "what follows the frame")};
constexpr std::array kTextWhileIdle{text("tick\n", "what is written while no request is in hand"),
                                    delay_ms(0, "how long after the reply", 0)};
constexpr std::array kTruncated{
    number("keep_bytes", 3, 0, 1'000'000, "how much of the frame is written, header included",
           {3, 0, 5, 50}),
    code(0), then("exit", kEndingNames)};
constexpr std::array kTooLong{number("extra_bytes", 5, 1, 1'000'000,
                                     "how many more bytes the header announces",
                                     {5, 1, 100, 1'000'000})};
constexpr std::array kTooShort{number("missing_bytes", 5, 1, 1'000'000,
                                      "how many fewer bytes the header announces",
                                      {5, 1, 50, 1'000'000})};
constexpr std::array kMalformed{
    one_of(kHeaderNames, kHeaderNames.front(), "shape", "what is wrong with Content-Length")};
constexpr std::array kOverLimit{number("over_bytes", 1, 1, 1'000'000,
                                       "how many bytes the header is above the limit",
                                       {1, 1, 2, 1000})};
constexpr std::array kPadded{number("payload_bytes", 1000, 1, 1'000'000,
                                    "how long the payload becomes, up to the limit",
                                    {1000, 1000, 256, 300})};
constexpr std::array kJsonDeep{
    number("depth", 100'000, 1, 5'000'000, "levels of nesting", {100, 1, 500, 2000}, 500)};
constexpr std::array kIdWrong{
    number("offset", 1, -1'000'000, 1'000'000, "what is added to the id", {1, -1, 1000, -1000})};
constexpr std::array kReshaped{
    one_of(kShapeNames, kShapeNames.front(), "shape", "what is wrong with it")};
constexpr std::array kFramesBefore{
    one_of(kFrameNames, kFrameNames.front(), "shape", "which frames they are"),
    number("frames", 1, 1, 1'000'000, "how many; the reply before comes once", {1, 3, 100, 500})};
constexpr std::array kFrameInside{number("keep_bytes", 10, 1, 1'000'000,
                                         "how much of the reply is written first, header included",
                                         {10, 1, 3, 50})};
constexpr std::array kErrorReply{text("injected error", "the error's text", "message")};
constexpr std::array kImportSlow{delay_ms(1000, "how long the import takes")};
constexpr std::array kReplySlow{
    delay_ms(50, "how long the reply waits; less than the caller does")};
constexpr std::array kReplyLate{
    delay_ms(300, "how long the reply waits; longer than the caller does")};
constexpr std::array kTrickled{
    number("gap_ms", 20, 0, 60'000, "the pause after each write", {1, 0, 10, 50}), kChunk};
constexpr std::array kFragmented{kChunk};
constexpr std::array kStderrFlood{number("text_bytes", 1'000'000, 1, 100'000'000,
                                         "how much is written to stderr",
                                         {1000, 1, 70'000, 200'000}, 5000)};
constexpr std::array kExitSlow{delay_ms(300, "how long it waits before it exits")};
constexpr std::array kExitCode{code(1, 1)};
constexpr std::array kGrandchild{number("lifetime_ms", 60'000, 1, kDelayMaxMs,
                                        "how long the grandchild lives", {60'000, 10, 100, 1000},
                                        1000)};

constexpr std::span<const Param> kNone;
constexpr Reasons kAnyReason{.stdin_end = true, .term = true, .request = true};

constexpr std::array kFaults{
    Fault("reply_dropped", Family::drop, Moment::reply, Leaves::nothing, kNone,
          "executes the request, writes no reply and goes on with the next", "K29"),
    Fault("reading_stopped", Family::drop, Moment::reading, left_by::reading_stopped,
          kReadingStopped,
          "reads only the first bytes of this request, then hangs, exits, kills itself, closes "
          "stdin or answers all the same",
          "K25, B29", {.end = End::as_told}),
    Fault("exit_mid_call", Family::drop, Moment::request, Leaves::nothing, kExitMidCall,
          "exits after reading the request, before answering", "K41, K43", {.end = End::exits}),
    Fault("killed_mid_call", Family::drop, Moment::request, left_by::signal, kKilled,
          "raises a signal on itself after reading the request", "K42", {.end = End::by_signal}),
    Fault("stdout_closed", Family::drop, Moment::request, Leaves::nothing, kNone,
          "closes stdout instead of answering and lives on until stdin ends", "K75",
          {.closes = Closes::stdout_}),
    Fault("stdin_closed", Family::drop, Moment::idle, Leaves::sound, kNone,
          "closes stdin after the reply and lives on", "K27", {.closes = Closes::stdin_}),
    Fault("start_fails", Family::drop, Moment::launch, Leaves::nothing, kStartFails,
          "never runs: its program can't be executed", "K01, B22"),
    Fault("exit_at_start", Family::drop, Moment::start, Leaves::nothing, kExitAtStart,
          "writes a line to stderr and exits before reading", "K10, K20", {.end = End::exits}),
    Fault("killed_at_start", Family::drop, Moment::start, left_by::signal, kKilled,
          "raises a signal on itself before reading", "K20", {.end = End::by_signal}),
    Fault("exit_while_idle", Family::drop, Moment::idle, Leaves::sound, kExitWhileIdle,
          "exits after the reply", "K77", {.end = End::exits}),
    Fault("killed_while_idle", Family::drop, Moment::idle, Leaves::sound, kKilledIdle,
          "raises a signal on itself after the reply", "K37, K77", {.end = End::by_signal}),
    Fault("stdout_closed_while_idle", Family::drop, Moment::idle, Leaves::sound, kNone,
          "closes stdout after the reply and lives on until stdin ends", "K75",
          {.closes = Closes::stdout_}),

    Fault("banner", Family::misframe, Moment::start, left_by::text_first, kBanner,
          "writes raw text on stdout before the first frame", "K19"),
    Fault("input_read_as_lines", Family::misframe, Moment::start, Leaves::nothing, kNone,
          "reads stdin as lines of JSON: never finds one, answers nothing", "unframed"),
    Fault("reply_unframed", Family::misframe, Moment::reply, left_by::reply_unframed, kNone,
          "writes the reply as a line of JSON without a length prefix", "unframed",
          {.touches_payload = true}),
    Fault("text_before_reply", Family::misframe, Moment::reply, left_by::text_first, kTextBefore,
          "writes raw text on stdout, then the sound frame", "K59"),
    Fault("text_after_reply", Family::misframe, Moment::reply, left_by::text_last, kTextAfter,
          "writes the sound frame, then raw text in the same write", "K58, K59"),
    Fault("text_while_idle", Family::misframe, Moment::idle, Leaves::sound, kTextWhileIdle,
          "writes raw text on stdout some time after the reply", "K79", {.writes_unasked = true}),
    Fault("reply_truncated", Family::misframe, Moment::reply, left_by::reply_truncated, kTruncated,
          "writes only the first bytes of the frame, then exits, kills itself, hangs or closes "
          "stdout",
          "K55, K56", {.end = End::as_told}),
    Fault("length_too_long", Family::misframe, Moment::reply, left_by::length_too_long, kTooLong,
          "the header announces more bytes than there are", "K57", {.touches_payload = true}),
    Fault("length_too_short", Family::misframe, Moment::reply, left_by::length_too_short, kTooShort,
          "the header announces fewer bytes than there are", "K57", {.touches_payload = true}),
    Fault("length_in_characters", Family::misframe, Moment::reply, left_by::length_too_short, kNone,
          "the header counts the characters of a reply that is not all ASCII", "K57, M-2",
          {.touches_payload = true}),
    Fault("length_little_endian", Family::misframe, Moment::reply, left_by::length_little_endian,
          kNone, "the header has its bytes the wrong way round", "K57, B25"),
    Fault("length_zero", Family::misframe, Moment::reply, Leaves::no_frame, kNone,
          "writes a header of zero and nothing else", "K57, B26"),
    Fault("length_huge", Family::misframe, Moment::reply, left_by::length_huge, kNone,
          "the header announces the largest signed length", "K57"),
    Fault("length_over_limit", Family::misframe, Moment::reply, left_by::length_over_limit,
          kOverLimit,
          "the header announces a little more than a frame may hold; up to 10 kB there is as much",
          "K57, B08"),
    Fault("header_malformed", Family::misframe, Moment::reply, Leaves::no_frame, kMalformed,
          "Content-Length is negative, missing, no number or there twice, or its line ends with LF",
          "K57, M-3"),
    Fault("json_invalid", Family::misframe, Moment::reply, Leaves::no_reply, kNone,
          "a sound frame whose JSON lacks its last brace", "K62", {.touches_payload = true}),
    Fault("utf8_invalid", Family::misframe, Moment::reply, Leaves::no_reply, kNone,
          "a sound frame whose result holds the bytes FF FE", "K61", {.touches_payload = true}),
    Fault("nan_result", Family::misframe, Moment::reply, Leaves::no_reply, kNone,
          "the result is a bare NaN", "K63", {.touches_payload = true}),
    Fault("json_deep", Family::misframe, Moment::reply, left_by::json_deep, kJsonDeep,
          "a sound frame of deeply nested arrays", "K65", {.touches_payload = true}),
    Fault("id_wrong", Family::misframe, Moment::reply, left_by::id_wrong, kIdWrong,
          "the reply carries another id", "K67", {.touches_payload = true}),
    Fault("id_text", Family::misframe, Moment::reply, Leaves::no_reply, kNone,
          "the reply carries the id as a string", "K67", {.touches_payload = true}),
    Fault("success_missing", Family::misframe, Moment::reply, Leaves::no_reply, kNone,
          "the reply has no `success`", "K68", {.touches_payload = true}),
    Fault("reply_reshaped", Family::misframe, Moment::reply, left_by::reply_reshaped, kReshaped,
          "the reply's id has a fraction or is null, or it has no result, or a list as its result, "
          "or "
          "it is an error without an id, or `null`, or a batch",
          "K15, K67, K68, K69", {.touches_payload = true}),
    Fault("reply_twice", Family::misframe, Moment::reply, Leaves::surplus, kNone,
          "the same frame twice in one write", "K70"),
    Fault("frames_before_reply", Family::misframe, Moment::reply, left_by::frames_before,
          kFramesBefore,
          "writes whole frames before the reply: events, requests of its own, or the reply to the "
          "request before",
          "K67, K78", {.touches_payload = true}),
    Fault("frame_inside_reply", Family::misframe, Moment::reply, Leaves::garbled, kFrameInside,
          "writes the frame of an event in the middle of the reply", "K92",
          {.touches_payload = true}),
    Fault("error_reply", Family::misframe, Moment::reply, Leaves::error, kErrorReply,
          "a sound error reply instead of the result", "K39", {.touches_payload = true}),
    Fault("reply_padded", Family::misframe, Moment::reply, Leaves::sound, kPadded,
          "pads a shorter reply with white space, up to what a frame may hold", "K57, B08",
          {.harmless = true, .touches_payload = true, .shows = Shows::by_receipt}),

    Fault("import_slow", Family::delay, Moment::start, Leaves::late, kImportSlow,
          "pauses before reading anything", "K11",
          {.harmless = true, .shows = Shows::pause_before_reading}),
    Fault("reply_slow", Family::delay, Moment::reply, Leaves::late, kReplySlow,
          "pauses, then replies", "K33", {.harmless = true, .shows = Shows::pause_before_reply}),
    Fault("reply_late", Family::delay, Moment::reply, Leaves::late, kReplyLate,
          "pauses longer than the caller waits, then replies", "K73",
          {.shows = Shows::pause_before_reply}),
    Fault("reply_trickled", Family::delay, Moment::reply, left_by::reply_trickled, kTrickled,
          "writes the frame in chunks with a pause after each", "K66",
          {.shows = Shows::pauses_in_reply}),
    Fault("reply_fragmented", Family::delay, Moment::reply, Leaves::sound, kFragmented,
          "writes the frame in chunks without a pause", "K53",
          {.harmless = true, .shows = Shows::pieces}),
    Fault("reply_unflushed", Family::delay, Moment::reply, Leaves::held_back, kNone,
          "keeps the reply in a buffer of its own until it exits or stdin ends", "K24"),
    Fault("stderr_flood", Family::delay, Moment::request, Leaves::sound, kStderrFlood,
          "writes that much text to stderr before answering", "K80, K23",
          {.harmless = true, .shows = Shows::by_receipt}),

    Fault("stdin_end_ignored", Family::shutdown, Moment::shutdown, Leaves::sound, kNone,
          "exits neither at the end of stdin nor on the shutdown request", "K86",
          {.strikes_at = {.stdin_end = true, .request = true}}),
    Fault("term_ignored", Family::shutdown, Moment::shutdown, Leaves::sound, kNone,
          "takes no notice of TERM", "K87", {.strikes_at = {.term = true}}),
    Fault("exit_slow", Family::shutdown, Moment::shutdown, Leaves::sound, kExitSlow,
          "waits before it exits at the end of stdin, TERM or the shutdown request", "K88",
          {.shows = Shows::pause_before_exit, .strikes_at = kAnyReason}),
    Fault("shutdown_not_obeyed", Family::shutdown, Moment::shutdown, Leaves::sound, kNone,
          "acknowledges the shutdown request and does not exit", "K85",
          {.strikes_at = {.request = true}}),
    Fault("exit_code_at_shutdown", Family::shutdown, Moment::shutdown, Leaves::sound, kExitCode,
          "exits with that code at the end of stdin, TERM or the shutdown request", "K90",
          {.strikes_at = kAnyReason}),
    Fault("grandchild_left", Family::shutdown, Moment::request, Leaves::sound, kGrandchild,
          "leaves a process behind that holds copies of its pipes", "K47, K91",
          {.harmless = true, .shows = Shows::process}),
};

constexpr auto kFamilyNames = enumerator_names<Family>();
constexpr auto kMomentNames = enumerator_names<Moment>();

}  // namespace

std::span<const Fault> catalogue() {
  return kFaults;
}

const Fault* find(std::string_view name) {
  const auto* const found = std::ranges::find(kFaults, name, &Fault::name);
  return found == kFaults.end() ? nullptr : found;
}

bool aimed_by_call(const Fault& fault) {
  return fault.moment == Moment::request || fault.moment == Moment::reply ||
         fault.moment == Moment::idle;
}

const Fault& cutting(Moment moment) {
  const auto* const found = std::ranges::find_if(kFaults, [moment](const Fault& fault) {
    return fault.moment == moment && fault.end == End::as_told;
  });
  POOLPROOF_ASSERT(found != kFaults.end());
  return *found;
}

bool aimed_by_incarnation(const Fault& fault) {
  return fault.moment == Moment::start || fault.moment == Moment::shutdown ||
         fault.moment == Moment::launch;
}

std::string_view name(Family family) {
  return kFamilyNames[static_cast<std::size_t>(family)];
}

std::string_view name(Moment moment) {
  return kMomentNames[static_cast<std::size_t>(moment)];
}

}  // namespace poolproof::faults
