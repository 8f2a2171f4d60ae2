"""The sample worker. Usage: python3 -m poolproof_worker [--worker-id TEXT] [--timestamp JSON]...

  --worker-id TEXT        what ping answers (SLOT.GENERATION)
  --slot N                which worker it is               (POOLPROOF_SLOT)
  --generation N                                           (POOLPROOF_GENERATION)
  --tickets FILE          without these two: it is 0.N, the Nth to begin of all that share FILE
                                                           (POOLPROOF_TICKETS)
  --wire NAME             how frames are cut: prefix, varint, lines, headers (prefix)
                                                           (POOLPROOF_WIRE)
  --speech NAME           what they say: bridge, json_rpc, mcp, lsp (bridge)
                                                           (POOLPROOF_SPEECH)
  --prefix-bytes 1|2|4|8  the length prefix (4)            (POOLPROOF_PREFIX_BYTES)
  --byte-order ORDER      of that length: big or little (big)
                                                           (POOLPROOF_BYTE_ORDER)
  --max-frame-bytes N     the longest payload (16777216)   (POOLPROOF_MAX_FRAME_BYTES)
  --timestamp JSON        in every reply; else the clock's
  --wire-log FILE         every byte each way, with its time, as hex and text, frames marked; at
                          64 MiB FILE becomes FILE.1, so there are two files at most. %p in FILE
                          is the number of the process     (POOLPROOF_WIRE_LOG)
  --wire-log-bytes N      another bound than that

Commands: ping, echo, sleep {"ms"}, compute {"n"}, grow {"bytes"},
session_put {"session", "key", "value"}, session_get {"session", "key"}, fail {"message"}, stats, shutdown.
"""

import os
import sys

if not __package__:  # run as a folder, for which -I and -E leave no PYTHONPATH
    sys.path[0] = os.path.dirname(os.path.abspath(sys.path[0]))

from poolproof_worker import _options
from poolproof_worker._pipes import Pipes, claim_stdio
from poolproof_worker._server import Server


def main(argv):
    try:
        options = read_options(argv)
        pipes = options.make_pipes(Pipes, *claim_stdio())
    except ValueError as error:
        _options.bad_usage(error)
    from poolproof_worker._sample import worker

    Server(worker, pipes, options).run()


def read_options(argv):
    options = _options.Options.from_environment()
    for option, value in _options.read_pairs(argv, _options.own_option):
        name = _options.own_option(option)
        if name:
            options.set(name, value, option)
        elif option in ("--help", "-h"):
            print(__doc__, end="")
            sys.exit(0)
        else:
            raise _options.unknown_option(option, [*_options.option_names(), "--help"])
    options.refuse_what_is_of_no_prefix()
    options.draw_ticket()
    return options


main(sys.argv[1:])
