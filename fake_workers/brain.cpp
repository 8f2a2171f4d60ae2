#include "fake_workers/brain.hpp"

#include <algorithm>
#include <limits>
#include <utility>

#include "harness/base/assert.hpp"
#include "harness/base/text.hpp"

namespace poolproof::faults {
namespace {

using Kind = JournalRecord::Kind;

constexpr std::size_t kReadMaxBytes = 65'536;

void journal(Kind kind, Actions& out) {
  out.emplace_back(Journal{kind});
}

Journal read_record(const Request& request) {
  Journal record{Kind::read, request.number};
  record.read = &request;
  return record;
}

Journal wrote_record(const Request& request, std::size_t bytes) {
  Journal record{Kind::wrote, request.number};
  record.bytes = bytes;
  return record;
}

/// Whether a nonce is `client:call`.
bool is_nonce(std::string_view nonce, std::string_view client, std::uint32_t call) {
  return nonce.size() > client.size() && nonce.starts_with(client) && nonce[client.size()] == ':' &&
         nonce.substr(client.size() + 1) == std::to_string(call);
}

/// Whether a stage is about a request: those of start and shutdown are not.
bool has_request(Stage stage) {
  return stage != Stage::start && stage != Stage::first_bytes && stage != Stage::stay &&
         stage != Stage::leave;
}

}  // namespace

void Brain::begin(BrainConfig config) {
  config_ = std::move(config);
  worker_.begin(config_.worker_id, config_.speech);
  decoder_.begin(config_.framing);
  state_.begin();
  read_count_ = read_bytes_ = came_early_ = 0;
  lines_.clear();
  read_any_ = computing_ = terminated_ = told_to_leave_ = repeats_reply_ = false;
  clear(request_);
  faults_.clear();
  for (const PlannedFault& planned : config_.plan) {
    if (!planned.at.fits(config_.self)) continue;
    faults_.push_back({&planned, &behaviour_of(*planned.fault)});
    repeats_reply_ = repeats_reply_ || repeats_reply(planned);
  }
}

void Brain::start(Actions& out) {
  journal(Kind::started, out);
  strike(Stage::start, out);
  stop_if_planned(out);
}

std::size_t Brain::wants() const {
  if (state_.over || computing_ || state_.reading == WorkerState::Reading::nothing) return 0;
  if (state_.reading != WorkerState::Reading::frames) return kReadMaxBytes;
  if (holds_request()) return 0;
  if (config_.framing.wire != wire::Wire::prefix)
    return std::min(kReadMaxBytes, state_.read_at_most - decoder_.buffered_bytes());
  const std::size_t whole = config_.framing.prefix_bytes + decoder_.announced_bytes().value_or(0);
  return std::min(whole, state_.read_at_most) - decoder_.buffered_bytes();
}

void Brain::read(std::string_view bytes, Actions& out) {
  POOLPROOF_ASSERT(!bytes.empty() && bytes.size() <= wants());
  read_bytes_ += bytes.size();
  if (!read_any_) {
    read_any_ = true;
    strike(Stage::first_bytes, out);
  }
  if (state_.reading == WorkerState::Reading::lines) {
    lines_.append(bytes.substr(0, kReadMaxBytes - std::min(kReadMaxBytes, lines_.size())));
  }
  if (state_.reading != WorkerState::Reading::frames) return;
  decoder_.push(bytes);
  take_frame(out);
}

void Brain::go_on(Actions& out) {
  POOLPROOF_ASSERT(holds_request());
  take_frame(out);
}

bool Brain::holds_request() const {
  return !state_.over && !computing_ && state_.reading == WorkerState::Reading::frames &&
         (decoder_.ready() || cut_off());
}

bool Brain::cut_off() const {
  return decoder_.buffered_bytes() >= state_.read_at_most &&
         !decoder_.ready_within(state_.read_at_most);
}

/// Takes one request at most: all that it leads to must be over before the next one is looked at.
void Brain::take_frame(Actions& out) {
  do {
    request_.notification = false;
    if (cut_off()) {
      state_.read_bytes = state_.read_at_most;
      return stop_here(out);
    }
    const bool early = read_bytes_ - decoder_.buffered_bytes() < came_early_;
    if (decoder_.skip_empty()) return on_empty_frame(early, out);
    const auto payload = decoder_.next();
    if (!payload) return on_lost_stream(payload.error(), out);
    if (*payload) on_payload(**payload, early, out);
  } while (request_.notification && holds_request());
}

void Brain::end_of_input(Actions& out) {
  if (state_.over) return;
  journal(Kind::stdin_end, out);
  state_.flush(out);
  Departure departure{Departure::Cause::stdin_end};
  if (state_.reading == WorkerState::Reading::lines) {
    out.emplace_back(
        WriteStderr{"stdin ended without a line of JSON: " + hex_and_text(lines_) + "\n"});
  } else if (state_.reading == WorkerState::Reading::frames && decoder_.buffered_bytes() > 0) {
    out.emplace_back(
        WriteStderr{"end of input inside a frame: " + hex_and_text(decoder_.buffered()) + "\n"});
    departure.code = 1;
  }
  leave(departure, out);
}

void Brain::term(Actions& out) {
  if (terminated_) return;
  leave({Departure::Cause::term}, out);
}

void Brain::computed(std::uint32_t primes, Actions& out) {
  computing_ = false;
  answer(SoundWorker::computed(primes), out);
}

void Brain::on_payload(std::string_view payload, bool early, Actions& out) {
  read_request(payload, read_count_, config_.codec, config_.speech, request_);
  request_.early = early;
  if (request_.notification) {
    if (config_.speech == wire::Speech::lsp && request_.command == "exit")
      leave({Departure::Cause::request, told_to_leave_ ? 0 : 1}, out);
    return;
  }
  if (told_to_leave_ && request_.problem.empty()) request_.problem = "a request behind shutdown";
  serve(out);
}

void Brain::on_empty_frame(bool early, Actions& out) {
  clear(request_);
  request_.early = early;
  request_.number = read_count_;
  request_.problem = "empty frame";
  request_.code = RpcError::parse_error;
  serve(out);
}

/// Exits, because nothing behind the broken frame can be read.
void Brain::on_lost_stream(const wire::FrameError& error, Actions& out) {
  decoder_.clear();
  out.emplace_back(WriteStderr{error.message + "\n"});
  state_.exit(1, out);
}

void Brain::serve(Actions& out) {
  ++read_count_;
  out.emplace_back(read_record(request_));
  strike(Stage::request, out);
  if (state_.over || state_.reading != WorkerState::Reading::frames) return;
  answer(worker_.answer(request_), out);
}

void Brain::answer(Answer answer, Actions& out) {
  if (answer.compute_below) {
    computing_ = true;
    out.emplace_back(Compute{*answer.compute_below});
    return;
  }
  if (answer.grow_bytes > 0) out.emplace_back(Grow{answer.grow_bytes});
  if (answer.pause > Duration{0}) out.emplace_back(Pause{answer.pause});
  ReplyInProgress reply;
  reply.codec = config_.codec;
  reply.speech = config_.speech;
  reply.of_tool = request_.tool_call && !answer.refused;
  // A message that is no request is answered without an id, even if it has one.
  if (request_.command && request_.id) reply.id = std::to_string(*request_.id);
  if (request_.command && !request_.text_id.empty()) reply.id = request_.text_id;
  reply.success = answer.success;
  reply.code = answer.code;
  reply.body = std::move(answer.body);
  reply.timestamp = config_.timestamp;
  if (answer.echoes && config_.codec == wire::Codec::terse) {
    if (request_.nonce) reply.nonce = *request_.nonce;
    reply.pad_bytes = request_.pad_bytes;
  }
  reply.framing = config_.framing;
  const std::size_t size = reply.payload_size();
  if (size > reply.framing.payload_limit()) {
    const bool was_error = !std::exchange(reply.success, false);
    reply.code = RpcError::server_error;
    reply.body = worker_.refuse_length(size, was_error).body;
    reply.nonce.clear();
    reply.pad_bytes = 0;
  }
  strike(Stage::content, out, &reply);
  strike(Stage::pause, out, &reply);
  strike(Stage::writing, out, &reply);
  write_reply(reply, out);
  after_reply(out);
}

void Brain::write_reply(const ReplyInProgress& reply, Actions& out) {
  if (reply.dropped) return;
  std::string bytes = reply.bytes();
  reply.interrupt(bytes);
  const std::size_t size = bytes.size();
  if (repeats_reply_) state_.last_reply = bytes;
  if (reply.cut) return write_beginning(std::move(bytes), reply, out);
  Write write{std::move(bytes), reply.chunk_bytes, reply.gap};
  const Journal wrote = wrote_record(request_, size);
  if (reply.held_back) return state_.hold_back(std::move(write), wrote, out);
  out.emplace_back(std::move(write));
  out.emplace_back(wrote);
}

void Brain::write_beginning(std::string bytes, const ReplyInProgress& reply, Actions& out) {
  const std::size_t size = bytes.size();
  bytes.resize(std::min(size, reply.cut->keep_bytes));
  const bool whole = bytes.size() == size;
  if (!bytes.empty()) out.emplace_back(Write{std::move(bytes), reply.chunk_bytes, reply.gap});
  if (whole) out.emplace_back(wrote_record(request_, size));
  switch (reply.cut->then) {
    case Ending::exit:
    case Ending::kill:
      return state_.end(*reply.cut, out);
    case Ending::hang:
    case Ending::answer:  // only requests can end by `answer`
      return state_.stop_reading(out);
    case Ending::close:
      out.emplace_back(CloseStdout{});
      state_.reading = WorkerState::Reading::discarding;
  }
}

void Brain::after_reply(Actions& out) {
  if (state_.over || state_.reading != WorkerState::Reading::frames) return;
  strike(Stage::idle, out);
  if (state_.over) return;
  const bool of_mcp = config_.speech == wire::Speech::mcp;
  if (request_.problem.empty() && request_.command == "shutdown" && request_.tool_call == of_mcp) {
    told_to_leave_ = config_.speech == wire::Speech::lsp;
    if (!told_to_leave_) leave({Departure::Cause::request}, out);
  }
  stop_if_planned(out);
}

void Brain::leave(Departure departure, Actions& out) {
  const bool by_term = departure.cause == Departure::Cause::term;
  strike(Stage::stay, out, nullptr, &departure);
  if (departure.stays) {
    if (departure.cause == Departure::Cause::stdin_end) state_.stop_reading(out);
    return;
  }
  terminated_ = by_term;
  if (by_term) {
    state_.cut_short();
    journal(Kind::term, out);
  }
  strike(Stage::leave, out, nullptr, &departure);
  state_.exit(departure.code, out);
}

void Brain::stop_if_planned(Actions& out) {
  if (state_.over || state_.reading != WorkerState::Reading::frames) return;
  state_.read_bytes = 0;
  state_.read_at_most = std::numeric_limits<std::size_t>::max();
  stop_here(out);
}

/// Lets faults strike that stop the reading here. To answer what it has not read, the worker
/// guesses the id: a pool that counts its requests to one worker will believe the reply.
void Brain::stop_here(Actions& out) {
  strike(Stage::before_read, out);
  if (!std::exchange(state_.answers_unread, false) || state_.over) return;
  ReplyInProgress reply;
  reply.codec = config_.codec;
  reply.speech = config_.speech;
  reply.framing = config_.framing;
  reply.id = std::to_string(read_count_);
  reply.body = "{}";
  reply.timestamp = config_.timestamp;
  std::string bytes = reply.bytes();
  Journal wrote{Kind::wrote, read_count_};
  wrote.bytes = bytes.size();
  out.emplace_back(Write{std::move(bytes)});
  out.emplace_back(wrote);
  state_.stop_reading(out);
}

void Brain::strike_those_of(Stage stage, Actions& out, ReplyInProgress* reply,
                            Departure* departure) {
  for (const Aimed& aimed : faults_) {
    if (aimed.behaviour->stage != stage || !aimed_here(aimed)) continue;
    std::optional<std::uint64_t> request;
    if (has_request(stage)) request = stage == Stage::before_read ? read_count_ : request_.number;
    const Scene scene{*aimed.planned, request, out, state_, reply, departure};
    if (aimed.behaviour->receipt == Behaviour::Receipt::first) scene.receipt();
    aimed.behaviour->strike(scene);
    if (state_.over) return;
  }
}

bool Brain::aimed_here(const Aimed& aimed) const {
  const Stage stage = aimed.behaviour->stage;
  if (!has_request(stage)) return true;
  const Aim& at = aimed.planned->at;
  if (stage == Stage::before_read) return at.request.value_or(read_count_) == read_count_;
  if (at.client.empty()) return at.request.value_or(request_.number) == request_.number;
  return request_.nonce && is_nonce(*request_.nonce, at.client, at.call);
}

}  // namespace poolproof::faults
