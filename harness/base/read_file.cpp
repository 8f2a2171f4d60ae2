#include "harness/base/read_file.hpp"

#include <filesystem>
#include <fstream>

#include <fmt/format.h>

namespace poolproof {

namespace fs = std::filesystem;

Parsed<std::string> read_file(const std::string& path, std::uintmax_t most_bytes,
                              const std::string& want) {
  std::error_code error;
  const fs::file_status status = fs::status(path, error);
  if (error) return unexpected(InputError{path, error.message(), want});
  if (!fs::is_regular_file(status)) return unexpected(InputError{path, "is no file", want});
  const std::uintmax_t size = fs::file_size(path, error);
  if (error) return unexpected(InputError{path, error.message(), want});
  if (size > most_bytes) {
    return unexpected(InputError{path, fmt::format("{} bytes long", size),
                                 fmt::format("at most {} MiB", most_bytes >> 20U)});
  }
  std::ifstream file(path, std::ios::binary);
  std::string text(static_cast<std::size_t>(size), '\0');
  file.read(text.data(), static_cast<std::streamsize>(size));
  if (!file) return unexpected(InputError{path, "can't be read", want});
  return text;
}

}  // namespace poolproof
