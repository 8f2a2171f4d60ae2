#pragma once

#include <cstdint>
#include <deque>
#include <functional>
#include <map>
#include <span>
#include <string>
#include <string_view>
#include <vector>

#include "fake_workers/behaviour.hpp"
#include "fake_workers/plan.hpp"
#include "harness/base/ids.hpp"
#include "harness/wrap/speech.hpp"

namespace poolproof::wrap {

/// A fault of the plan that is aimed at this incarnation.
struct Aimed {
  const faults::PlannedFault* planned;
  const faults::Behaviour* behaviour;
  std::uint64_t fitted = 0;  ///< how many requests its `method` and `contains` have fitted so far
};

/// Lets a fault strike, and writes its receipt unless the fault does that itself.
void strike_one(const Aimed& aimed, const faults::Scene& scene);
/// Whether a deadly signal is among the actions.
bool end_process(const faults::Actions& actions);

/// A request that was passed on and not answered yet.
struct PendingRequest {
  std::uint64_t number = 0;  ///< the request's number, counted from 0
  std::string id;            ///< the id as JSON; empty: the request has none
  std::vector<const Aimed*> faults;
};

/// Which faults strike at which request, and which request a reply belongs to.
class Aims {
 public:
  Aims(std::span<const faults::PlannedFault> plan, WorkerId self);

  /// Takes the next request, and returns it with the faults that are aimed at it.
  PendingRequest ask(const Message& request, std::string_view payload);
  [[nodiscard]] std::uint64_t asked() const { return asked_; }
  /// Notes that a request waits for its reply. If too many wait, the oldest is forgotten.
  void expect(PendingRequest request);
  /// The request that the reply belongs to: the oldest that waits with the same id (or also without
  /// any). Nothing: there is none.
  std::optional<PendingRequest> answered(const Message& reply);

  /// Notes that the client was asked in the worker's name, `times` times, with that id (as JSON).
  void asks(const std::string& id, std::uint64_t times);
  /// Whether a message answers such a request, of which the worker knows nothing. True once for
  /// each request.
  bool answers_us(const Message& message);

  /// Whether a fault of the plan makes the worker repeat its last reply.
  [[nodiscard]] bool repeats_reply() const { return repeats_reply_; }
  [[nodiscard]] const std::deque<Aimed>& all() const { return aimed_; }
  /// Whether a fault of the plan strikes before a request is read.
  [[nodiscard]] bool stops_reading() const;
  /// Whether that one strikes before the request that is to be read next; and whether any does.
  [[nodiscard]] bool strikes_before_next(const Aimed& aimed) const;
  [[nodiscard]] bool stops_before_next() const;
  /// Whether a request waits for its reply, as expect() was told.
  [[nodiscard]] bool owes() const { return !waiting_.empty(); }

 private:
  static bool fits(Aimed& aimed, const Message& request, std::uint64_t number,
                   std::string_view payload);

  std::deque<Aimed> aimed_;
  std::deque<PendingRequest> waiting_;
  /// By id, how many answers to such requests are due
  std::map<std::string, std::uint64_t, std::less<>> owed_to_us_;
  bool repeats_reply_ = false;
  std::uint64_t asked_ = 0;
};

}  // namespace poolproof::wrap
