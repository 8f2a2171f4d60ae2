#include <algorithm>

#include <fmt/format.h>

#include "harness/base/assert.hpp"
#include "harness/scenario/client_name.hpp"
#include "harness/scenario/scenario_json.hpp"

namespace poolproof::scenario {
namespace {

/// Which steps of a scenario's clients wait for which. Every step is two points in time, begun and
/// ended, and each point waits for at most two others. The points must be a partial order.
class Waits {
 public:
  explicit Waits(const Scenario& scenario) : scenario_(scenario) {
    for (std::size_t client = 0; client < scenario.clients.size(); ++client) {
      first_.push_back(points_.size());
      for (std::size_t step = 0; step < scenario.clients[client].steps.size(); ++step) {
        points_.push_back({client, step, {}, false});
        points_.push_back({client, step, {}, false});
      }
    }
    for (std::size_t client = 0; client < scenario.clients.size(); ++client) connect(client);
    settle();
  }

  struct Point {
    std::size_t client;
    std::size_t step;
    std::vector<std::size_t> needs;
    bool comes;  ///< this point in time is reached at some time
  };

  /// A circle of points: each waits for the next one, the last for the first; empty: there is none.
  [[nodiscard]] std::vector<Point> circle() const {
    const auto stuck = std::ranges::find(points_, false, &Point::comes);
    if (stuck == points_.end()) return {};
    // A point that is held up is held up by another such point: after as many steps back as there
    // are points, the walk is in a circle.
    auto at = static_cast<std::size_t>(stuck - points_.begin());
    for (std::size_t i = 0; i < points_.size(); ++i) at = held_up_by(at);
    std::vector<Point> circle;
    const std::size_t start = at;
    do {
      circle.push_back(points_[at]);
      at = held_up_by(at);
    } while (at != start);
    return circle;
  }

 private:
  void connect(std::size_t client) {
    const Client& here = scenario_.clients[client];
    for (std::size_t step = 0; step < here.steps.size(); ++step) {
      Point& begun = points_[point(client, step, false)];
      Point& ended = points_[point(client, step, true)];
      if (step > 0) begun.needs.push_back(point(client, step - 1, true));
      ended.needs.push_back(point(client, step, false));
      if (const auto* await = std::get_if<AwaitClient>(&here.steps[step])) {
        ended.needs.push_back(point(index(await->client), await->step, await->ended));
      }
    }
    if (here.after.empty()) return;
    const std::size_t before = index(here.after);
    const std::size_t last = scenario_.clients[before].steps.size() - 1;
    points_[point(client, 0, false)].needs.push_back(point(before, last, true));
  }

  void settle() {
    std::vector<std::vector<std::size_t>> needed_by(points_.size());
    std::vector<std::size_t> missing(points_.size());
    std::vector<std::size_t> due;
    for (std::size_t i = 0; i < points_.size(); ++i) {
      missing[i] = points_[i].needs.size();
      for (const std::size_t need : points_[i].needs) needed_by[need].push_back(i);
      if (missing[i] == 0) due.push_back(i);
    }
    while (!due.empty()) {
      const std::size_t now = due.back();
      due.pop_back();
      points_[now].comes = true;
      for (const std::size_t next : needed_by[now]) {
        if (--missing[next] == 0) due.push_back(next);
      }
    }
  }

  [[nodiscard]] std::size_t point(std::size_t client, std::size_t step, bool ended) const {
    return first_[client] + 2 * step + (ended ? 1 : 0);
  }

  /// `name`, or `name.2` of a counted client: they all have the same steps.
  [[nodiscard]] std::size_t index(std::string_view name) const {
    const auto found = std::ranges::find(scenario_.clients, common_name(name), &Client::name);
    POOLPROOF_ASSERT(found != scenario_.clients.end());
    return static_cast<std::size_t>(found - scenario_.clients.begin());
  }

  [[nodiscard]] std::size_t held_up_by(std::size_t point) const {
    const std::vector<std::size_t>& needs = points_[point].needs;
    const auto stuck = std::ranges::find_if_not(needs, [&](auto at) { return points_[at].comes; });
    POOLPROOF_ASSERT(stuck != needs.end());
    return *stuck;
  }

  const Scenario& scenario_;
  std::vector<std::size_t> first_;
  std::vector<Point> points_;
};

}  // namespace

void check_circles(const Scenario& scenario, const JsonNode& root) {
  const std::vector<Waits::Point> circle = Waits(scenario).circle();
  if (circle.empty()) return;
  const auto earliest =
      std::ranges::min_element(circle, [](const Waits::Point& a, const Waits::Point& b) {
        return std::pair(a.client, a.step) < std::pair(b.client, b.step);
      });
  const auto start = static_cast<std::size_t>(earliest - circle.begin());
  std::string way;
  for (std::size_t i = 0; i <= circle.size(); ++i) {
    const Waits::Point& point = circle[(start + i) % circle.size()];
    const std::string step =
        fmt::format("{} step {}", scenario.clients[point.client].name, point.step);
    if (way.ends_with(step)) continue;
    way += (way.empty() ? "" : " -> ") + step;
  }
  root.complaints().add(
      fmt::format("{}#/clients/{}/steps/{}", root.where(), earliest->client, earliest->step),
      "waits in a circle: " + way, "waits that can end");
}

}  // namespace poolproof::scenario
