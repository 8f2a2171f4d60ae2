#include "harness/oracle/oracle_testing.hpp"

/// The bad trace of sessions is changed: what was wrong is well, or is wrong in another way.
namespace poolproof::oracle {
namespace {

trace::ClientStep& second_checkout(Story& story) {
  return step(story, "b", 0);
}

std::string told_of_affinity(const Story& story) {
  std::string all;
  for (const Finding& finding : judge(story.evidence())) {
    if (finding.invariant == "affinity") all += finding.what + "\n";
  }
  return all;
}

TEST_CASE("oracle: sessions: both the clients and the pool tell of a stranger in a strict one") {
  Story story = told("affinity");
  const std::string all = told_of_affinity(story);
  CHECK(all.find("got worker 1.0 in the strict session \"alice\"") != std::string::npos);
  CHECK(all.find("was given worker 1.0, its own is 0.0") != std::string::npos);
  story.trace.pool.clear();
  CHECK(told_of_affinity(story).find("strict session \"alice\"") != std::string::npos);
}

TEST_CASE("oracle: sessions: where any worker will do, none is wrong") {
  Story story = told("affinity");
  for (trace::ClientStep& one : story.trace.clients) one.affinity = pool::Affinity::any;
  for (trace::PoolRecord& record : story.trace.pool) {
    if (auto* asks = std::get_if<pool::CheckoutRequested>(&record.event)) {
      asks->use.affinity = pool::Affinity::any;
    }
  }
  CHECK(told_of_affinity(story).empty());
}

TEST_CASE("oracle: sessions: one that was ended may begin anew with another worker") {
  Story story = told("affinity");
  story.trace.pool.clear();
  trace::ClientStep end;
  end.kind = StepKind::end_session;
  end.session = "alice";
  story.trace.clients.push_back(end);
  CHECK(told_of_affinity(story).empty());
}

TEST_CASE("oracle: sessions: clients and pool speak of the same session") {
  Story story = told("affinity");
  second_checkout(story).session = "bob";
  CHECK(broken(story).contains("witnesses"));
  second_checkout(story).session = "";
  CHECK(broken(story).contains("witnesses"));
}

}  // namespace
}  // namespace poolproof::oracle
