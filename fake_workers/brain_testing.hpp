#pragma once

#include <string>

#include <catch2/catch.hpp>
#include <nlohmann/json.hpp>

#include "fake_workers/brain.hpp"
#include "fake_workers/script_testing.hpp"

/// A brain under test, its pipe, and what a sound one answers.
namespace poolproof::faults {

inline constexpr wire::Framing kOneByte{1, 255};

/// A fault aimed at everything, unless `fields` says otherwise.
inline PlannedFault planned(const std::string& fault, const std::string& fields = "{}") {
  nlohmann::json object{{"fault", fault}, {"at", nlohmann::json::object()}, {"id", "f0"}};
  object.update(nlohmann::json::parse(fields));
  auto read = read_fault(object, "test");
  INFO((read ? "" : read.error().line()));
  REQUIRE(read);
  return *read;
}

/// A brain and its pipe: bytes that were sent stay in `unread` until the brain wants them.
class Rig {
  Plan plan_;  // before the brain, which looks at it

 public:
  explicit Rig(Plan plan, wire::Framing framing = kOneByte, WorkerId self = {})
      : plan_(std::move(plan)), brain({self, framing, plan_, "0.0", "1"}), framing_(framing) {}

  std::string take(void (Brain::*input)(Actions&)) {
    Actions out;
    (brain.*input)(out);
    return carried_out(out);
  }

  std::string send(const std::string& payload) {
    unread += *wire::encode_frame(framing_, payload);
    return drain();
  }

  std::string send_raw(const std::string& bytes) {
    unread += bytes;
    return drain();
  }

  std::string request(int id, const std::string& command, const std::string& args = "{}") {
    return send("{\"id\":" + std::to_string(id) + ",\"command\":\"" + command +
                "\",\"args\":" + args + "}");
  }

  std::string drain() {
    Actions out;
    while (brain.wants() > 0 && !unread.empty()) {
      const std::string bytes = unread.substr(0, brain.wants());
      unread.erase(0, bytes.size());
      brain.read(bytes, out);
    }
    return carried_out(out);
  }

  /// `echo` is request id 7 with no args; its sound answer is kReply.
  std::string step(const std::string& name) {
    if (name == "start") return take(&Brain::start);
    if (name == "end") return take(&Brain::end_of_input);
    if (name == "term") return take(&Brain::term);
    return request(7, name);
  }

  Brain brain;
  std::string unread;
  bool interrupted = false;  ///< TERM comes before the next actions are carried out

 private:
  std::string carried_out(const Actions& actions) {
    for (const Action& action : actions) {
      if (std::holds_alternative<HoldBack>(action) && !interrupted) brain.held_back();
    }
    return script(actions);
  }

  wire::Framing framing_;
};

// '1' is 49, the length of what follows.
inline const std::string kReply = R"({"id":7,"result":{},"success":true,"timestamp":1})";
inline const std::string kSound = "read 0; write 1" + kReply + "; wrote 0 50";
inline const std::string kBye =
    R"({"id":7,"result":{"status":"shutting_down"},"success":true,"timestamp":1})";
inline const std::string kObeyed = "write I" + kBye + "; wrote 0 74";

}  // namespace poolproof::faults
