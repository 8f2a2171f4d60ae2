#include "harness/scenario/client_name.hpp"

#include <catch2/catch.hpp>

using namespace poolproof::scenario;

namespace {

Client counted(const char* name, std::uint32_t count) {
  Client client;
  client.name = name;
  client.count = count;
  return client;
}

}  // namespace

TEST_CASE("scenario: names: of a counted client they are made and cut the same way") {
  const Client one = counted("a", 1);
  const Client many = counted("b", 12);
  CHECK(single_name(one, 1) == "a");
  CHECK(single_name(many, 12) == "b.12");
  for (std::uint32_t i = 1; i <= many.count; ++i) {
    const std::string name = single_name(many, i);
    CHECK(common_name(name) == "b");
    CHECK(number_in(name) == i);
    CHECK(is_named(many, name));
  }
  CHECK(common_name("a") == "a");
  CHECK(number_in("a") == 0);
}

TEST_CASE("scenario: names: what is nobody's name is found out") {
  Scenario scenario;
  scenario.clients = {counted("a", 1), counted("b", 2)};
  CHECK(client_of(scenario, "a") == &scenario.clients[0]);
  CHECK(client_of(scenario, "b.2") == &scenario.clients[1]);
  for (const char* wrong :
       {"", "c", "a.1", "b", "b.", "b.0", "b.3", "b.02", "b.+1", "b.1x", "b.99999999999"}) {
    CAPTURE(std::string(wrong));
    CHECK(client_of(scenario, wrong) == nullptr);
  }
}
