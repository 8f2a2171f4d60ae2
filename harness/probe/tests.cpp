#include "harness/probe/tests.hpp"

#include <fmt/format.h>
#include <nlohmann/json.hpp>

#include "harness/host/system.hpp"
#include "harness/wire/envelope.hpp"

namespace poolproof::probe {
namespace {

/// A worker that has not answered a broken frame by then will not answer it.
constexpr Duration kSilence = std::chrono::seconds(1);

class Examination {
 public:
  Examination(const Settings& settings, const std::string& token, const Say& say)
      : settings_(settings), token_(token), say_(say), zero_(host::sys::now()) {}

  Results run() {
    results_.first_start = begin("the init ping");
    if (results_.first_start) return results_;
    results_.echo = echo();
    if (begin_again("a frame that is no JSON")) results_.broken_frame = broken_frame();
    if (settings_.framing.can_be_exceeded() && begin_again("a frame of one byte too many"))
      results_.oversized_frame = oversized_frame();
    if (begin_again("the end of input"))
      results_.end_of_input = reaction(session_->close_stdin(settings_.limit));
    return results_;
  }

 private:
  /// Sees to it that there is a worker that has answered its ping, or says why there is none.
  std::optional<FailedStart> begin(const char* what) {
    say_(fmt::format("{}{}\n", session_ ? "\n" : "", what));
    if (session_ && !session_->exit_status() && still_usable_) return {};
    session_.reset();
    session_.emplace(settings_, token_, zero_, say_);
    still_usable_ = true;
    if (const auto started = session_->start(); !started)
      return FailedStart{started.error(), false, {}, ""};
    const pool::StartEvidence evidence = session_->greet();
    if (evidence.cause == StartCause::none) return {};
    return FailedStart{"", session_->echoes(evidence), evidence, session_->stderr_tail()};
  }

  /// For a later test. False: there is no worker for it.
  bool begin_again(const char* what) {
    auto failed = begin(what);
    const bool good = !failed;
    if (!good && !results_.later_start) results_.later_start = std::move(failed);
    return good;
  }

  EchoTest echo() {
    say_("\nan echo\n");
    const nlohmann::json args{{"text", "h\u00e9llo"}};
    const std::string request = wire::encode_request(1, "echo", args, host::sys::timestamp());
    std::string answer;
    EchoTest test;
    test.reaction = reaction(
        session_->send(*wire::encode_frame(settings_.framing, request), settings_.limit, &answer));
    if (test.reaction.after != After::answered) return test;
    const auto reply = wire::decode_reply(answer, 1);
    if (!reply) {
      test.no_reply = reply.error();
      return test;
    }
    if (!reply->success) test.error = reply->error;
    const bool surplus = session_->surplus_bytes() > 0;
    const After later = session_->linger();
    still_usable_ = !surplus && later == After::silent;
    test.more_than_one_reply = surplus || later == After::answered || later == After::babbled;
    test.reaction.exit = later == After::ended ? session_->exit_status() : std::nullopt;
    return test;
  }

  Reaction broken_frame() {
    const auto frame = wire::encode_frame(settings_.framing, R"({"id": 2, "command": "echo", )");
    const After then = session_->send(*frame, std::min(kSilence, settings_.limit));
    still_usable_ = then == After::answered && session_->linger() == After::silent;
    return reaction(then);
  }

  Reaction oversized_frame() {
    const wire::Framing& framing = settings_.framing;
    std::string header(framing.prefix_bytes, '\0');
    wire::put_length(framing, std::uint64_t{framing.max_frame_bytes} + 1, header);
    still_usable_ = false;
    return reaction(session_->send(header, std::min(kSilence, settings_.limit)));
  }

  [[nodiscard]] Reaction reaction(After after) const { return {after, session_->exit_status()}; }

  const Settings& settings_;
  const std::string& token_;
  const Say& say_;
  Time zero_;
  Results results_;
  std::optional<Session> session_;
  bool still_usable_ = true;
};

}  // namespace

Results examine(const Settings& settings, const std::string& token, const Say& say) {
  return Examination(settings, token, say).run();
}

}  // namespace poolproof::probe
