#include "harness/wire/wire_log.hpp"

#include <algorithm>
#include <cerrno>
#include <cstring>
#include <utility>

#include <fmt/format.h>

#include "harness/wire/wires.hpp"

namespace poolproof::wire {
namespace {

constexpr std::size_t kLineBytes = 16;

std::string stamp(Time at, Time start) {
  const auto us = std::max<std::int64_t>((at - start).count(), 0);
  return fmt::format("+{}.{:03} ms  ", us / 1000, us % 1000);
}

bool shows(unsigned char c) {
  return c >= ' ' && c <= '~';
}

/// Appends the bytes as `hexdump -C` shows them.
void dump(std::string_view bytes, std::uint64_t offset, std::string& into) {
  for (; !bytes.empty(); offset += kLineBytes) {
    const std::string_view line = bytes.substr(0, kLineBytes);
    bytes.remove_prefix(line.size());
    fmt::format_to(std::back_inserter(into), "  {:08x}  ", offset);
    for (std::size_t i = 0; i < kLineBytes; ++i) {
      if (i == kLineBytes / 2) into += ' ';
      if (i < line.size()) {
        fmt::format_to(std::back_inserter(into), "{:02x} ", static_cast<unsigned char>(line[i]));
      } else {
        into += "   ";
      }
    }
    into += " |";
    for (const char c : line) into += shows(static_cast<unsigned char>(c)) ? c : '.';
    into += "|\n";
  }
}

}  // namespace

std::string WireLog::path_for(std::string path, std::int64_t pid) {
  constexpr std::string_view kPid = "%p";
  const std::string digits = std::to_string(pid);
  for (std::size_t at = path.find(kPid); at != std::string::npos;
       at = path.find(kPid, at + digits.size()))
    path.replace(at, kPid.size(), digits);
  return path;
}

Parsed<WireLog> WireLog::open(const std::string& path, Framing framing, Time start,
                              std::uint64_t limit_bytes) {
  WireLog log(path, framing, start, limit_bytes);
  log.file_.reset(std::fopen(path.c_str(), "we"));
  if (log.file_ == nullptr)
    return unexpected(InputError{path, std::strerror(errno), "a file that can be written"});
  return log;
}

void WireLog::begin(Framing framing) {
  framing_ = framing;
  streams_ = {};
}

void WireLog::say(std::string_view what, Time at) {
  write(stamp(at, start_) + std::string(what) + "\n");
}

void WireLog::note(Way way, std::string_view bytes, Time at) {
  if (file_ == nullptr) return;
  Stream& stream = streams_[static_cast<std::size_t>(way)];
  const std::string_view arrow = way == Way::to_worker ? "client > worker" : "worker > client";
  while (!bytes.empty()) {
    std::string what;
    const std::size_t part = next_part(stream, bytes, what);
    std::string text = fmt::format("{}{}: {}\n", stamp(at, start_), arrow, what);
    dump(bytes.substr(0, part), stream.offset, text);
    stream.offset += part;
    bytes.remove_prefix(part);
    write(text);
  }
}

/// How many of the bytes belong to the next frame, or to bytes that are no frame. Tells `what` it
/// is.
std::size_t WireLog::next_part(Stream& stream, std::string_view bytes, std::string& what) const {
  if (stream.lost) {
    what = fmt::format("{} bytes of what is no frame", bytes.size());
    return bytes.size();
  }
  return framing_.by_lines() ? part_of_line(stream, bytes, what)
                             : part_of_frame(stream, bytes, what);
}

std::size_t WireLog::part_of_line(Stream& stream, std::string_view bytes, std::string& what) const {
  const std::size_t newline = bytes.find('\n');
  const bool ends = newline != std::string_view::npos;
  const std::size_t part = ends ? newline + 1 : bytes.size();
  const bool begins = !std::exchange(stream.in_line, !ends);
  if (begins) ++stream.frames;
  what = fmt::format("line {}, {}{} bytes{}", stream.frames, begins ? "" : "further ", part,
                     ends ? "" : ", without an end yet");
  return part;
}

std::size_t WireLog::part_of_frame(Stream& stream, std::string_view bytes,
                                   std::string& what) const {
  if (stream.left > 0) {
    const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(stream.left, bytes.size()));
    stream.left -= part;
    what = fmt::format("frame {}, further {} bytes; {} to come", stream.frames, part, stream.left);
    return part;
  }
  const std::size_t before = stream.head.size();
  stream.head.append(bytes);
  const Head head = row_of(framing_.wire).head(framing_, stream.head, before);
  if (head.state == Head::State::incomplete) {
    what = fmt::format("frame {}, {} bytes of its header", stream.frames + 1, bytes.size());
    return bytes.size();
  }
  if (head.state == Head::State::broken) {
    FrameDecoder decoder(framing_);
    decoder.push(stream.head);
    const auto frame = decoder.next();
    what = frame ? "no frame" : "NO FRAME: " + frame.error().message;
    stream.head.clear();
    // The end of an empty frame is known, so a reader can go on behind it.
    if (head.why == FrameError::Kind::zero_length)
      return head.header_bytes + head.end_bytes - before;
    stream.lost = true;
    return bytes.size();
  }
  ++stream.frames;
  const std::uint64_t whole = head.header_bytes + head.payload_bytes;
  const auto part = static_cast<std::size_t>(std::min<std::uint64_t>(whole - before, bytes.size()));
  stream.left = whole - before - part;
  what =
      fmt::format("frame {}, {} + {} bytes{}", stream.frames, head.header_bytes, head.payload_bytes,
                  stream.left > 0 ? fmt::format("; {} to come", stream.left) : "");
  stream.head.clear();
  return part;
}

void WireLog::write(const std::string& text) {
  if (file_ == nullptr) return;
  if (written_ > 0 && written_ + text.size() > limit_bytes_) turn_over();
  if (file_ == nullptr) return;
  const bool good = std::fwrite(text.data(), 1, text.size(), file_.get()) == text.size() &&
                    std::fflush(file_.get()) == 0;
  written_ += text.size();
  if (good) return;
  trouble_ = fmt::format("{}: {}", path_, std::strerror(errno));
  file_.reset();
}

void WireLog::turn_over() {
  file_.reset();
  written_ = 0;
  if (std::rename(path_.c_str(), (path_ + ".1").c_str()) == 0)
    file_.reset(std::fopen(path_.c_str(), "we"));
  if (file_ == nullptr) trouble_ = fmt::format("{}: {}", path_, std::strerror(errno));
}

}  // namespace poolproof::wire
