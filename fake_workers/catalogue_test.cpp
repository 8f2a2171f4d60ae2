#include "fake_workers/catalogue.hpp"

#include <algorithm>
#include <set>

#include <catch2/catch.hpp>

#include "fake_workers/behaviour.hpp"

namespace poolproof::faults {
namespace {

Moment moment_of(Stage stage) {
  switch (stage) {
    case Stage::start:
    case Stage::first_bytes:
      return Moment::start;
    case Stage::before_read:
      return Moment::reading;
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
  CHECK(find("no_such_fault") == nullptr);
}

TEST_CASE("fake_workers: catalogue: every number has its unit last and a default within bounds") {
  const std::set<std::string_view> without_unit{"code", "signal", "offset", "depth", "frames"};
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

TEST_CASE("fake_workers: catalogue: a generator has numbers to draw, more than one, for each") {
  for (const Fault& fault : catalogue()) {
    for (const Param& param : fault.params) {
      INFO(fault.name << " " << param.name);
      if (param.is_pause) CHECK(param.name == "delay_ms");
      if (param.is_text || param.is_pause) continue;
      std::set<std::int64_t> drawn;
      for (const std::int64_t number : param.palette) {
        drawn.insert(std::clamp(number, param.min, param.max));
      }
      CHECK(drawn.size() > 1);
      const std::int64_t quick = param.quick.value_or(param.default_number);
      CHECK(std::clamp(quick, param.min, param.max) == quick);
    }
  }
}

TEST_CASE("fake_workers: catalogue: the faults that cut a frame are found by what they cut") {
  for (const Moment moment : {Moment::reading, Moment::reply}) {
    const Fault& fault = cutting(moment);
    CHECK(fault.moment == moment);
    CHECK(std::ranges::count(fault.params, "keep_bytes", &Param::name) == 1);
    CHECK(std::ranges::count(fault.params, "then", &Param::name) == 1);
  }
}

TEST_CASE("fake_workers: catalogue: every fault has one behaviour, in its family and moment") {
  for (const Fault& fault : catalogue()) {
    INFO(fault.name << ", among the behaviours of the family " << name(fault.family));
    REQUIRE(std::ranges::count(behaviours(), fault.name, &Behaviour::fault) == 1);
    CHECK(behaviour_of(fault).fault == fault.name);
    CHECK(moment_of(behaviour_of(fault).stage) == fault.moment);
  }
}

TEST_CASE("fake_workers: catalogue: every behaviour has a row") {
  for (const Behaviour& behaviour : behaviours()) {
    INFO(behaviour.fault);
    REQUIRE(find(behaviour.fault) != nullptr);
  }
  CHECK(behaviours().size() == catalogue().size());
}

}  // namespace
}  // namespace poolproof::faults
