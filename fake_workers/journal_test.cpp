#include "fake_workers/journal.hpp"

#include <vector>

#include <catch2/catch.hpp>

namespace poolproof::faults {
namespace {

using Kind = JournalRecord::Kind;

std::vector<JournalRecord> one_of_each() {
  JournalRecord read = record_of(Kind::read);
  read.request = 1;
  read.id = -4;
  read.command = "ec\"ho\n";
  read.nonce = "a:1";
  JournalRecord nameless = record_of(Kind::read);
  nameless.request = 2;
  JournalRecord texted = record_of(Kind::read);
  texted.request = 3;
  texted.other_id = "\"req-1\"";
  JournalRecord wrote = record_of(Kind::wrote);
  wrote.request = 1;
  wrote.bytes = 86;
  JournalRecord receipt = record_of(Kind::receipt);
  receipt.fault = "reply_late";
  receipt.plan_id = "f0";
  JournalRecord aimed = receipt;
  aimed.request = 7;
  JournalRecord grandchild = record_of(Kind::grandchild);
  grandchild.child_pid = 4711;
  JournalRecord exiting = record_of(Kind::exiting);
  exiting.code = 3;
  JournalRecord misframed = record_of(Kind::misframed);
  misframed.text = "the worker: \"an empty line\"";
  return {record_of(Kind::started),
          read,
          nameless,
          texted,
          wrote,
          receipt,
          aimed,
          grandchild,
          exiting,
          misframed,
          record_of(Kind::stdin_end),
          record_of(Kind::term),
          record_of(Kind::goodbye)};
}

TEST_CASE("fake_workers: journal: every kind of record is read back as it was written") {
  for (const JournalRecord& record : one_of_each()) {
    const std::string line = journal_line(record, 1'234'005, {2, 3}, 99);
    INFO(line);
    CHECK(line.find("\"at_ms\":1234.005") != std::string::npos);
    CHECK(line.find('\n') == line.size() - 1);
    const auto again = read_journal_line(line, "j:1");
    REQUIRE(again);
    CHECK(*again == StampedJournalRecord{Time(Duration(1'234'005)), {2, 3}, 99, record});
  }
}

TEST_CASE("fake_workers: journal: an id is a number, or the JSON of any other id as a text") {
  const auto id_of = [](std::optional<std::int64_t> id, const std::string& json) {
    JournalRecord read = record_of(Kind::read);
    read.id = id;
    read.other_id = noted_id(json);
    CHECK(read.has_id() == (id || !json.empty()));
    const std::string line = journal_line(read, 0, {}, 1);
    return line.substr(line.find("\"id\":") + 5, line.find(",\"kind\"") - line.find("\"id\":") - 5);
  };
  CHECK(id_of(7, "") == "7");
  CHECK(id_of(std::nullopt, "") == "null");
  CHECK(id_of(std::nullopt, "1.50") == "\"1.50\"");
  CHECK(id_of(std::nullopt, "\"a\"") == "\"\\\"a\\\"\"");
  CHECK(id_of(std::nullopt, "\"\"") == "\"\\\"\\\"\"");
  CHECK(noted_id(std::string(200, 'x')) == std::string(128, 'x'));
  CHECK(noted_id(std::string(128, 'x')) == std::string(128, 'x'));
  CHECK(noted_id(std::string(127, 'x') + "\xc3\xa9") == std::string(127, 'x'));
  CHECK(noted_id(std::string(126, 'x') + "\xc3\xa9") == std::string(126, 'x') + "\xc3\xa9");
}

TEST_CASE("fake_workers: journal: what is unknown about a request is null") {
  JournalRecord read = record_of(Kind::read);
  read.request = 0;
  const std::string line = journal_line(read, 0, {}, 1);
  CHECK(line.find("\"command\":null") != std::string::npos);
  CHECK(line.find("\"nonce\":null") != std::string::npos);
}

TEST_CASE("fake_workers: journal: broken UTF-8 does not break the line") {
  JournalRecord read = record_of(Kind::read);
  read.command = std::string(1, '\xff');
  CHECK(read_journal_line(journal_line(read, 0, {}, 1), "j:1"));
}

TEST_CASE("fake_workers: journal: bad lines are named") {
  const std::string head = R"({"at_ms":1.5,"slot":0,"generation":0,"pid":1,)";
  struct Bad {
    std::string line;
    std::string begins;
  };
  const std::vector<Bad> rows{
      {"", "j:1: "},
      {"[]", "j:1: not an object"},
      {R"({"slot":0,"generation":0,"pid":1,"kind":"term"})", "j:1/at_ms: missing"},
      {R"({"at_ms":-1,"slot":0,"generation":0,"pid":1,"kind":"term"})", "j:1/at_ms: "},
      {R"({"at_ms":1,"slot":-1,"generation":0,"pid":1,"kind":"term"})", "j:1/slot: "},
      {R"({"at_ms":1,"slot":4294967296,"generation":0,"pid":1,"kind":"term"})", "j:1/slot: "},
      {head + R"("kind":"terms"})", "j:1/kind: unknown kind \"terms\"; did you mean \"term\"?"},
      {head + R"("kind":"wrote","request":1})", "j:1/bytes: missing"},
      {head + R"("kind":"wrote","request":1,"bytes":-1})", "j:1/bytes: "},
      {head + R"("kind":"receipt","fault":"x","request":null})", "j:1/id: missing"},
      {head + R"("kind":"exiting","code":"0"})", "j:1/code: "},
      {head + R"("kind":"read","request":0,"command":null,"nonce":null})", "j:1/id: missing"},
      {head + R"("kind":"read","request":0,"id":1.5,"command":null,"nonce":null})", "j:1/id: "},
  };
  for (const Bad& row : rows) {
    INFO(row.line);
    const auto read = read_journal_line(row.line, "j:1");
    REQUIRE_FALSE(read);
    CHECK(read.error().line().starts_with(row.begins));
  }
}

}  // namespace
}  // namespace poolproof::faults
