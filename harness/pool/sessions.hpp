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

/// The sessions that go on: which worker is whose, and since when nobody uses it. One of which
/// nothing is known (0, or it is over) is passed over in silence.
///
/// A session's worker is the one that served it last. Once somebody has asked for it strictly it
/// keeps its worker, whoever serves its other requests.
///
/// Every operation is O(log n) at most and allocates only when more sessions go on than ever
/// before.
class Sessions {
 public:
  /// `idle_timeout` 0: none ends by itself.
  Sessions(std::uint32_t limit, Duration idle_timeout)
      : limit_(limit), idle_timeout_(idle_timeout) {}

  /// Those that have not been ended.
  [[nodiscard]] std::uint32_t size() const { return size_; }
  [[nodiscard]] bool contains(SessionId session) const { return place_of(session) != kNone; }
  /// Nothing: nobody has served it.
  [[nodiscard]] std::optional<WorkerId> worker_of(SessionId session) const;
  /// Somebody asks strictly and waits, perhaps for the first worker.
  [[nodiscard]] bool has_strict_waiters(SessionId session) const;

  /// Somebody asks for a worker in it; it begins with that. False: there are too many.
  bool ask(const SessionUse& use);
  /// One who asked is served. True: it is the first.
  bool grant(const SessionUse& use, WorkerId worker);
  /// One who asked is turned away. True: with that the session is over, since it was ended, or
  /// nobody has served it.
  bool refuse(const SessionUse& use, Time now);
  /// The lease of one who was served is over. True: and the session, which was ended.
  bool give_back(SessionId session, Time now);
  /// It goes on for those who wait or hold a lease, and is over with the last of them. Nothing:
  /// there is none; true: it is over now.
  std::optional<bool> end(SessionId session);
  /// It was idle for too long.
  void forget(SessionId session) { take(place_of(session)); }

  /// All of them.
  void clear();

  /// When the next one has been idle for too long.
  [[nodiscard]] Time earliest() const { return idle_until_.earliest(); }
  /// Which. Requires: earliest() != kNever.
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
  /// It takes room, from now on or again. False: there is none left.
  bool let_in(SessionId session);
  void stop_waiting(Session& session, const SessionUse& use);
  bool rest(std::uint32_t place, Time now);
  void take(std::uint32_t place);

  std::uint32_t limit_;
  Duration idle_timeout_;
  std::uint32_t size_ = 0;
  std::vector<Session> slab_;
  std::vector<std::uint32_t> free_;
  IdIndex index_;         ///< from sessions to their places in the slab
  Deadlines idle_until_;  ///< by place
};

}  // namespace poolproof::pool
