// The quickest sound worker: what is measured is then the pool, and not the worker.
//
// Frames have 4 bytes of length. A request as wire::encode_request writes it is answered with its
// own arguments as the result; any other payload comes back as it is.

#include <cstdint>
#include <cstring>
#include <span>
#include <string>
#include <string_view>
#include <unistd.h>

#include "harness/host/system.hpp"

namespace {

namespace sys = poolproof::host::sys;

constexpr std::size_t kPrefix = 4;
constexpr std::string_view kArgs = R"({"args":)";
constexpr std::string_view kCommand = R"(,"command":")";
constexpr std::string_view kId = R"(,"id":)";

bool read_some(std::span<char> into, std::size_t& have) {
  const auto got = sys::read(STDIN_FILENO, into.subspan(have));
  have += got.value_or(0);
  return got.value_or(0) > 0;
}

bool write_all(std::string_view bytes) {
  while (!bytes.empty()) {
    const std::size_t wrote = sys::write(STDOUT_FILENO, bytes).value_or(0);
    if (wrote == 0) return false;
    bytes.remove_prefix(wrote);
  }
  return true;
}

/// The reply behind room for its length. The keys of a request are sorted.
void answer(std::string_view request, std::string& reply) {
  reply.assign(kPrefix, '\0');
  const std::size_t command = request.rfind(kCommand);
  const std::size_t id = request.rfind(kId);
  if (!request.starts_with(kArgs) || command == std::string_view::npos ||
      id == std::string_view::npos) {
    reply += request;
    return;
  }
  const std::string_view number = request.substr(id + kId.size());
  reply += R"({"id":)";
  reply += number.substr(0, number.find(','));
  reply += R"(,"result":)";
  reply += request.substr(kArgs.size(), command - kArgs.size());
  reply += R"(,"success":true,"timestamp":0})";
}

std::size_t length_in(const std::string& buffer) {
  std::size_t length = 0;
  for (std::size_t i = 0; i < kPrefix; ++i) {
    length = length << 8U | static_cast<unsigned char>(buffer[i]);
  }
  return length;
}

void put_length(std::string& frame) {
  std::size_t length = frame.size() - kPrefix;
  for (std::size_t i = kPrefix; i-- > 0; length >>= 8U) frame[i] = static_cast<char>(length & 0xff);
}

}  // namespace

int main() {
  std::string buffer(std::size_t{64} << 10U, '\0');
  std::string reply;
  std::size_t have = 0;
  while (true) {
    while (have < kPrefix) {
      if (!read_some(buffer, have)) return 0;
    }
    const std::size_t whole = kPrefix + length_in(buffer);
    if (whole > buffer.size()) buffer.resize(whole);
    while (have < whole) {
      if (!read_some(buffer, have)) return 0;
    }
    answer(std::string_view(buffer).substr(kPrefix, whole - kPrefix), reply);
    put_length(reply);
    if (!write_all(reply)) return 0;
    have -= whole;
    if (have > 0) std::memmove(buffer.data(), buffer.data() + whole, have);
  }
}
