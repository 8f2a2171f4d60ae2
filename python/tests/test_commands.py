"""What a sound worker answers (harness/PROTOCOL.md, section 2); the faulty one without faults
answers the same."""

import json
import unittest

from driving import FAULTY, SOUND, error, frame, ok, payloads, request, run

_MS = "bad args: ms must be a whole number from 0 to 600000"
_N = "bad args: n must be a whole number from 0 to 5000000"
_BYTES = "bad args: bytes must be a whole number from 0 to 1000000000"
_PUT = "bad args: session and key must be texts, and a value must be there"
_GET = "bad args: session and key must be texts"

COMMANDS = [
    ("ping", {"initialization": True, "worker_id": "0.0"}, '{"status":"ok","worker_id":"0.0"}'),
    ("echo", {"b": [1, -2.5, None], "a": {"ü": "\u20ac\n"}},
     '{"a":{"ü":"€\\n"},"b":[1,-2.5,null]}'),
    ("echo", {}, "{}"),
    ("sleep", {"ms": 1}, '{"slept_ms":1}'),
    ("compute", {"n": 100}, '{"primes":25}'),
    ("compute", {"n": 0}, '{"primes":0}'),
    ("compute", {"n": 3}, '{"primes":1}'),
    ("grow", {"bytes": 30}, '{"grown_bytes":30}'),
    ("grow", {"bytes": 12}, '{"grown_bytes":42}'),
    ("session_get", {"session": "s", "key": "k"}, '{"found":false,"value":null}'),
    ("session_put", {"session": "s", "key": "k", "value": [1]}, '{"stored":true}'),
    ("session_get", {"session": "s", "key": "k"}, '{"found":true,"value":[1]}'),
    ("session_get", {"session": "t", "key": "k"}, '{"found":false,"value":null}'),
]

ERRORS = [
    ("fail", {}, "failed on request"),
    ("fail", {"message": "mine"}, "mine"),
    ("fail", {"message": ""}, ""),
    ("fail", {"message": 1}, "bad args: message must be a text"),
    ("nothing", {}, "Unknown command: nothing"),
    ("sleep", {}, _MS), ("sleep", {"ms": -1}, _MS), ("sleep", {"ms": 1.0}, _MS),
    ("sleep", {"ms": True}, _MS), ("sleep", {"ms": 600_001}, _MS), ("sleep", {"ms": "1"}, _MS),
    ("compute", {}, _N), ("compute", {"n": 5_000_001}, _N),
    ("grow", {}, _BYTES), ("grow", {"bytes": 1_000_000_001}, _BYTES),
    ("session_put", {"session": "s", "key": "k"}, _PUT),
    ("session_put", {"session": 1, "key": "k", "value": 1}, _PUT),
    ("session_get", {"session": "s"}, _GET),
]

_NO_OBJECT = "the request is not a JSON object"
MALFORMED = [
    (b"[]", "null", _NO_OBJECT),
    (b"null", "null", _NO_OBJECT),
    (b"3", "null", _NO_OBJECT),
    (b"not JSON", "null", _NO_OBJECT),
    (b"\xff\xfe{}", "null", _NO_OBJECT),
    (b'{"id":1,"command":"echo","args":{"x":"\xff"}}', "null", _NO_OBJECT),
    (b'{"id":1,"command":"echo","args":{"x":"\\ud800"}}', "null", _NO_OBJECT),
    (b'{"id":1,"command":"echo","args":{"x":NaN}}', "null", _NO_OBJECT),
    (b'{"id":1,"command":"echo"', "null", _NO_OBJECT),
    (b'{"id":1,"command":"echo"}{}', "null", _NO_OBJECT),
    (b'{"id":1,"command":"echo","args":{"x":' + b"[" * 127 + b"]" * 127 + b"}}", "null",
     _NO_OBJECT),
    (b"[" * 100_000, "null", _NO_OBJECT),
    (b"{}", "null", "the request has no integer id"),
    (b'{"id":"1","command":"echo"}', "null", "the request has no integer id"),
    (b'{"id":1.0,"command":"echo"}', "null", "the request has no integer id"),
    (b'{"id":true,"command":"echo"}', "null", "the request has no integer id"),
    (b'{"id":null,"command":"echo"}', "null", "the request has no integer id"),
    (b'{"id":9223372036854775808,"command":"echo"}', "null", "the request has no integer id"),
    (b'{"id":1}', "null", "the request has no command"),
    (b'{"id":1,"command":null}', "null", "the request has no command"),
    (b'{"id":1,"command":"echo","args":[]}', "1", "bad args: not an object"),
    (b'{"id":1,"command":"shutdown","args":null}', "1", "bad args: not an object"),
]


class Commands(unittest.TestCase):
    program = SOUND

    def answers(self, data):
        code, out, err = run(self.program, data)
        self.assertEqual((code, err), (0, ""))
        return payloads(out)

    def test_every_command_answers_as_the_protocol_says(self):
        data = b"".join(request(i, command, args) for i, (command, args, _) in enumerate(COMMANDS))
        answers = self.answers(data)
        self.assertEqual(len(answers), len(COMMANDS))
        for i, (command, _, result) in enumerate(COMMANDS):
            with self.subTest(command):
                self.assertEqual(answers[i], ok(i, result))

    def test_every_wrong_use_is_an_error_reply(self):
        data = b"".join(request(i, command, args) for i, (command, args, _) in enumerate(ERRORS))
        answers = self.answers(data)
        self.assertEqual(len(answers), len(ERRORS))
        for i, (command, args, text) in enumerate(ERRORS):
            with self.subTest(command=command, args=args):
                self.assertEqual(answers[i], error(i, text))

    def test_what_is_no_request_is_answered_and_on_it_goes(self):
        for payload, request_id, text in MALFORMED:
            with self.subTest(payload[:60]):
                answers = self.answers(frame(payload) + request(9, "echo"))
                self.assertEqual(answers, [error(request_id, text), ok(9, "{}")])

    def test_a_length_of_zero_is_answered_and_on_it_goes(self):
        answers = self.answers(bytes(4) + request(9, "echo"))
        self.assertEqual(answers, [error("null", "empty frame"), ok(9, "{}")])

    def test_128_levels_are_not_too_deep(self):
        args = b'{"x":' + b"[" * 126 + b"]" * 126 + b"}"
        answers = self.answers(frame(b'{"id":1,"command":"echo","args":' + args + b"}"))
        self.assertEqual(answers, [ok(1, args.decode())])

    def test_missing_args_are_an_empty_object(self):
        self.assertEqual(self.answers(frame(b'{"id":1,"command":"echo"}')), [ok(1, "{}")])

    def test_ids_of_64_bits_come_back_exactly(self):
        for number in (2**63 - 1, -2**63, 2**53 + 1):
            with self.subTest(number):
                self.assertEqual(self.answers(request(number, "echo")), [ok(number, "{}")])

    def test_stats_count_replies_before_it_without_pings(self):
        data = (request(0, "ping") + request(1, "echo") + request(2, "fail") + frame(b"[]")
                + request(3, "stats") + request(4, "stats"))
        self.assertEqual(self.answers(data)[-2:], [ok(3, '{"calls":3,"errors":2}'),
                                                   ok(4, '{"calls":4,"errors":2}')])

    def test_shutdown_is_answered_and_nothing_is_read_after_it(self):
        answers = self.answers(request(1, "shutdown") + request(2, "echo"))
        self.assertEqual(answers, [ok(1, '{"status":"shutting_down"}')])

    def test_the_timestamp_is_a_float_or_what_was_given(self):
        for given, expected in (("1.5", 1.5), ("{}", {}), ("2026-01-01", "2026-01-01"),
                                ("NaN", "NaN")):
            with self.subTest(given):
                _, out, _ = run(self.program, request(0, "ping"), timestamp=given)
                self.assertEqual(json.loads(payloads(out)[0])["timestamp"], expected)


class CommandsOfTheFaultyRelative(Commands):
    program = FAULTY


if __name__ == "__main__":
    unittest.main()
