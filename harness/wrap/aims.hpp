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
  std::uint64_t fitted = 0;  ///< requests whose words it fits, so far
};

/// With its receipt, unless it writes that itself.
void strike_one(const Aimed& aimed, const faults::Scene& scene);
/// A deadly signal is among them.
bool end_process(const faults::Actions& actions);

/// A request that was passed on and not answered yet.
struct Asked {
  std::uint64_t number = 0;  ///< counted from 0
  std::string id;            ///< as JSON; empty: it has none
  std::vector<const Aimed*> faults;
};

/// Which faults strike at which request, and which request a reply belongs to.
class Aims {
 public:
  Aims(std::span<const faults::PlannedFault> plan, WorkerId self);

  /// The next request: those faults that know requests and are aimed at it.
  Asked ask(const Message& request, std::string_view payload);
  [[nodiscard]] std::uint64_t asked() const { return asked_; }
  /// Waits for its reply. Of too many that wait the oldest is forgotten.
  void expect(Asked request);
  /// The request that the reply belongs to: the oldest of its id, which may be none. Nothing: there
  /// is none.
  std::optional<Asked> answered(const Message& reply);

  /// The client was asked in the worker's name, so often by that id (as JSON).
  void asks(const std::string& id, std::uint64_t times);
  /// What it says answers such a request, of which the worker knows nothing. Once each.
  bool answers_us(const Message& message);

  /// One of them says the reply before once more.
  [[nodiscard]] bool repeats_reply() const { return repeats_reply_; }
  [[nodiscard]] const std::deque<Aimed>& all() const { return aimed_; }
  /// One of them strikes before a request is read.
  [[nodiscard]] bool stops_reading() const;

 private:
  static bool fits(Aimed& aimed, const Message& request, std::uint64_t number,
                   std::string_view payload);

  std::deque<Aimed> aimed_;
  std::deque<Asked> waiting_;
  std::map<std::string, std::uint64_t, std::less<>> owed_to_us_;  ///< answers, by their id
  bool repeats_reply_ = false;
  std::uint64_t asked_ = 0;
};

}  // namespace poolproof::wrap
