#include "harness/wrap/machine.hpp"

#include <algorithm>
#include <utility>

#include <fmt/format.h>

#include "harness/base/signals.hpp"

namespace poolproof::wrap {
namespace {

using faults::JournalRecord;
using Kind = JournalRecord::Kind;

constexpr std::size_t kReadBytes = 65'536;

JournalRecord of_request(Kind kind, std::uint64_t request) {
  JournalRecord record = faults::record_of(kind);
  record.request = request;
  return record;
}

JournalRecord read_record(std::uint64_t request, const Message& message) {
  JournalRecord record = of_request(Kind::read, request);
  record.id = message.number;
  if (!record.id) record.other_id = faults::noted_id(message.id);
  if (!message.method.empty()) record.command = message.method;
  record.nonce = message.nonce;
  return record;
}

JournalRecord wrote_record(std::uint64_t request, std::size_t bytes) {
  JournalRecord record = of_request(Kind::wrote, request);
  record.bytes = bytes;
  return record;
}

bool is_of_request(faults::Stage stage) {
  using faults::Stage;
  return stage != Stage::start && stage != Stage::first_bytes && stage != Stage::stay &&
         stage != Stage::leave;
}

}  // namespace

std::size_t Machine::Script::bytes() const {
  std::size_t bytes = 0;
  for (const faults::Action& action : actions) {
    if (const auto* const write = std::get_if<faults::Write>(&action)) bytes += write->bytes.size();
  }
  return bytes;
}

Machine::Machine(const MachineConfig& config)
    : config_(config),
      aims_(config.plan, config.self),
      client_(config.framing),
      worker_(config.framing),
      streams_(aims_.all().empty()),
      ends_late_(std::ranges::any_of(aims_.all(), [](const Aimed& aimed) {
        return aimed.planned->fault->moment == faults::Moment::shutdown;
      })) {}

void Machine::start(Time now) {
  note(faults::record_of(Kind::started));
  Script script{.actions = {}, .then = StartWorker{}};
  strike(Stage::start, script.actions);
  const bool ends = state_.over || end_process(script.actions);
  if (ends) script.then.reset();
  play(std::move(script), now);
}

// ---- what the client says -----------------------------------------------------------------------

std::size_t Machine::wants_client() const {
  if (!started_ || over_ || state_.reading == Reading::nothing) return 0;
  if (state_.reading != Reading::frames || deaf_) return kReadBytes;
  if (to_worker().size() >= kReadBytes) return 0;
  if (!aims_.stops_reading()) return kReadBytes;
  if (stop_is_held_) return 1;  // enough to show that the next request comes
  return std::min(
      {client_.to_next_end(), kReadBytes, state_.read_at_most - client_.buffered_bytes()});
}

void Machine::from_client(std::string_view bytes, Time now) {
  if (!std::exchange(read_any_, true)) {
    Script script;
    strike(Stage::first_bytes, script.actions);
    play(std::move(script), now);
  }
  if (over_ || deaf_ || state_.reading != Reading::frames) return;
  if (std::exchange(stop_is_held_, false)) stop_here(now);
  if (over_ || state_.reading != Reading::frames) return;
  if (streams_) to_worker_ += bytes;
  if (streams_ && !config_.journals) return;
  client_.push(bytes);
  for (Piece piece = client_.next(); !piece.bytes.empty(); piece = client_.next()) {
    misframed("the client", piece);
    if (piece.payload.empty()) {
      pass_on(piece);
    } else {
      on_client_frame(piece, now);
    }
    if (over_ || state_.reading != Reading::frames) return;
  }
  if (client_.buffered_bytes() == state_.read_at_most) {
    state_.read_bytes = client_.buffered_bytes();
    stop_here(now);
  }
}

void Machine::pass_on(const Piece& piece) {
  if (!streams_) to_worker_ += piece.bytes;
}

void Machine::on_client_frame(const Piece& frame, Time now) {
  const Message message = wrap::from_client(config_.speech, frame.payload);
  if (message.kind == Message::Kind::request) {
    on_request(message, frame, now);
  } else if (!aims_.answers_us(message)) {
    pass_on(frame);
  }
  if (message.goodbye && !over_) {
    note(faults::record_of(Kind::goodbye));
    leave(Departure::Cause::request, now);
  }
  if (!over_ && message.kind == Message::Kind::request) stop_if_planned(now);
}

void Machine::on_request(const Message& message, const Piece& frame, Time now) {
  PendingRequest request = aims_.ask(message, frame.payload);
  if (config_.journals && !message.id.empty())
    orders_.emplace_back(Digest{digest(config_.speech, frame.payload)});
  note(read_record(request.number, message));
  Script script;
  strike_at(Stage::request, request, script.actions);
  over_ = state_.over || end_process(script.actions);
  play(std::move(script), now);
  if (over_ || state_.reading != Reading::frames) return;
  pass_on(frame);
  // A request without an id must be noted even so: its reply belongs to it by its place in the
  // order.
  const bool by_order = request.id.empty();
  if (by_order || !request.faults.empty() || config_.journals || aims_.stops_reading())
    aims_.expect(std::move(request));
}

/// Faults may stop the reading within the next request: then that request is not passed on. A
/// worker that serves one request after the other answers what it has read before it looks at the
/// next: so the stop is held until no reply is owed, or until the next request begins all the same.
void Machine::stop_if_planned(Time now) {
  if (!aims_.stops_reading() || over_ || state_.reading != Reading::frames) return;
  state_.read_bytes = 0;
  state_.read_at_most = std::numeric_limits<std::size_t>::max();
  stop_is_held_ = aims_.stops_before_next();
  stop_if_due(now);
}

/// Stops as planned, if all that was asked has been answered and those answers are under way.
void Machine::stop_if_due(Time now) {
  if (!stop_is_held_ || aims_.owes() || !later_.empty()) return;
  stop_is_held_ = false;
  if (!over_ && state_.reading == Reading::frames) stop_here(now);
}

void Machine::stop_here(Time now) {
  Script script;
  for (const Aimed& aimed : aims_.all()) {
    if (!aims_.strikes_before_next(aimed)) continue;
    strike_one(aimed, {*aimed.planned, aims_.asked(), script.actions, state_});
    if (state_.over) break;
  }
  if (std::exchange(state_.answers_unread, false) && !state_.over) {
    const auto frame =
        wire::encode_frame(config_.framing, made_up_reply(config_.speech, aims_.asked()));
    const std::string bytes = frame.value_or("");
    script.actions.emplace_back(faults::Write{bytes});
    faults::Journal wrote{Kind::wrote, aims_.asked()};
    wrote.bytes = bytes.size();
    script.actions.emplace_back(wrote);
    state_.stop_reading(script.actions);
  }
  over_ = over_ || state_.over || end_process(script.actions);
  play(std::move(script), now);
}

void Machine::client_ended(Time now) {
  if (over_) return;
  note(faults::record_of(Kind::stdin_end));
  pass_on(client_.rest());
  Script script;
  state_.flush(script.actions);
  play(std::move(script), now);
  leave(Departure::Cause::stdin_end, now);
}

void Machine::client_left() {
  queue_.drop_bytes();
  mute_ = closed_ = true;
  settle();
}

// ---- what the worker says -----------------------------------------------------------------------

std::size_t Machine::wants_worker() const {
  if (output_ended_) return 0;
  // Output that is not passed on is read nevertheless: the worker would stand still otherwise.
  if (mute_ || over_) return kReadBytes;
  return queue_.bytes() + later_bytes_ < kReadBytes ||
                 (queue_.empty() && later_bytes_ < config_.framing.payload_limit())
             ? kReadBytes
             : 0;
}

void Machine::from_worker(std::string_view bytes, Time now) {
  if (mute_ || over_ || end_) return;
  if (streams_) queue_.put(std::string(bytes));
  if (streams_ && !config_.journals) return settle();
  worker_.push(bytes);
  for (Piece piece = worker_.next(); !piece.bytes.empty(); piece = worker_.next()) {
    misframed("the worker", piece);
    if (piece.payload.empty()) {
      give(piece);
    } else {
      on_worker_frame(piece, now);
    }
    if (mute_ || over_) return;
  }
  stop_if_due(now);
  settle();
}

void Machine::give(const Piece& piece) {
  if (!streams_) queue_.put(std::string(piece.bytes));
}

void Machine::on_worker_frame(const Piece& frame, Time now) {
  const Message message = wrap::from_worker(config_.speech, frame.payload);
  std::optional<PendingRequest> request;
  if (message.kind == Message::Kind::reply) request = aims_.answered(message);
  if (request && !request->faults.empty()) return answer(*request, message, frame, now);
  if (request && aims_.repeats_reply()) state_.last_reply = frame.bytes;
  give(frame);
  if (request && config_.journals)
    queue_.put(Order(wrote_record(request->number, frame.bytes.size())));
}

void Machine::worker_output_ended(Time now) {
  if (std::exchange(output_ended_, true) || over_) return;
  if (!mute_) give(worker_.rest());
  Script script;
  state_.flush(script.actions);
  play(std::move(script), now);
}

void Machine::worker_exited(ExitStatus status, Time now) {
  exited_ = true;
  worker_output_ended(now);
  if (started_ && status.signal != 0) {
    JournalRecord killed = faults::record_of(Kind::misframed);
    killed.text = fmt::format("the worker was ended by signal {}", status.signal);
    if (config_.journals) orders_.emplace_back(EndedBy{status.signal});
    note(std::move(killed));
  }
  if (over_) return;
  if (stays_ && status.signal == 0) {
    lingers_ = true;
    state_.reading = state_.reading == Reading::nothing ? Reading::nothing : Reading::discarding;
    return settle();
  }
  // After the worker was killed, nothing that was delayed comes out. After an exit it still does.
  if (status.signal != 0 && !cause_) forget_later();
  Script script{.actions = {}, .then = End{status}};
  if (cause_) {
    constexpr int kAsItIs = -1;
    Departure departure{*cause_, kAsItIs};
    strike(Stage::leave, script.actions, &departure);
    if (departure.code != kAsItIs) script.then = End{{departure.code, 0}};
  }
  over_ = true;
  play(std::move(script), now);
}

// ---- how it ends --------------------------------------------------------------------------------

void Machine::leave(Departure::Cause cause, Time now) {
  Script script;
  Departure departure{cause};
  strike(Stage::stay, script.actions, &departure);
  play(std::move(script), now);
  if (departure.stays) {
    stays_ = stays_ || cause == Departure::Cause::request;
    if (cause == Departure::Cause::stdin_end) state_.reading = Reading::nothing;
    return;
  }
  cause_ = cause;
  if (cause == Departure::Cause::term) {
    forget_later();
    state_.cut_short();
    note(faults::record_of(Kind::term));
    if (!lingers_ && started_) orders_.emplace_back(SignalWorker{SIGTERM});
  }
  if (cause == Departure::Cause::stdin_end) end_worker_input();
  if (cause == Departure::Cause::request) return;
  stays_ = false;
  const bool is_there = started_ && !std::exchange(lingers_, false);
  if (!is_there) worker_exited(started_ ? ExitStatus{} : ExitStatus{0, SIGTERM}, now);
}

void Machine::forget_later() {
  later_.clear();
  later_bytes_ = 0;
}

void Machine::term(Time now) {
  if (!over_) leave(Departure::Cause::term, now);
}

void Machine::worker_left() {
  deaf_ = true;
  to_worker_.clear();
  to_worker_taken_ = 0;
  // With faults at its end, the worker's place still reads what the client sends.
  if (!ends_late_ && !over_) orders_.emplace_back(CloseInput{});
}

// ---- what goes out ------------------------------------------------------------------------------

std::string_view Machine::to_worker() const {
  return deaf_ ? std::string_view() : std::string_view(to_worker_).substr(to_worker_taken_);
}

void Machine::wrote_to_worker(std::size_t bytes) {
  to_worker_taken_ += bytes;
  if (to_worker_taken_ < to_worker_.size()) return;
  to_worker_.clear();
  to_worker_taken_ = 0;
  if (std::exchange(input_ending_, false)) orders_.emplace_back(EndWorkerInput{});
}

void Machine::end_worker_input() {
  input_ending_ = true;
  if (to_worker().empty()) wrote_to_worker(0);
}

void Machine::wrote_to_client(std::size_t bytes, Time now) {
  queue_.taken(bytes, now);
  settle();
}

Time Machine::next_deadline(Time now) const {
  const Time queued = queue_.next_deadline(now);
  return later_.empty() ? queued : std::min(queued, later_.begin()->first);
}

void Machine::tick(Time now) {
  while (!later_.empty() && later_.begin()->first <= now) {
    Script script = std::move(later_.begin()->second);
    later_.erase(later_.begin());
    later_bytes_ -= script.bytes();
    play(std::move(script), now);
  }
  stop_if_due(now);
  settle();
}

void Machine::play(Script script, Time now) {
  auto action = script.actions.begin();
  for (; action != script.actions.end(); ++action) {
    if (const auto* const pause = std::get_if<faults::Pause>(&*action)) {
      Script rest{
          {std::make_move_iterator(action + 1), std::make_move_iterator(script.actions.end())},
          std::move(script.then)};
      later_bytes_ += rest.bytes();
      later_.emplace(after(now, pause->span), std::move(rest));
      return settle();
    }
    carry_out(*action);
  }
  if (script.then && std::holds_alternative<End>(*script.then)) {
    end_ = std::get<End>(*script.then);
    JournalRecord exiting = faults::record_of(Kind::exiting);
    exiting.code = end_->status.code;
    if (end_->status.signal == 0) note(exiting);
  } else if (script.then) {
    started_ = true;
    queue_.put(*std::move(script.then));
    stop_if_planned(now);
  }
  settle();
}

void Machine::carry_out(faults::Action& action) {
  if (auto* const write = std::get_if<faults::Write>(&action)) {
    if (!closed_) queue_.put(std::move(write->bytes), write->chunk_bytes, write->gap);
  } else if (auto* const aside = std::get_if<faults::WriteStderr>(&action)) {
    queue_.put(Order(SayAside{std::move(aside->text)}));
  } else if (const auto* const exit = std::get_if<faults::Exit>(&action)) {
    queue_.put(Order(End{{exit->code, 0}}));
  } else if (const auto* const raised = std::get_if<faults::Raise>(&action)) {
    queue_.put(Order(RaiseSignal{raised->signal}));
  } else if (std::holds_alternative<faults::CloseStdout>(action)) {
    queue_.put(Order(CloseOutput{}));
    mute_ = closed_ = true;
  } else if (std::holds_alternative<faults::CloseStdin>(action)) {
    queue_.put(Order(CloseInput{}));
  } else if (const auto* const fork = std::get_if<faults::Fork>(&action)) {
    queue_.put(Order(HoldStreams{fork->lifetime}));
  } else if (const auto* const journal = std::get_if<faults::Journal>(&action)) {
    if (config_.journals) queue_.put(Order(journal->record()));
  }
  // HoldBack and StopReading need no order: the state knows of them.
}

void Machine::note(JournalRecord record) {
  if (config_.journals) orders_.emplace_back(std::move(record));
}

void Machine::misframed(std::string_view who, const Piece& piece) {
  if (piece.complaint.empty()) return;
  JournalRecord record = faults::record_of(Kind::misframed);
  record.text = std::string(who) + ": " + piece.complaint;
  note(std::move(record));
}

void Machine::strike(Stage stage, faults::Actions& out, Departure* departure) {
  for (const Aimed& aimed : aims_.all()) {
    if (aimed.behaviour->stage != stage || is_of_request(stage)) continue;
    strike_one(aimed, {*aimed.planned, std::nullopt, out, state_, nullptr, departure});
    if (state_.over) return;
  }
}

void Machine::strike_at(Stage stage, const PendingRequest& request, faults::Actions& out,
                        faults::ReplyInProgress* reply) {
  for (const Aimed* aimed : request.faults) {
    if (aimed->behaviour->stage != stage) continue;
    strike_one(*aimed, {*aimed->planned, request.number, out, state_, reply});
    if (state_.over) return;
  }
}

/// Moves the orders that are due. When nothing is under way any more, adds the order that ends it.
void Machine::settle() {
  queue_.collect(orders_);
  if (!queue_.empty() || !later_.empty()) return;
  if (end_) {
    orders_.emplace_back(*std::exchange(end_, std::nullopt));
  } else if (output_ended_ && !exited_ && !over_ && !ends_late_ && !std::exchange(closed_, true)) {
    orders_.emplace_back(CloseOutput{});
  }
}

}  // namespace poolproof::wrap
