#include "fake_workers/catalogue.hpp"

#include <array>

#include "fake_workers/cut.hpp"
#include "fake_workers/launch.hpp"
#include "fake_workers/reply.hpp"

namespace poolproof::faults {
namespace {

constexpr std::int64_t kDelayMaxMs = 600'000;
constexpr std::int64_t kTextMaxBytes = 65'536;

constexpr Param number(std::string_view name, std::int64_t default_number, std::int64_t min,
                       std::int64_t max, std::string_view meaning) {
  return {name, false, default_number, min, max, {}, meaning};
}

constexpr Param text(std::string_view default_text, std::string_view meaning,
                     std::string_view name = "text") {
  return {name, true, 0, 0, kTextMaxBytes, default_text, meaning};
}

constexpr Param delay_ms(std::int64_t default_ms, std::string_view meaning,
                         std::int64_t min_ms = 1) {
  return number("delay_ms", default_ms, min_ms, kDelayMaxMs, meaning);
}

constexpr Param code(std::int64_t default_code, std::int64_t min = 0) {
  return number("code", default_code, min, 255, "the exit code");
}

constexpr Param then(std::string_view default_word, std::span<const std::string_view> words) {
  return {"then", true, 0, 0, kTextMaxBytes, default_word, "how it goes on", words};
}

constexpr Param kSignal = number("signal", 9, 1, 31, "the signal's number");
constexpr Param kChunk = number("chunk_bytes", 1, 1, 65'536, "the size of one write");

constexpr std::array kReadingStopped{
    number("keep_bytes", 0, 0, 1'000'000, "how much of the frame is read, header included"),
    then("hang", kReadEndingNames), code(1)};
constexpr std::array kExitMidCall{code(1)};
constexpr std::array kKilled{kSignal};
constexpr std::array kStartFails{Param{"errno", true, 0, 0, kTextMaxBytes, kLaunchErrors.front(),
                                       "what exec says", kLaunchErrors}};
constexpr std::array kExitAtStart{
    code(3), text("fault: exit at start", "the line on stderr", "stderr_text")};
constexpr std::array kExitWhileIdle{code(0)};
constexpr std::array kBanner{text("Loading model...\n", "what stands before the first frame")};
constexpr std::array kTextBefore{text("Warning: slow path\n", "what stands before the frame")};
constexpr std::array kTextAfter{text("done\n", "what follows the frame")};
constexpr std::array kTextWhileIdle{text("tick\n", "what is written while no request is in hand"),
                                    delay_ms(0, "how long after the reply", 0)};
constexpr std::array kTruncated{
    number("keep_bytes", 3, 0, 1'000'000, "how much of the frame is written, header included"),
    code(0), then("exit", kEndingNames)};
constexpr std::array kTooLong{
    number("extra_bytes", 5, 1, 1'000'000, "how many more bytes the header announces")};
constexpr std::array kTooShort{
    number("missing_bytes", 5, 1, 1'000'000, "how many fewer bytes the header announces")};
constexpr std::array kOverLimit{
    number("over_bytes", 1, 1, 1'000'000, "how many bytes the header is above the limit")};
constexpr std::array kPadded{
    number("payload_bytes", 1000, 1, 1'000'000, "how long the payload becomes, up to the limit")};
constexpr std::array kJsonDeep{number("depth", 100'000, 1, 5'000'000, "levels of nesting")};
constexpr std::array kIdWrong{
    number("offset", 1, -1'000'000, 1'000'000, "what is added to the id")};
constexpr std::array kReshaped{Param{"shape", true, 0, 0, kTextMaxBytes, kShapeNames.front(),
                                     "what is wrong with it", kShapeNames}};
constexpr std::array kErrorReply{text("injected error", "the error's text", "message")};
constexpr std::array kImportSlow{delay_ms(1000, "how long the import takes")};
constexpr std::array kReplySlow{
    delay_ms(50, "how long the reply waits; less than the caller does")};
constexpr std::array kReplyLate{
    delay_ms(300, "how long the reply waits; longer than the caller does")};
constexpr std::array kTrickled{number("gap_ms", 20, 0, 60'000, "the pause after each write"),
                               kChunk};
constexpr std::array kFragmented{kChunk};
constexpr std::array kStderrFlood{
    number("text_bytes", 1'000'000, 1, 100'000'000, "how much is written to stderr")};
constexpr std::array kExitSlow{delay_ms(300, "how long it waits before it exits")};
constexpr std::array kExitCode{code(1, 1)};
constexpr std::array kGrandchild{
    number("lifetime_ms", 60'000, 1, kDelayMaxMs, "how long the grandchild lives")};

constexpr std::span<const Param> kNone;
constexpr bool kHarmless = true;
constexpr bool kHarmful = false;

constexpr std::array kFaults{
    Fault{"reply_dropped", Family::drop, Moment::reply, kNone, kHarmful,
          "executes the request, writes no reply and goes on with the next", "K29"},
    Fault{"reading_stopped", Family::drop, Moment::request, kReadingStopped, kHarmful,
          "reads only the first bytes of this request, then hangs, exits, kills itself, closes "
          "stdin or answers all the same",
          "K25, B29"},
    Fault{"exit_mid_call", Family::drop, Moment::request, kExitMidCall, kHarmful,
          "exits after reading the request, before answering", "K41, K43"},
    Fault{"killed_mid_call", Family::drop, Moment::request, kKilled, kHarmful,
          "raises a signal on itself after reading the request", "K42"},
    Fault{"stdout_closed", Family::drop, Moment::request, kNone, kHarmful,
          "closes stdout instead of answering and lives on until stdin ends", "K75"},
    Fault{"stdin_closed", Family::drop, Moment::idle, kNone, kHarmful,
          "closes stdin after the reply and lives on", "K27"},
    Fault{"start_fails", Family::drop, Moment::launch, kStartFails, kHarmful,
          "never runs: its program can't be executed", "K01, B22"},
    Fault{"exit_at_start", Family::drop, Moment::start, kExitAtStart, kHarmful,
          "writes a line to stderr and exits before reading", "K10, K20"},
    Fault{"killed_at_start", Family::drop, Moment::start, kKilled, kHarmful,
          "raises a signal on itself before reading", "K20"},
    Fault{"exit_while_idle", Family::drop, Moment::idle, kExitWhileIdle, kHarmful,
          "exits after the reply", "K77"},

    Fault{"banner", Family::misframe, Moment::start, kBanner, kHarmful,
          "writes raw text on stdout before the first frame", "K19"},
    Fault{"input_read_as_lines", Family::misframe, Moment::start, kNone, kHarmful,
          "reads stdin as lines of JSON: never finds one, answers nothing", "unframed"},
    Fault{"reply_unframed", Family::misframe, Moment::reply, kNone, kHarmful,
          "writes the reply as a line of JSON without a length prefix", "unframed"},
    Fault{"text_before_reply", Family::misframe, Moment::reply, kTextBefore, kHarmful,
          "writes raw text on stdout, then the sound frame", "K59"},
    Fault{"text_after_reply", Family::misframe, Moment::reply, kTextAfter, kHarmful,
          "writes the sound frame, then raw text in the same write", "K58, K59"},
    Fault{"text_while_idle", Family::misframe, Moment::idle, kTextWhileIdle, kHarmful,
          "writes raw text on stdout some time after the reply", "K79"},
    Fault{"reply_truncated", Family::misframe, Moment::reply, kTruncated, kHarmful,
          "writes only the first bytes of the frame, then exits, kills itself, hangs or closes "
          "stdout",
          "K55, K56"},
    Fault{"length_too_long", Family::misframe, Moment::reply, kTooLong, kHarmful,
          "the header announces more bytes than there are", "K57"},
    Fault{"length_too_short", Family::misframe, Moment::reply, kTooShort, kHarmful,
          "the header announces fewer bytes than there are", "K57"},
    Fault{"length_little_endian", Family::misframe, Moment::reply, kNone, kHarmful,
          "the header has its bytes the wrong way round", "K57, B25"},
    Fault{"length_zero", Family::misframe, Moment::reply, kNone, kHarmful,
          "writes a header of zero and nothing else", "K57, B26"},
    Fault{"length_huge", Family::misframe, Moment::reply, kNone, kHarmful,
          "the header announces the largest signed length", "K57"},
    Fault{"length_over_limit", Family::misframe, Moment::reply, kOverLimit, kHarmful,
          "the header announces a little more than a frame may hold; up to 10 kB there is as much",
          "K57, B08"},
    Fault{"json_invalid", Family::misframe, Moment::reply, kNone, kHarmful,
          "a sound frame whose JSON lacks its last brace", "K62"},
    Fault{"utf8_invalid", Family::misframe, Moment::reply, kNone, kHarmful,
          "a sound frame whose result holds the bytes FF FE", "K61"},
    Fault{"nan_result", Family::misframe, Moment::reply, kNone, kHarmful,
          "the result is a bare NaN", "K63"},
    Fault{"json_deep", Family::misframe, Moment::reply, kJsonDeep, kHarmful,
          "a sound frame of deeply nested arrays", "K65"},
    Fault{"id_wrong", Family::misframe, Moment::reply, kIdWrong, kHarmful,
          "the reply carries another id", "K67"},
    Fault{"id_text", Family::misframe, Moment::reply, kNone, kHarmful,
          "the reply carries the id as a string", "K67"},
    Fault{"success_missing", Family::misframe, Moment::reply, kNone, kHarmful,
          "the reply has no `success`", "K68"},
    Fault{
        "reply_reshaped", Family::misframe, Moment::reply, kReshaped, kHarmful,
        "the reply's id has a fraction, or it has no result, or a list as its result, or it is an "
        "error without an id",
        "K15, K67, K68, K69"},
    Fault{"reply_twice", Family::misframe, Moment::reply, kNone, kHarmful,
          "the same frame twice in one write", "K70"},
    Fault{"error_reply", Family::misframe, Moment::reply, kErrorReply, kHarmful,
          "a sound error reply instead of the result", "K39"},
    Fault{"reply_padded", Family::misframe, Moment::reply, kPadded, kHarmless,
          "pads a shorter reply with white space, up to what a frame may hold", "K57, B08"},

    Fault{"import_slow", Family::delay, Moment::start, kImportSlow, kHarmless,
          "pauses before reading anything", "K11"},
    Fault{"reply_slow", Family::delay, Moment::reply, kReplySlow, kHarmless, "pauses, then replies",
          "K33"},
    Fault{"reply_late", Family::delay, Moment::reply, kReplyLate, kHarmful,
          "pauses longer than the caller waits, then replies", "K73"},
    Fault{"reply_trickled", Family::delay, Moment::reply, kTrickled, kHarmful,
          "writes the frame in chunks with a pause after each", "K66"},
    Fault{"reply_fragmented", Family::delay, Moment::reply, kFragmented, kHarmless,
          "writes the frame in chunks without a pause", "K53"},
    Fault{"reply_unflushed", Family::delay, Moment::reply, kNone, kHarmful,
          "keeps the reply in a buffer of its own until it exits or stdin ends", "K24"},
    Fault{"stderr_flood", Family::delay, Moment::request, kStderrFlood, kHarmless,
          "writes that much text to stderr before answering", "K80, K23"},

    Fault{"stdin_end_ignored", Family::shutdown, Moment::shutdown, kNone, kHarmful,
          "exits neither at the end of stdin nor on the shutdown request", "K86"},
    Fault{"term_ignored", Family::shutdown, Moment::shutdown, kNone, kHarmful,
          "takes no notice of TERM", "K87"},
    Fault{"exit_slow", Family::shutdown, Moment::shutdown, kExitSlow, kHarmful,
          "waits before it exits at the end of stdin, TERM or the shutdown request", "K88"},
    Fault{"shutdown_not_obeyed", Family::shutdown, Moment::shutdown, kNone, kHarmful,
          "acknowledges the shutdown request and does not exit", "K85"},
    Fault{"exit_code_at_shutdown", Family::shutdown, Moment::shutdown, kExitCode, kHarmful,
          "exits with that code at the end of stdin, TERM or the shutdown request", "K90"},
    Fault{"grandchild_left", Family::shutdown, Moment::request, kGrandchild, kHarmless,
          "leaves a process behind that holds copies of its pipes", "K47, K91"},
};

constexpr std::array<std::string_view, 4> kFamilies{"drop", "misframe", "delay", "shutdown"};
constexpr std::array<std::string_view, 6> kMoments{"start", "request",  "reply",
                                                   "idle",  "shutdown", "launch"};

}  // namespace

std::span<const Fault> catalogue() {
  return kFaults;
}

const Fault* find(std::string_view name) {
  for (const Fault& fault : kFaults) {
    if (fault.name == name) return &fault;
  }
  return nullptr;
}

bool aimed_by_incarnation(const Fault& fault) {
  return fault.moment == Moment::start || fault.moment == Moment::shutdown ||
         fault.moment == Moment::launch;
}

std::string_view name(Family family) {
  return kFamilies[static_cast<std::size_t>(family)];
}

std::string_view name(Moment moment) {
  return kMoments[static_cast<std::size_t>(moment)];
}

}  // namespace poolproof::faults
