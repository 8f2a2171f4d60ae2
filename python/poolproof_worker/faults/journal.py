"""What the worker says about itself on the side channel: a JSON object a line, one write each."""

from __future__ import annotations

import json
import os
import time

from .._envelope import to_json, to_utf8
from .plan import PlanError


_ID_BYTES_MOST = 128


def noted_id(request):
    """A whole number, or the JSON of any other id as a text; of a long one the beginning."""
    if isinstance(request.id, int):
        return request.id
    text = request.refused_id if request.id is None else to_json(request.id)
    return to_utf8(text)[:_ID_BYTES_MOST].decode(errors="ignore") or None


class Journal:
    """Appends to a file, or to nothing. It never changes what the worker does: a line that can't
    be written is lost."""

    def __init__(self, path, slot, generation):
        """Errors: PlanError when the file can't be opened."""
        self._who = {"slot": slot, "generation": generation, "pid": os.getpid()}
        self._fd = None
        if path:
            try:
                self._fd = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_APPEND, 0o644)
            except OSError as error:
                raise PlanError(path, error.strerror, "a journal file that can be written") \
                    from error

    def write(self, kind, **keys):
        if self._fd is None:
            return
        us = time.monotonic_ns() // 1000
        rest = json.dumps({**self._who, "kind": kind, **keys}, ensure_ascii=False,
                          separators=(",", ":"), sort_keys=True)
        line = f'{{"at_ms":{us // 1000}.{us % 1000:03d},{rest[1:]}\n'
        try:
            os.write(self._fd, to_utf8(line))
        except OSError:
            pass

    def close(self):
        if self._fd is not None:
            os.close(self._fd)
            self._fd = None
