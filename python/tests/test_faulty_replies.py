"""Faults at the reply: the exact bytes on the pipe, and the receipt in the journal."""

import unittest

from driving import FAULTY, Process, error, frame, ok, payloads, request, run

ARGS = {"nonce": "a:1"}
PAYLOAD = ok(1, '{"nonce":"a:1"}')
SIZE = len(PAYLOAD)
FRAME = frame(PAYLOAD)
NEXT = frame(ok(2, "{}"))


def header(length):
    return length.to_bytes(4, "big")


# fault, options, all that request 1 brings out
REPLIES = [
    ("reply_dropped", [], b""),
    ("reply_unframed", [], PAYLOAD + b"\n"),
    ("text_before_reply", [], b"Warning: slow path\n" + FRAME),
    ("text_before_reply", ["--text", "ü\n"], "ü\n".encode() + FRAME),
    ("text_after_reply", [], FRAME + b"done\n"),
    ("text_while_idle", [], FRAME + b"tick\n"),
    ("text_while_idle", ["--delay-ms", "5", "--text", ""], FRAME),
    ("length_too_long", [], header(SIZE + 5) + PAYLOAD),
    ("length_too_long", ["--extra-bytes", "1000000"], header(SIZE + 1_000_000) + PAYLOAD),
    ("length_too_short", [], header(SIZE - 5) + PAYLOAD),
    ("length_too_short", ["--missing-bytes", "1000"], header(1) + PAYLOAD),
    ("length_little_endian", [], SIZE.to_bytes(4, "little") + PAYLOAD),
    ("length_zero", [], bytes(4)),
    ("length_huge", [], b"\x7f\xff\xff\xff" + PAYLOAD),
    ("length_over_limit", [], header((16 << 20) + 1) + PAYLOAD),
    ("json_invalid", [], frame(PAYLOAD[:-1])),
    ("utf8_invalid", [],
     frame(b'{"error":null,"id":1,"result":"\xff\xfe","success":true,"timestamp":7}')),
    ("nan_result", [], frame(ok(1, "NaN"))),
    ("json_deep", [], frame(b"[" * 100_000 + b"]" * 100_000)),
    ("json_deep", ["--depth", "1"], frame(b"[]")),
    ("id_wrong", [], frame(ok(2, '{"nonce":"a:1"}'))),
    ("id_wrong", ["--offset", "-3"], frame(ok(-2, '{"nonce":"a:1"}'))),
    ("id_text", [], frame(ok('"1"', '{"nonce":"a:1"}'))),
    ("success_missing", [], frame(b'{"id":1,"result":{"nonce":"a:1"},"timestamp":7}')),
    ("reply_reshaped", [], frame(ok("1.5", '{"nonce":"a:1"}'))),
    ("reply_reshaped", ["--shape", "no_result"],
     frame(b'{"id":1,"success":true,"timestamp":7}')),
    ("reply_reshaped", ["--shape", "result_list"], frame(ok(1, "[]"))),
    ("reply_reshaped", ["--shape", "null_id_error"],
     frame(error("null", "the request has no integer id"))),
    ("reply_twice", [], FRAME * 2),
    ("error_reply", [], frame(error(1, "injected error"))),
    ("error_reply", ["--message", 'my "own"'], frame(error(1, 'my "own"'))),
    ("reply_padded", [], frame(PAYLOAD.ljust(1000))),
    ("reply_padded", ["--payload-bytes", str(SIZE + 1)], frame(PAYLOAD + b" ")),
    ("reply_slow", ["--delay-ms", "1"], FRAME),
    ("reply_late", ["--delay-ms", "1"], FRAME),
    ("reply_trickled", ["--gap-ms", "0"], FRAME),
    ("reply_trickled", ["--gap-ms", "1", "--chunk-bytes", "50"], FRAME),
    ("reply_fragmented", [], FRAME),
    ("reply_fragmented", ["--chunk-bytes", "65536"], FRAME),
]

# Faults that compose: the order of the plan within a stage, the fixed order of the stages.
TOGETHER = [
    (["reply_twice", "text_before_reply", "text_after_reply"],
     b"Warning: slow path\n" + FRAME * 2 + b"done\n"),
    (["length_zero", "reply_unframed"], PAYLOAD + b"\n"),
    (["reply_unframed", "length_zero"], bytes(4)),
    (["id_wrong", "id_text"], frame(ok('"2"', '{"nonce":"a:1"}'))),
    (["id_text", "id_wrong"], frame(ok(1, '{"nonce":"a:1"}'))),
    (["reply_reshaped", "id_wrong"], frame(ok(2, '{"nonce":"a:1"}'))),
    (["id_wrong", "reply_reshaped"], frame(ok("2.5", '{"nonce":"a:1"}'))),
    (["id_text", "json_invalid"], frame(ok('"1"', '{"nonce":"a:1"}')[:-1])),
    (["json_invalid", "id_text"], frame(PAYLOAD[:-1])),
    (["error_reply", "success_missing"],
     frame(b'{"error":"injected error","id":1,"timestamp":7}')),
    (["length_too_long", "length_too_short"], FRAME),
    (["length_over_limit", "length_too_short"], header((16 << 20) - 4) + PAYLOAD),
    (["reply_padded", "json_invalid"], frame(PAYLOAD[:-1].ljust(1000))),
    (["json_invalid", "reply_padded"], frame(PAYLOAD[:-1].ljust(1000))),
    (["text_while_idle", "reply_dropped"], b"tick\n"),
    (["reply_fragmented", "reply_twice"], FRAME * 2),
]

AFTER = request(1, "echo", ARGS) + request(2, "echo")
AIMS = ["request=1", "client=a,call=1", "slot=0,generation=0,request=1"]


class Replies(unittest.TestCase):
    def strike(self, options):
        """(what came out for request 1, the journal), behind a ping and before an echo."""
        with Process(FAULTY, *options) as worker:
            code, out, err = worker.finish(request(0, "ping") + AFTER)
            self.assertEqual((code, err), (0, ""))
            first = frame(ok(0, '{"status":"ok","worker_id":"0.0"}'))
            self.assertEqual((out[:len(first)], out[-len(NEXT):]), (first, NEXT))
            return out[len(first):-len(NEXT)], worker.journal()

    def test_every_fault_brings_out_its_bytes_and_leaves_one_receipt(self):
        for i, (fault, options, expected) in enumerate(REPLIES):
            aim = AIMS[i % len(AIMS)]
            with self.subTest(fault=fault, options=options, aim=aim):
                out, journal = self.strike(["--fault", fault, "--at", aim, *options])
                self.assertEqual(out, expected)
                receipts = [record for record in journal if record["kind"] == "receipt"]
                self.assertEqual([(r["fault"], r["id"], r["request"]) for r in receipts],
                                 [(fault, "f0", 1)])
                wrote = [r["bytes"] for r in journal
                         if r["kind"] == "wrote" and r["request"] == 1]
                idle = len(b"tick\n") if expected.endswith(b"tick\n") else 0
                self.assertEqual(wrote, [len(expected) - idle] if expected else [])

    def test_faults_compose_in_a_fixed_order(self):
        for faults, expected in TOGETHER:
            with self.subTest(faults):
                options = [word for fault in faults
                           for word in ("--fault", fault, "--at", "request=1")]
                out, journal = self.strike(options)
                self.assertEqual(out, expected)
                receipts = sorted(r["id"] for r in journal if r["kind"] == "receipt")
                self.assertEqual(receipts, [f"f{i}" for i in range(len(faults))])

    def test_a_fault_strikes_nobody_that_it_is_not_aimed_at(self):
        for aim in ("request=7", "client=b,call=1", "client=a,call=2", "slot=1", "generation=1"):
            with self.subTest(aim):
                out, journal = self.strike(["--fault", "reply_dropped", "--at", aim])
                self.assertEqual(out, FRAME)
                self.assertNotIn("receipt", [record["kind"] for record in journal])

    def test_without_an_aim_it_strikes_everywhere(self):
        with Process(FAULTY, "--fault", "reply_dropped") as worker:
            self.assertEqual(worker.finish(request(0, "ping") + AFTER), (0, b"", ""))
            self.assertEqual([r["request"] for r in worker.journal("receipt")], [0, 1, 2])

    def test_a_truncated_reply_is_the_last(self):
        for options, expected, code in ([], FRAME[:3], 0), \
                (["--keep-bytes", "0", "--code", "9"], b"", 9), \
                (["--keep-bytes", "10"], FRAME[:10], 0), \
                (["--keep-bytes", "1000000"], FRAME, 0):
            with self.subTest(options), Process(
                    FAULTY, "--fault", "reply_truncated", "--at", "request=0", *options) as worker:
                self.assertEqual(worker.finish(AFTER), (code, expected, ""))
                self.assertEqual([r["kind"] for r in worker.journal()],
                                 ["started", "read", "receipt"]
                                 + ["wrote"] * (expected == FRAME) + ["exiting"])
                self.assertEqual(worker.journal("exiting")[0]["code"], code)

    def test_an_unflushed_reply_comes_out_at_the_end(self):
        with Process(FAULTY, "--fault", "reply_unflushed", "--at", "request=0") as worker:
            worker.send(AFTER)
            self.assertEqual(worker.read(len(NEXT)), NEXT)
            worker.await_journal("wrote")
            self.assertEqual(worker.finish(), (0, FRAME, ""))
            self.assertEqual([(r["kind"], r.get("request")) for r in worker.journal()],
                             [("started", None), ("read", 0), ("receipt", 0), ("read", 1),
                              ("wrote", 1), ("stdin_end", None), ("wrote", 0), ("exiting", None)])

    def test_an_unflushed_reply_comes_out_at_the_end_of_input_even_if_it_stays(self):
        with Process(FAULTY, "--fault", "reply_unflushed", "--fault",
                     "stdin_end_ignored") as worker:
            worker.send(request(1, "echo", ARGS))
            worker.process.stdin.close()
            self.assertEqual(worker.read(len(FRAME)), FRAME)
            self.assertIsNone(worker.process.poll())

    def test_stages_keep_their_order_whatever_the_plan_says(self):
        names = ["text_while_idle", "reply_fragmented", "reply_slow", "id_wrong", "stderr_flood"]
        options = [word for name in names for word in ("--fault", name)]
        with Process(FAULTY, *options) as worker:
            worker.finish(request(1, "echo"))
            self.assertEqual([r["fault"] for r in worker.journal("receipt")], names[::-1])

    def test_an_unflushed_reply_comes_out_at_term_too(self):
        with Process(FAULTY, "--fault", "reply_unflushed", "--at", "request=0") as worker:
            # Whoever has read the next request is past the write of this reply.
            worker.send(request(1, "echo", ARGS) + request(2, "sleep", {"ms": 100_000}))
            worker.await_journal("read", 2)
            self.assertEqual(worker.terminate(), 0)
            self.assertEqual(worker.process.stdout.read(), FRAME)

    def test_the_receipt_of_a_pause_is_written_before_it(self):
        for fault in ("reply_slow", "reply_late"):
            with self.subTest(fault), Process(FAULTY, "--fault", fault, "--delay-ms", "600000",
                                              "--at", "request=0") as worker:
                worker.send(request(1, "echo"))
                worker.await_journal("receipt")
                self.assertEqual(worker.terminate(), 0)
                self.assertEqual(worker.process.stdout.read(), b"")
                self.assertEqual([r["kind"] for r in worker.journal()],
                                 ["started", "read", "receipt", "term", "exiting"])

    def test_every_prefix_has_its_wrong_headers(self):
        size = len(ok(1, "{}"))
        for prefix in (1, 2):
            for fault, expected in (
                    ("length_zero", bytes(prefix)),
                    ("length_huge", b"\x7f" + b"\xff" * (prefix - 1) + ok(1, "{}")),
                    ("length_little_endian", size.to_bytes(prefix, "little") + ok(1, "{}")),
                    ("json_deep", b"\xff" * prefix + b"[" * 100_000 + b"]" * 100_000)):
                with self.subTest(fault=fault, prefix=prefix):
                    code, out, _ = run(FAULTY, request(1, "echo", {}, prefix), "--fault", fault,
                                       "--prefix-bytes", str(prefix))
                    self.assertEqual((code, out), (0, expected))

    def test_a_sound_reply_follows_a_fault_that_harms_no_stream(self):
        _, out, _ = run(FAULTY, AFTER, "--fault", "error_reply", "--at", "request=0")
        self.assertEqual(payloads(out), [error(1, "injected error"), ok(2, "{}")])


if __name__ == "__main__":
    unittest.main()
