#pragma once

#include "harness/probe/subject.hpp"
#include "harness/probe/table.hpp"

/// One function for each row of the table: it tries a fact on the subject and says what came of it.
namespace poolproof::probe {

// ---- how it takes requests (requests.cpp); all but three_calls need a worker that answers calls
Finding three_calls(Subject& subject);
Finding many_calls(Subject& subject);
Finding non_ascii(Subject& subject);
Finding megabyte(Subject& subject);
Finding torn_request(Subject& subject);
Finding glued_requests(Subject& subject);
Finding unknown_command(Subject& subject);

// ---- how it takes what is no request (refusals.cpp)
Finding not_json(Subject& subject);
Finding zero_length(Subject& subject);
Finding oversized(Subject& subject);

// ---- how it lives and leaves (life.cpp)
Finding idle(Subject& subject);
Finding goodbye(Subject& subject);
Finding end_of_input(Subject& subject);
Finding end_in_frame(Subject& subject);
Finding end_in_call(Subject& subject);
Finding term_while_idle(Subject& subject);
Finding term_in_call(Subject& subject);
// These look back at all starts and ends, so they come last.
Finding start_time(Subject& subject);
Finding starts_again(Subject& subject);
Finding nothing_left(Subject& subject);
Finding little_on_stderr(Subject& subject);

// ---- findings that many rows give
inline Finding held(std::string what) {
  return {Verdict::held, std::move(what)};
}
inline Finding broken(std::string what) {
  return {Verdict::broken, std::move(what)};
}
inline Finding remark(std::string what) {
  return {Verdict::remark, std::move(what)};
}
inline Finding not_tried(std::string why) {
  return {Verdict::not_tried, std::move(why)};
}
/// The finding of a row that gets no worker: the row "starts_again" tells why.
inline Finding no_worker() {
  return not_tried("it does not start again");
}
/// How a worker ended, such as `(exited with code 3)`.
std::string end_of(const Heard& heard);
/// What it wrote on its way out, to be read behind that it ended; empty: nothing.
std::string last_words(const Subject& subject, std::string_view bytes);
/// The finding for output that nobody had asked for; `when`: such as `while nobody asks it
/// anything`. Nothing: it was what a worker may say, and had just not come to its end.
std::optional<Finding> noise(Subject& subject, Session& session, Heard heard,
                             std::string_view when);

}  // namespace poolproof::probe
