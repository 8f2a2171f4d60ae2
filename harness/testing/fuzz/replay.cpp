#include <algorithm>
#include <cstdint>
#include <filesystem>
#include <fstream>
#include <iostream>
#include <iterator>
#include <string>
#include <vector>

#include "harness/testing/fuzz/input.hpp"

/// Runs a fuzz target over existing files, as an ordinary test: each argument is a file or a
/// folder. The last name that it prints is that of the input that broke a property.
namespace {

namespace fs = std::filesystem;

std::vector<fs::path> files_of(const fs::path& path) {
  if (!fs::is_directory(path)) return {path};
  std::vector<fs::path> files;
  for (const auto& entry : fs::recursive_directory_iterator(path)) {
    if (entry.is_regular_file()) files.push_back(entry.path());
  }
  std::ranges::sort(files);
  return files;
}

bool replay(const fs::path& file) {
  // Printed first, so that a broken property shows its input
  std::cout << file.string() << std::endl;
  std::ifstream stream(file, std::ios::binary);
  const std::vector<char> bytes(std::istreambuf_iterator<char>(stream), {});
  if (!stream) return false;
  LLVMFuzzerTestOneInput(reinterpret_cast<const std::uint8_t*>(bytes.data()), bytes.size());
  return true;
}

}  // namespace

int main(int argc, char** argv) {
  constexpr int kBadInput = 64;
  LLVMFuzzerTestOneInput(nullptr, 0);  // libFuzzer begins with an empty input, too
  std::size_t count = 0;
  for (int i = 1; i < argc; ++i) {
    std::error_code error;
    if (!fs::exists(argv[i], error)) {
      std::cerr << argv[i] << ": is not there; a file or a folder of inputs\n";
      return kBadInput;
    }
    for (const fs::path& file : files_of(argv[i])) {
      if (!replay(file)) {
        std::cerr << file.string() << ": can't be read\n";
        return kBadInput;
      }
      ++count;
    }
  }
  if (count == 0) {
    std::cerr << "no input: name files, or folders that have some\n";
    return kBadInput;
  }
  std::cout << count << " inputs held\n";
  return 0;
}
