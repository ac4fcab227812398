"""Loaded by Python itself at the start of each demo under test: notes what the process opens and whom it calls.

One line an event, in the file that KZOO_WATCH names: `open PATH` or `connect ADDRESS`. Audit hooks see every file
and socket that Python code touches, whichever library asks for it.
"""

import os
import sys

_target = os.environ.pop("KZOO_WATCH", None)

if _target:
    _notes = os.open(_target, os.O_WRONLY | os.O_APPEND | os.O_CREAT, 0o600)

    def _note(event, arguments):
        if event == "open" and isinstance(arguments[0], (str, bytes)):
            line = f"open {os.fsdecode(arguments[0])}"
        elif event == "socket.connect" and isinstance(arguments[1], tuple):
            line = f"connect {arguments[1][0]}"
        elif event == "socket.getaddrinfo":
            line = f"connect {arguments[0]}"
        else:
            return
        os.write(_notes, line.replace("\n", " ").encode(errors="replace") + b"\n")

    sys.addaudithook(_note)
