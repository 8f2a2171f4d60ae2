#include "harness/oracle/clients.hpp"

#include "harness/scenario/client_name.hpp"

namespace poolproof::oracle {

std::string ClientSteps::name() const {
  return scenario::single_name(*client, which);
}

Table<ClientSteps> clients_of(const Evidence& evidence, const View& view) {
  Table<ClientSteps> clients(view.memory);
  clients.reserve(evidence.scenario.clients.size());
  for (const scenario::Client& client : evidence.scenario.clients) {
    for (std::uint32_t i = 1; i <= client.count; ++i) {
      ClientSteps& one = clients.emplace_back(ClientSteps{&client, i, kNone, {}});
      one.number = view.clients.find(one.name());
      if (one.number != kNone) one.history = view.steps_of(one.number);
    }
  }
  return clients;
}

std::vector<std::uint32_t> strangers(const Table<ClientSteps>& known, const View& view) {
  Table<bool> expected(view.clients.size(), false, view.memory);
  for (const ClientSteps& client : known) {
    if (client.number != kNone) expected[client.number] = true;
  }
  std::vector<std::uint32_t> strange;
  for (std::uint32_t client = 0; client < view.clients.size(); ++client) {
    if (expected[client] || view.clients.key(client).empty()) continue;
    const auto steps = view.steps_of(client);
    strange.insert(strange.end(), steps.begin(), steps.end());
  }
  return strange;
}

}  // namespace poolproof::oracle
