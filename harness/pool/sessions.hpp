#pragma once

#include <cstdint>
#include <optional>
#include <vector>

#include "harness/base/clock.hpp"
#include "harness/base/ids.hpp"
#include "harness/pool/deadlines.hpp"
#include "harness/pool/id_index.hpp"
#include "harness/pool/session.hpp"

namespace poolproof::pool {

/// The sessions that go on: which worker serves each, and until when it may stay unused. grant(),
/// refuse(), give_back() and end() do nothing for one that is not known (0, or over).
///
/// A session's worker is the one that served it last. Once somebody has asked for it strictly it
/// keeps its worker, whoever serves its other requests.
///
/// Every operation is O(log n) at most and allocates only when more sessions go on than ever
/// before.
class Sessions {
 public:
  /// With `idle_timeout` 0 no session ends by itself.
  Sessions(std::uint32_t limit, Duration idle_timeout)
      : limit_(limit), idle_timeout_(idle_timeout) {}

  /// The number of sessions that have not been ended.
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool contains(SessionId session) const { return place_of(session) != kNone; }
  /// The session's worker; nothing: no worker has served it.
  [[nodiscard]] std::optional<WorkerId> worker_of(SessionId session) const;
  /// Whether somebody waits who asked strictly, perhaps for the session's first worker.
  [[nodiscard]] bool has_strict_waiters(SessionId session) const;

  /// Somebody asks for a worker in a session, which begins with that. False: there are too many.
  bool ask(const SessionUse& use);
  /// Somebody who asked is served. True: the session has got its first worker.
  bool grant(const SessionUse& use, WorkerId worker);
  /// Somebody who asked is turned away. True: with that the session is over, since it was ended, or
  /// nobody has served it.
  bool refuse(const SessionUse& use, Time now);
  /// A lease in the session is over. True: so is the session, which was ended.
  bool give_back(SessionId session, Time now);
  /// Ends a session. It goes on for those who wait or hold a lease, and is over with the last of
  /// them. Nothing: there is no such session; true: it is over now.
  std::optional<bool> end(SessionId session);
  /// Removes a session that was idle for too long.
  void forget(SessionId session) { take(place_of(session)); }

  /// Removes all sessions.
  void clear();

  /// When the next session has been idle for too long.
  [[nodiscard]] Time earliest() const { return idle_until_.earliest(); }
  /// The session that is the next to be idle for too long. Requires: earliest() != kNever.
  [[nodiscard]] SessionId first() const { return slab_[idle_until_.first()].id; }

 private:
  static constexpr std::uint32_t kNone = IdIndex::kNone;
  struct Session {
    SessionId id = SessionId::none;
    std::optional<WorkerId> worker;
    std::uint32_t waiting = 0;
    std::uint32_t strict_waiting = 0;
    std::uint32_t leases = 0;
    bool is_strict = false;  ///< somebody has asked for it strictly
    bool ended = false;
    [[nodiscard]] bool is_used() const { return waiting > 0 || leases > 0; }
  };

  [[nodiscard]] std::uint32_t place_of(SessionId session) const {
    return index_.find(static_cast<std::uint64_t>(session));
  }
  /// Takes room for a session that is new or was ended. False: there is none left.
  bool admit(SessionId session);
  void stop_waiting(Session& session, const SessionUse& use);
  bool rest(std::uint32_t place, Time now);
  void take(std::uint32_t place);

  std::uint32_t limit_;
  Duration idle_timeout_;
  std::uint32_t size_ = 0;
  std::vector<Session> slab_;
  std::vector<std::uint32_t> free_;
  IdIndex index_;         ///< from sessions to their places in the slab
  Deadlines idle_until_;  ///< when a session has been idle for too long, by its place in the slab
};

}  // namespace poolproof::pool
