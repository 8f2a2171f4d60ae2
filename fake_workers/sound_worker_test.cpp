#include "fake_workers/sound_worker.hpp"

#include <catch2/catch.hpp>

namespace poolproof::faults {
namespace {

Answer ask(SoundWorker& worker, const std::string& command, const std::string& args) {
  Request request;
  read_request("{\"id\":1,\"command\":\"" + command + "\",\"args\":" + args + "}", 0,
               wire::Codec::json, wire::Speech::bridge, request);
  return worker.answer(request);
}

TEST_CASE("fake_workers: sound worker: each command has its answer") {
  struct Row {
    const char* command;
    const char* args;
    bool success;
    const char* body;
  };
  // In this order: the last one sees what the others left.
  const Row rows[] = {
      {"ping", "{}", true, R"({"status":"ok","worker_id":"3.1"})"},
      {"echo", R"({"b":[1,2.5],"a":"é"})", true, R"({"a":"é","b":[1,2.5]})"},
      {"session_get", R"({"session":"s","key":"k"})", true, R"({"found":false,"value":null})"},
      {"session_put", R"({"session":"s","key":"k","value":{"x":1}})", true, R"({"stored":true})"},
      {"session_get", R"({"session":"s","key":"k"})", true, R"({"found":true,"value":{"x":1}})"},
      {"session_get", R"({"session":"t","key":"k"})", true, R"({"found":false,"value":null})"},
      {"fail", "{}", false, R"("failed on request")"},
      {"fail", R"({"message":"m"})", false, R"("m")"},
      {"shutdown", "{}", true, R"({"status":"shutting_down"})"},
      {"nonsense", "{}", false, R"("Unknown command: nonsense")"},
      {"stats", "{}", true, R"({"calls":9,"errors":3})"},
  };
  SoundWorker worker("3.1");
  for (const Row& row : rows) {
    INFO(row.command << " " << row.args);
    const Answer answer = ask(worker, row.command, row.args);
    CHECK(answer.success == row.success);
    CHECK(answer.body == row.body);
  }
}

TEST_CASE("fake_workers: sound worker: bad args are an error reply") {
  struct Row {
    const char* command;
    const char* args;
  };
  for (const Row& row :
       {Row{"sleep", "{}"}, Row{"sleep", R"({"ms":"5"})"}, Row{"sleep", R"({"ms":-1})"},
        Row{"sleep", R"({"ms":18446744073709551615})"}, Row{"compute", R"({"n":5000001})"},
        Row{"compute", R"({"n":1.5})"}, Row{"grow", "{}"}, Row{"grow", R"({"bytes":1000000001})"},
        Row{"session_put", R"({"session":"s","key":"k"})"},
        Row{"session_get", R"({"session":1,"key":"k"})"}, Row{"fail", R"({"message":1})"},
        Row{"echo", "[]"}}) {
    INFO(row.command << " " << row.args);
    SoundWorker worker("0.0");
    const Answer answer = ask(worker, row.command, row.args);
    CHECK_FALSE(answer.success);
    CHECK(answer.body.starts_with("\"bad args: "));
  }
}

TEST_CASE("fake_workers: sound worker: sleep pauses and compute is handed out") {
  SoundWorker worker("0.0");
  const Answer slept = ask(worker, "sleep", R"({"ms":20})");
  CHECK(slept.pause == std::chrono::milliseconds(20));
  CHECK(slept.body == R"({"slept_ms":20})");
  CHECK(ask(worker, "compute", R"({"n":100})").compute_below == 100);
  CHECK(SoundWorker::computed(25).body == R"({"primes":25})");
}

TEST_CASE("fake_workers: sound worker: what it has grown by adds up, and is handed out") {
  SoundWorker worker("0.0");
  CHECK(ask(worker, "grow", R"({"bytes":30})").grow_bytes == 30);
  const Answer grown = ask(worker, "grow", R"({"bytes":12})");
  CHECK(grown.grow_bytes == 12);
  CHECK(grown.body == R"({"grown_bytes":42})");
  worker.begin("0.1");
  CHECK(ask(worker, "grow", R"({"bytes":0})").body == R"({"grown_bytes":0})");
}

TEST_CASE("fake_workers: sound worker: primes are counted, whatever the slices") {
  for (const std::uint32_t slice : {1U, 7U, 1000U}) {
    PrimeCount hundred(100);
    while (!hundred.run(slice)) {
    }
    CHECK(hundred.found() == 25);
  }
  PrimeCount none(2);
  CHECK(none.run(1));
  CHECK(none.found() == 0);
}

}  // namespace
}  // namespace poolproof::faults
