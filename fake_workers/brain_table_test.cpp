#include <set>
#include <vector>

#include "fake_workers/brain_testing.hpp"

/// What each fault does, action for action.
namespace poolproof::faults {
namespace {

struct Row {
  std::string fault;
  std::string fields;
  std::vector<std::string> steps;  ///< those before the last are not looked at
  std::string expected;            ///< what the last step does
};

// clang-format off
const std::vector<Row> kRows{
    {"reply_dropped", "{}", {"start", "echo"}, "read 0; receipt 0 reply_dropped"},
    {"reading_stopped", R"({"at":{"request":1}})", {"start", "echo"}, kSound + "; receipt 1 reading_stopped; stop reading"},
    {"reading_stopped", "{}", {"start"}, "started; receipt 0 reading_stopped; stop reading"},
    {"reading_stopped", R"({"keep_bytes":3})", {"start"}, "started"},
    {"reading_stopped", R"({"keep_bytes":3})", {"start", "echo"}, "receipt 0 reading_stopped; stop reading"},
    {"reading_stopped", R"({"keep_bytes":1,"then":"exit","code":7})", {"start", "echo"},
     "receipt 0 reading_stopped; exiting 7; exit 7"},
    {"reading_stopped", R"({"keep_bytes":9,"then":"kill"})", {"start", "echo"},
     "receipt 0 reading_stopped; raise 9"},
    {"reading_stopped", R"({"keep_bytes":9,"then":"close"})", {"start", "echo"},
     "receipt 0 reading_stopped; close stdin; stop reading"},
    {"reading_stopped", R"({"keep_bytes":9,"then":"answer"})", {"start", "echo"},
     "receipt 0 reading_stopped; write 1{\"id\":0,\"result\":{},\"success\":true,\"timestamp\":1}; wrote 0 50; stop reading"},
    {"reading_stopped", R"({"keep_bytes":1000})", {"start", "echo"}, kSound},
    {"reading_stopped", R"({"keep_bytes":9,"at":{"request":1}})", {"start", "echo", "echo"},
     "receipt 1 reading_stopped; stop reading"},
    {"exit_mid_call", "{}", {"start", "echo"}, "read 0; receipt 0 exit_mid_call; exiting 1; exit 1"},
    {"killed_mid_call", R"({"signal":11})", {"start", "echo"},
     "read 0; receipt 0 killed_mid_call; raise 11; write 1" + kReply + "; wrote 0 50"},
    {"stdout_closed", "{}", {"start", "echo"}, "read 0; receipt 0 stdout_closed; close stdout"},
    {"stdout_closed", "{}", {"start", "echo", "echo"}, ""},
    {"stdout_closed", "{}", {"start", "echo", "end"}, "stdin_end; exiting 0; exit 0"},
    {"stdin_closed", "{}", {"start", "echo"}, kSound + "; receipt 0 stdin_closed; close stdin; stop reading"},
    {"start_fails", "{}", {"start"}, "started"},
    {"start_fails", "{}", {"start", "echo"}, kSound},
    {"exit_at_start", "{}", {"start"},
     "started; receipt exit_at_start; stderr fault: exit at start; stderr \\n; exiting 3; exit 3"},
    {"killed_at_start", "{}", {"start"}, "started; receipt killed_at_start; raise 9"},
    {"exit_while_idle", R"({"code":4})", {"start", "echo"},
     kSound + "; receipt 0 exit_while_idle; exiting 4; exit 4"},
    {"killed_while_idle", R"({"signal":19})", {"start", "echo"},
     kSound + "; receipt 0 killed_while_idle; raise 19"},
    {"stdout_closed_while_idle", "{}", {"start", "echo"},
     kSound + "; receipt 0 stdout_closed_while_idle; close stdout"},
    {"stdout_closed_while_idle", "{}", {"start", "echo", "echo"}, ""},
    {"stdout_closed_while_idle", "{}", {"start", "echo", "end"}, "stdin_end; exiting 0; exit 0"},

    {"banner", "{}", {"start"}, "started; receipt banner; write Loading model...\\n"},
    {"input_read_as_lines", "{}", {"start"}, "started"},
    {"input_read_as_lines", "{}", {"start", "echo"}, "receipt input_read_as_lines"},
    {"input_read_as_lines", "{}", {"start", "echo", "echo"}, ""},
    {"reply_unframed", "{}", {"start", "echo"},
     "read 0; receipt 0 reply_unframed; write " + kReply + "\\n; wrote 0 50"},
    {"text_before_reply", R"({"text":"T"})", {"start", "echo"},
     "read 0; receipt 0 text_before_reply; write T1" + kReply + "; wrote 0 51"},
    {"text_after_reply", R"({"text":"T"})", {"start", "echo"},
     "read 0; receipt 0 text_after_reply; write 1" + kReply + "T; wrote 0 51"},
    {"text_while_idle", "{}", {"start", "echo"}, kSound + "; receipt 0 text_while_idle; write tick\\n"},
    {"text_while_idle", R"({"delay_ms":5})", {"start", "echo"},
     kSound + "; pause 5; receipt 0 text_while_idle; write tick\\n"},
    {"reply_truncated", R"({"code":2})", {"start", "echo"},
     "read 0; receipt 0 reply_truncated; write 1{\"; exiting 2; exit 2"},
    {"reply_truncated", R"({"keep_bytes":0})", {"start", "echo"},
     "read 0; receipt 0 reply_truncated; exiting 0; exit 0"},
    {"reply_truncated", R"({"keep_bytes":1,"then":"kill"})", {"start", "echo"},
     "read 0; receipt 0 reply_truncated; write 1; raise 9"},
    {"reply_truncated", R"({"keep_bytes":1,"then":"hang"})", {"start", "echo"},
     "read 0; receipt 0 reply_truncated; write 1; stop reading"},
    {"reply_truncated", R"({"keep_bytes":0,"then":"close"})", {"start", "echo"},
     "read 0; receipt 0 reply_truncated; close stdout"},
    {"reply_truncated", R"({"keep_bytes":0,"then":"close"})", {"start", "echo", "end"},
     "stdin_end; exiting 0; exit 0"},
    {"reply_truncated", R"({"keep_bytes":50,"then":"hang"})", {"start", "echo"},
     "read 0; receipt 0 reply_truncated; write 1" + kReply + "; wrote 0 50; stop reading"},
    {"length_too_long", "{}", {"start", "echo"},
     "read 0; receipt 0 length_too_long; write 6" + kReply + "; wrote 0 50"},
    {"length_too_short", "{}", {"start", "echo"},
     "read 0; receipt 0 length_too_short; write ," + kReply + "; wrote 0 50"},
    {"length_too_short", R"({"missing_bytes":1000})", {"start", "echo"},
     "read 0; receipt 0 length_too_short; write \\x01" + kReply + "; wrote 0 50"},
    {"length_in_characters", "{}", {"start", "echo"}, kSound},
    {"header_malformed", "{}", {"start", "echo"}, kSound},
    {"length_little_endian", "{}", {"start", "echo"},
     "read 0; receipt 0 length_little_endian; write 1" + kReply + "; wrote 0 50"},
    {"length_zero", "{}", {"start", "echo"}, "read 0; receipt 0 length_zero; write \\x00; wrote 0 1"},
    {"length_huge", "{}", {"start", "echo"},
     "read 0; receipt 0 length_huge; write \\x7f" + kReply + "; wrote 0 50"},
    {"length_over_limit", "{}", {"start", "echo"},
     "read 0; receipt 0 length_over_limit; write \\xff" + kReply + std::string(207, ' ') + "; wrote 0 257"},
    {"json_invalid", "{}", {"start", "echo"},
     "read 0; receipt 0 json_invalid; write 0" + kReply.substr(0, 48) + "; wrote 0 49"},
    {"utf8_invalid", "{}", {"start", "echo"},
     "read 0; receipt 0 utf8_invalid; write @{\"error\":null,\"id\":7,\"result\":\"\\xff\\xfe\",\"success\":true,\"timestamp\":1}; wrote 0 65"},
    {"nan_result", "{}", {"start", "echo"},
     "read 0; receipt 0 nan_result; write 2{\"id\":7,\"result\":NaN,\"success\":true,\"timestamp\":1}; wrote 0 51"},
    {"json_deep", R"({"depth":3})", {"start", "echo"},
     "read 0; receipt 0 json_deep; write \\x06[[[]]]; wrote 0 7"},
    {"id_wrong", R"({"offset":-3})", {"start", "echo"},
     "read 0; receipt 0 id_wrong; write 1{\"id\":4,\"result\":{},\"success\":true,\"timestamp\":1}; wrote 0 50"},
    {"id_text", "{}", {"start", "echo"},
     "read 0; receipt 0 id_text; write 3{\"id\":\"7\",\"result\":{},\"success\":true,\"timestamp\":1}; wrote 0 52"},
    {"success_missing", "{}", {"start", "echo"},
     "read 0; receipt 0 success_missing; write \"{\"id\":7,\"result\":{},\"timestamp\":1}; wrote 0 35"},
    {"reply_reshaped", "{}", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write 3{\"id\":7.5,\"result\":{},\"success\":true,\"timestamp\":1}; wrote 0 52"},
    {"reply_reshaped", R"({"shape":"no_result"})", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write %{\"id\":7,\"success\":true,\"timestamp\":1}; wrote 0 38"},
    {"reply_reshaped", R"({"shape":"no_result"})", {"start", "fail"},
     "read 0; receipt 0 reply_reshaped; write %{\"id\":7,\"success\":true,\"timestamp\":1}; wrote 0 38"},
    {"reply_reshaped", R"({"shape":"result_list"})", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write 1{\"id\":7,\"result\":[],\"success\":true,\"timestamp\":1}; wrote 0 50"},
    {"reply_reshaped", R"({"shape":"result_list"})", {"start", "fail"},
     "read 0; receipt 0 reply_reshaped; write 1{\"id\":7,\"result\":[],\"success\":true,\"timestamp\":1}; wrote 0 50"},
    {"reply_reshaped", R"({"shape":"null_id_error"})", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write Q{\"error\":\"the request has no integer id\",\"id\":null,\"success\":false,\"timestamp\":1}; wrote 0 82"},
    {"reply_reshaped", R"({"shape":"id_null"})", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write 4{\"id\":null,\"result\":{},\"success\":true,\"timestamp\":1}; wrote 0 53"},
    {"reply_reshaped", R"({"shape":"null"})", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write \\x04null; wrote 0 5"},
    {"reply_reshaped", R"({"shape":"batch"})", {"start", "echo"},
     "read 0; receipt 0 reply_reshaped; write 3[" + kReply + "]; wrote 0 52"},
    {"reply_twice", "{}", {"start", "echo"},
     "read 0; receipt 0 reply_twice; write 1" + kReply + "1" + kReply + "; wrote 0 100"},
    {"frames_before_reply", "{}", {"start", "echo"},
     "read 0; receipt 0 frames_before_reply; write \\x10{\"event\":\"busy\"}1" + kReply + "; wrote 0 67"},
    {"frames_before_reply", R"({"frames":2})", {"start", "echo"},
     "read 0; receipt 0 frames_before_reply; write \\x10{\"event\":\"busy\"}\\x10{\"event\":\"busy\"}1" + kReply + "; wrote 0 84"},
    {"frames_before_reply", R"({"frames":2,"shape":"request"})", {"start", "echo"},
     "read 0; receipt 0 frames_before_reply; write %{\"command\":\"ping\",\"id\":\"poolproof-0\"}%{\"command\":\"ping\",\"id\":\"poolproof-1\"}1" + kReply + "; wrote 0 126"},
    {"frames_before_reply", R"({"shape":"request_same_id"})", {"start", "echo"},
     "read 0; receipt 0 frames_before_reply; write \\x19{\"command\":\"ping\",\"id\":7}1" + kReply + "; wrote 0 76"},
    {"frames_before_reply", R"({"shape":"previous_reply"})", {"start", "echo"}, kSound},
    {"frames_before_reply", R"({"shape":"previous_reply"})", {"start", "echo", "echo"},
     "read 1; receipt 1 frames_before_reply; write 1" + kReply + "1" + kReply + "; wrote 1 100"},
    {"frame_inside_reply", R"({"keep_bytes":3})", {"start", "echo"},
     "read 0; receipt 0 frame_inside_reply; write 1" + kReply.substr(0, 2) + "\\x10{\"event\":\"busy\"}" + kReply.substr(2) + "; wrote 0 67"},
    {"frame_inside_reply", R"({"keep_bytes":1000})", {"start", "echo"},
     "read 0; receipt 0 frame_inside_reply; write 1" + kReply.substr(0, 48) + "\\x10{\"event\":\"busy\"}}; wrote 0 67"},
    {"error_reply", R"({"message":"no"})", {"start", "echo"},
     "read 0; receipt 0 error_reply; write 3{\"error\":\"no\",\"id\":7,\"success\":false,\"timestamp\":1}; wrote 0 52"},
    {"reply_padded", R"({"payload_bytes":52})", {"start", "echo"},
     "read 0; receipt 0 reply_padded; write 4" + kReply + "   ; wrote 0 53"},
    {"reply_padded", R"({"payload_bytes":49})", {"start", "echo"}, kSound},

    {"import_slow", "{}", {"start"}, "started; receipt import_slow; pause 1000"},
    {"reply_slow", "{}", {"start", "echo"},
     "read 0; receipt 0 reply_slow; pause 50; write 1" + kReply + "; wrote 0 50"},
    {"reply_late", "{}", {"start", "echo"},
     "read 0; receipt 0 reply_late; pause 300; write 1" + kReply + "; wrote 0 50"},
    {"reply_trickled", R"({"chunk_bytes":2})", {"start", "echo"},
     "read 0; receipt 0 reply_trickled; write 1" + kReply + " by 2 every 20; wrote 0 50"},
    {"reply_fragmented", "{}", {"start", "echo"},
     "read 0; receipt 0 reply_fragmented; write 1" + kReply + " by 1 every 0; wrote 0 50"},
    {"reply_unflushed", "{}", {"start", "echo"}, "read 0; receipt 0 reply_unflushed; hold back"},
    {"reply_unflushed", "{}", {"start", "echo", "end"},
     "stdin_end; write 1" + kReply + "; wrote 0 50; exiting 0; exit 0"},
    {"reply_unflushed", "{}", {"start", "echo", "term"},
     "term; write 1" + kReply + "; wrote 0 50; exiting 0; exit 0"},
    {"stderr_flood", R"({"text_bytes":82})", {"start", "echo"},
     "read 0; receipt 0 stderr_flood; stderr " + std::string(79, 'x') + "\\nxx; write 1" + kReply + "; wrote 0 50"},

    {"stdin_end_ignored", "{}", {"start", "end"}, "stdin_end; receipt stdin_end_ignored; stop reading"},
    {"stdin_end_ignored", "{}", {"start", "shutdown"}, "read 0; " + kObeyed + "; receipt stdin_end_ignored"},
    {"stdin_end_ignored", "{}", {"start", "end", "term"}, "term; exiting 0; exit 0"},
    {"term_ignored", "{}", {"start", "term"}, "receipt term_ignored"},
    {"term_ignored", "{}", {"start", "term", "echo"}, kSound},
    {"term_ignored", "{}", {"start", "end"}, "stdin_end; exiting 0; exit 0"},
    {"exit_slow", "{}", {"start", "end"}, "stdin_end; receipt exit_slow; pause 300; exiting 0; exit 0"},
    {"exit_slow", "{}", {"start", "term"}, "term; receipt exit_slow; pause 300; exiting 0; exit 0"},
    {"exit_slow", "{}", {"start", "shutdown"},
     "read 0; " + kObeyed + "; receipt exit_slow; pause 300; exiting 0; exit 0"},
    {"shutdown_not_obeyed", "{}", {"start", "shutdown"}, "read 0; " + kObeyed + "; receipt shutdown_not_obeyed"},
    {"shutdown_not_obeyed", "{}", {"start", "shutdown", "end"}, "stdin_end; exiting 0; exit 0"},
    {"exit_code_at_shutdown", R"({"code":9})", {"start", "end"},
     "stdin_end; receipt exit_code_at_shutdown; exiting 9; exit 9"},
    {"exit_code_at_shutdown", R"({"code":9})", {"start", "term"},
     "term; receipt exit_code_at_shutdown; exiting 9; exit 9"},
    {"exit_code_at_shutdown", R"({"code":9})", {"start", "shutdown"},
     "read 0; " + kObeyed + "; receipt exit_code_at_shutdown; exiting 9; exit 9"},
    {"grandchild_left", "{}", {"start", "echo"},
     "read 0; receipt 0 grandchild_left; fork 60000; write 1" + kReply + "; wrote 0 50"},
};
// clang-format on

TEST_CASE("fake_workers: brain: every fault does exactly what its row says") {
  for (const Row& row : kRows) {
    INFO(row.fault << " " << row.fields << " at " << row.steps.back());
    Rig rig({planned(row.fault, row.fields)});
    std::string last;
    for (const std::string& step : row.steps) last = rig.step(step);
    CHECK(last == row.expected);
  }
}

TEST_CASE("fake_workers: brain: the table of actions has every fault of the catalogue") {
  std::set<std::string_view> tested;
  for (const Row& row : kRows) tested.insert(row.fault);
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    CHECK(tested.contains(fault.name));
  }
}

}  // namespace
}  // namespace poolproof::faults
