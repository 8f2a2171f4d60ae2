"""Bytes from outside, as a person may see them on one line of a terminal."""

from __future__ import annotations

_SHOWN_MAX_BYTES = 200
_HEX_MAX_BYTES = 32
_ESCAPES = {"\n": "\\n", "\t": "\\t", "\r": "\\r", "\\": "\\\\"}

# Characters that move the cursor, end a line, turn the direction of writing or show nothing.
_HIDDEN = ((0x00, 0x1F), (0x7F, 0x9F), (0xAD, 0xAD), (0x61C, 0x61C), (0x200B, 0x200F),
           (0x2028, 0x202E), (0x2060, 0x206F), (0xFDD0, 0xFDEF), (0xFEFF, 0xFEFF),
           (0xFFF9, 0xFFFB), (0xD800, 0xDFFF), (0xE0000, 0xE0FFF))


def printable(data, limit=_SHOWN_MAX_BYTES):
    """Visible characters stay; all else is escaped. Of `data` at most `limit` bytes are shown."""
    shown, size = [], 0
    for character in bytes(data[:limit]).decode("utf-8", "surrogateescape"):
        raw = character.encode("utf-8", "surrogateescape")
        size += len(raw)
        if character in _ESCAPES:
            shown.append(_ESCAPES[character])
        elif _is_visible(character):
            shown.append(character)
        else:
            shown.extend(f"\\x{byte:02x}" for byte in raw)
    return "".join(shown) + (f"... ({len(data)} bytes)" if len(data) > size else "")


def quoted(text):
    """A word of the command line or the environment, as errors show it."""
    return f'"{printable(text.encode("utf-8", "surrogateescape"))}"'


def hex_and_text(data, limit=_HEX_MAX_BYTES):
    """The first bytes as hex and as text: `57 61 72 6e ("Warn")`."""
    if not data:
        return "(no bytes)"
    head = bytes(data[:limit])
    rest = f", {len(data)} bytes in all" if len(data) > limit else ""
    return f'{head.hex(" ")} ("{printable(head, limit)}"{rest})'


def is_text(data):
    """Whether it looks like what a person would print. The last character may be cut short."""
    data = bytes(data)
    if data.startswith(b"\xef\xbb\xbf"):
        data = data[3:]
    try:
        text = data.decode()
    except UnicodeDecodeError as error:
        if error.reason != "unexpected end of data" or error.end != len(data):
            return False
        return error.start == 0 or is_text(data[:error.start])
    return text != "" and all(c in "\t\n\r\x1b" or _is_visible(c) for c in text)


def _is_visible(character):
    code = ord(character)
    return (code & 0xFFFE != 0xFFFE
            and not any(first <= code <= last for first, last in _HIDDEN))
