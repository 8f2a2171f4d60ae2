#include "harness/oracle/clients.hpp"

#include <map>

#include <fmt/format.h>

namespace poolproof::oracle {

std::vector<ClientSteps> clients_of(const Evidence& evidence) {
  std::map<std::string_view, std::vector<const trace::ClientStep*>> histories;
  for (const trace::ClientStep& step : evidence.trace.clients) {
    histories[step.client].push_back(&step);
  }
  std::vector<ClientSteps> clients;
  for (const scenario::Client& client : evidence.scenario.clients) {
    for (std::uint32_t i = 1; i <= client.count; ++i) {
      std::string name = client.count == 1 ? client.name : fmt::format("{}.{}", client.name, i);
      const auto found = histories.find(name);
      clients.push_back({&client, std::move(name), {}});
      if (found != histories.end()) clients.back().history = found->second;
    }
  }
  return clients;
}

std::vector<trace::ClientStep> strangers(const Evidence& evidence) {
  std::map<std::string, bool> known;
  for (const ClientSteps& client : clients_of(evidence)) known[client.name] = true;
  std::vector<trace::ClientStep> strange;
  for (const trace::ClientStep& step : evidence.trace.clients) {
    if (!step.client.empty() && !known.contains(step.client)) strange.push_back(step);
  }
  return strange;
}

}  // namespace poolproof::oracle
