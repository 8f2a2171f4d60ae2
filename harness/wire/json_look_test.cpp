#include "harness/wire/json_look.hpp"

#include <string>

#include <catch2/catch.hpp>

namespace poolproof::wire {
namespace {

using namespace std::string_literals;

TEST_CASE("wire: json look: only what JSON begins with is JSON") {
  const auto [text, look] = GENERATE(table<std::string, JsonLook>({
      {"", JsonLook::other},
      {"true", JsonLook::other},
      {"[Info] up", JsonLook::other},
      {"[2026-01-01 12:00:00] INFO", JsonLook::other},
      {"[12:00:01] ready", JsonLook::other},
      {"[1] started", JsonLook::other},
      {"{worker} started", JsonLook::other},
      {"{\"server\" is up", JsonLook::other},
      {"{} done", JsonLook::other},
      {"[1,\0"s, JsonLook::other},
      {"[", JsonLook::beginning},
      {"[2026", JsonLook::beginning},
      {"[tr", JsonLook::beginning},
      {"[1, 2]", JsonLook::beginning},
      {"{\n", JsonLook::beginning},
      {"{\"a\": \"\\", JsonLook::beginning},
      {"{\"a\": \"\xc3", JsonLook::beginning},
      {"{\"a\": 1}", JsonLook::beginning},
      {"{\"a\": NaN}", JsonLook::meant},
      {"{\"a\\\"b\" : x", JsonLook::meant},
      {"{'a': 1}", JsonLook::meant},
      {"[{\"a\": 1}, x", JsonLook::meant},
      {"{\"a\": 1} done", JsonLook::meant},
  }));
  CAPTURE(text);
  CHECK(json_look(text) == look);
}

TEST_CASE("wire: json look: of what is long the beginning tells") {
  CHECK(json_look("{\"a\": \"" + std::string(100'000, 'x')) == JsonLook::beginning);
  CHECK(json_look(std::string(100'000, '[')) == JsonLook::beginning);
  CHECK(json_look("[" + std::string(100'000, 'x')) == JsonLook::other);
}

}  // namespace
}  // namespace poolproof::wire
