#include "harness/oracle/clients.hpp"

namespace poolproof::oracle {

Table<ClientSteps> clients_of(const Evidence& evidence, const View& view) {
  Table<ClientSteps> clients(view.memory());
  clients.reserve(evidence.scenario.clients.size());
  for (const scenario::Client& client : evidence.scenario.clients) {
    for (std::uint32_t i = 1; i <= client.count; ++i) {
      std::string name = client.name;
      if (client.count > 1) name.append(1, '.').append(std::to_string(i));
      const std::uint32_t number = view.clients.find(name);
      clients.push_back({&client, std::move(name), number, {}});
      if (number != kNone) clients.back().history = view.steps_of_client[number];
    }
  }
  return clients;
}

std::vector<std::uint32_t> strangers(const Table<ClientSteps>& known, const View& view) {
  Table<bool> expected(view.clients.size(), false, view.memory());
  for (const ClientSteps& client : known) {
    if (client.number != kNone) expected[client.number] = true;
  }
  std::vector<std::uint32_t> strange;
  for (std::uint32_t client = 0; client < view.clients.size(); ++client) {
    if (expected[client] || view.clients.key(client).empty()) continue;
    const auto steps = view.steps_of_client[client];
    strange.insert(strange.end(), steps.begin(), steps.end());
  }
  return strange;
}

}  // namespace poolproof::oracle
