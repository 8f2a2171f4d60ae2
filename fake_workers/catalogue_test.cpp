#include "fake_workers/catalogue.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "fake_workers/behaviour.hpp"

namespace poolproof::faults {
namespace {

std::span<const Behaviour> behaviours(Family family) {
  switch (family) {
    case Family::drop:
      return drop_behaviours();
    case Family::misframe:
      return misframe_behaviours();
    case Family::delay:
      return delay_behaviours();
    case Family::shutdown:
      return shutdown_behaviours();
  }
  return {};
}

Moment moment_of(Stage stage) {
  switch (stage) {
    case Stage::start:
    case Stage::first_bytes:
      return Moment::start;
    case Stage::before_read:
    case Stage::request:
      return Moment::request;
    case Stage::content:
    case Stage::pause:
    case Stage::writing:
      return Moment::reply;
    case Stage::idle:
      return Moment::idle;
    case Stage::stay:
    case Stage::leave:
      return Moment::shutdown;
    case Stage::launch:
      return Moment::launch;
  }
  return Moment::start;
}

TEST_CASE("fake_workers: catalogue: names are unique and found again") {
  std::set<std::string_view> names;
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    CHECK(names.insert(fault.name).second);
    CHECK(find(fault.name) == &fault);
    CHECK_FALSE(fault.summary.empty());
    CHECK_FALSE(fault.source.empty());
  }
  CHECK(names.size() == 47);
  CHECK(find("no_such_fault") == nullptr);
}

TEST_CASE("fake_workers: catalogue: every number has its unit last and a default within bounds") {
  const std::set<std::string_view> without_unit{"code", "signal", "offset", "depth"};
  for (const Fault& fault : catalogue()) {
    for (const Param& param : fault.params) {
      INFO(fault.name << " " << param.name);
      CHECK_FALSE(param.meaning.empty());
      if (param.is_text) continue;
      CHECK((param.name.ends_with("_ms") || param.name.ends_with("_bytes") ||
             without_unit.contains(param.name)));
      CHECK(param.min <= param.default_number);
      CHECK(param.default_number <= param.max);
    }
  }
}

TEST_CASE("fake_workers: catalogue: every fault has one behaviour, in its family and moment") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name);
    const auto family = behaviours(fault.family);
    CHECK(std::ranges::count(family, fault.name, &Behaviour::fault) == 1);
    CHECK(moment_of(behaviour_of(fault).stage) == fault.moment);
  }
}

TEST_CASE("fake_workers: catalogue: every behaviour has a row") {
  std::size_t count = 0;
  for (const Family family : {Family::drop, Family::misframe, Family::delay, Family::shutdown}) {
    for (const Behaviour& behaviour : behaviours(family)) {
      INFO(behaviour.fault);
      ++count;
      const Fault* fault = find(behaviour.fault);
      REQUIRE(fault != nullptr);
      CHECK(fault->family == family);
    }
  }
  CHECK(count == catalogue().size());
}

}  // namespace
}  // namespace poolproof::faults
