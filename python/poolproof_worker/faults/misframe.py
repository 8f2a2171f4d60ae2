"""Faults by which bytes come that are not the frame they should be."""

from __future__ import annotations

import re

from .._envelope import to_json, to_utf8
from .._wires import Headers
from .behaviour import CONTENT, FIRST_BYTES, IDLE, START, WRITING, family
from .draft import event_payload, own_request_payload

BEHAVIOURS, strikes = family()

# A frame over the limit is written whole up to this length; of a longer one the header says all.
WHOLE_MOST_BYTES = 10_000


@strikes("banner", START)
def banner(scene):
    scene.receipt()
    scene.server.write(to_utf8(scene["text"]))


@strikes("input_read_as_lines", FIRST_BYTES)
def input_read_as_lines(scene):
    scene.receipt()  # to plan it is enough: FaultyServer.read_as_lines()


@strikes("reply_unframed", CONTENT)
def reply_unframed(scene):
    scene.receipt()
    scene.draft.header = "none"


@strikes("text_before_reply", CONTENT)
def text_before_reply(scene):
    scene.receipt()
    scene.draft.bytes_before += to_utf8(scene["text"])


@strikes("text_after_reply", CONTENT)
def text_after_reply(scene):
    scene.receipt()
    scene.draft.bytes_after += to_utf8(scene["text"])


@strikes("text_while_idle", IDLE)
def text_while_idle(scene):
    scene.pause()
    scene.receipt()
    scene.server.write(to_utf8(scene["text"]))


@strikes("reply_truncated", WRITING)
def reply_truncated(scene):
    scene.receipt()
    scene.draft.cut = scene


@strikes("length_too_long", CONTENT)
def length_too_long(scene):
    scene.receipt()
    scene.draft.length_error += scene["extra_bytes"]


@strikes("length_too_short", CONTENT)
def length_too_short(scene):
    scene.receipt()
    scene.draft.length_error -= scene["missing_bytes"]


@strikes("length_in_characters", CONTENT)
def length_in_characters(scene):
    """Of text that is no ASCII."""
    more = sum(byte & 0xC0 == 0x80 for byte in scene.draft.payload())
    if more:
        scene.receipt()
        scene.draft.length_error -= more


@strikes("length_little_endian", CONTENT)
def length_little_endian(scene):
    scene.receipt()
    scene.draft.header = "little_endian"


@strikes("length_zero", CONTENT)
def length_zero(scene):
    scene.receipt()
    scene.draft.header = "zero"


@strikes("length_huge", CONTENT)
def length_huge(scene):
    scene.receipt()
    scene.draft.header = "huge"


@strikes("length_over_limit", CONTENT)
def length_over_limit(scene):
    scene.receipt()
    scene.draft.header = "over_limit"
    scene.draft.over_bytes = scene["over_bytes"]
    size = scene.draft.wire.payload_limit + scene["over_bytes"]
    if size <= WHOLE_MOST_BYTES:
        scene.draft.pad_to = size


@strikes("header_malformed", CONTENT)
def header_malformed(scene):
    if isinstance(scene.draft.wire, Headers):
        scene.receipt()
        scene.draft.header = scene["shape"]


@strikes("json_invalid", CONTENT)
def json_invalid(scene):
    scene.receipt()
    scene.draft.whole_payload = scene.draft.payload()[:-1]


@strikes("utf8_invalid", CONTENT)
def utf8_invalid(scene):
    scene.receipt()
    draft = scene.draft
    draft.whole_payload = (b'{"error":null,"id":' + draft.id.encode() + b',"result":"\xff\xfe",'
                           b'"success":true,"timestamp":' + to_utf8(draft.timestamp) + b"}")


@strikes("nan_result", CONTENT)
def nan_result(scene):
    scene.receipt()
    scene.draft.success = True
    scene.draft.body = "NaN"


@strikes("json_deep", CONTENT)
def json_deep(scene):
    scene.receipt()
    scene.draft.whole_payload = b"[" * scene["depth"] + b"]" * scene["depth"]


@strikes("id_wrong", CONTENT)
def id_wrong(scene):
    scene.receipt()
    digits = re.match("-?[0-9]+", scene.draft.id)  # other faults may have left anything there
    number = int(digits[0]) if digits else 0
    # Ids are 64 bits wide, and the C++ worker's wrap around.
    scene.draft.id = str((number + scene["offset"] + 2**63) % 2**64 - 2**63)


@strikes("id_text", CONTENT)
def id_text(scene):
    scene.receipt()
    # One that is a text already becomes a text of that text.
    given = scene.draft.id
    scene.draft.id = to_json(given) if given.startswith('"') else f'"{given}"'


@strikes("success_missing", CONTENT)
def success_missing(scene):
    scene.receipt()
    scene.draft.names_success = False


@strikes("reply_reshaped", CONTENT)
def reply_reshaped(scene):
    scene.receipt()
    SHAPES[scene["shape"]](scene.draft)


def id_fraction(draft):
    # Whoever cuts the fraction off finds the id that it expects.
    number = "0" if draft.id == "null" else draft.id
    draft.id = number[:-1] + '.5"' if number.startswith('"') else number + ".5"


def no_result(draft):
    draft.success = True
    draft.body = ""


def result_list(draft):
    draft.success = True
    draft.body = "[]"


def null_id_error(draft):
    draft.id = "null"
    draft.success = False
    draft.body = to_json("the request has no integer id")


def id_null(draft):
    draft.id = "null"


def null_reply(draft):
    draft.whole_payload = b"null"


def batch(draft):
    draft.whole_payload = b"[" + draft.payload() + b"]"


SHAPES = {"null": null_reply,
          **{shape.__name__: shape for shape in (id_fraction, no_result, result_list,
                                                 null_id_error, id_null, batch)}}


@strikes("reply_twice", CONTENT)
def reply_twice(scene):
    scene.receipt()
    scene.draft.copies = 2


@strikes("frames_before_reply", CONTENT)
def frames_before_reply(scene):
    """The first reply has none before it."""
    draft, shape = scene.draft, scene["shape"]
    if shape == "previous_reply":
        frames = scene.server.last_reply
    elif shape == "event":
        frames = draft.wire.frame(event_payload(draft.speech)) * scene["frames"]
    else:
        ids = (f'"poolproof-{i}"' if shape == "request" else draft.id
               for i in range(scene["frames"]))
        frames = b"".join(draft.wire.frame(own_request_payload(draft.speech, one))
                          for one in ids)
    if frames:
        scene.receipt()
        draft.bytes_before += frames


@strikes("frame_inside_reply", CONTENT)
def frame_inside_reply(scene):
    scene.receipt()
    scene.draft.interrupted_at = scene["keep_bytes"]


@strikes("error_reply", CONTENT)
def error_reply(scene):
    scene.receipt()
    scene.draft.success = False
    scene.draft.body = to_json(scene["message"])


@strikes("reply_padded", CONTENT)
def reply_padded(scene):
    size = min(scene["payload_bytes"], scene.draft.wire.payload_limit)
    if len(scene.draft.payload()) >= size:
        return
    scene.receipt()
    scene.draft.pad_to = size
