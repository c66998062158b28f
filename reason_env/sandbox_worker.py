"""The worker's side of `reason_env.sandbox`: a script that imports nothing but what it is to call.

It reads lines of JSON from a socket, whose number is its argument: first `[path, entry point,
megabytes, longest reply]`, answered by null or by the reason why there will be no calls; then
calls, `[number, seconds, arguments]`, answered by `[number, "result", value]`,
`[number, "raised", [type, message]]` or `[number, "memory", null]`.

The called function finds an empty standard input, output and error that lead nowhere, and may not
write files. Standard input as given is a lifeline on which the parent never writes: when it ends,
the parent is gone, also where it was killed, and the worker kills itself and its children. A
function that holds the interpreter's lock cannot keep it alive for long: its processor time is
limited too. (Linux can signal the death of a parent, but of the thread that started the worker.)
"""

from __future__ import annotations

import importlib
import json
import os
import resource
import signal
import socket
import sys
import threading
import traceback
from collections.abc import Callable
from contextlib import suppress
from typing import Any

LONGEST_MESSAGE = 500
"""Of an exception's text, in characters."""


def main(channel: socket.socket) -> None:
    """Serve calls until the parent hangs up."""
    channel.set_inheritable(False)
    lifeline, nowhere = os.dup(0), os.open(os.devnull, os.O_RDWR)
    os.dup2(nowhere, 0)
    threading.Thread(target=die_with_parent, args=[lifeline], daemon=True).start()
    lines = channel.makefile("rb")
    sys.path[:], entry_point, megabytes, max_bytes = json.loads(lines.readline())
    try:
        function = load(entry_point)
        set_limits(megabytes)
    except BaseException:
        channel.sendall(encode(traceback.format_exc()[-2000:]))
        return
    os.dup2(nowhere, 2)
    channel.sendall(encode(None))
    for line in lines:
        number, seconds, args = json.loads(line)
        limit_processor_time(seconds)
        channel.sendall(reply(function, args, number, max_bytes))


def die_with_parent(lifeline: int) -> None:
    """Wait for the end of the lifeline, then end the whole process group."""
    with suppress(OSError):
        os.read(lifeline, 1)
    with suppress(OSError):
        os.rmdir(os.getcwd())  # the parent can do it no more
    os.killpg(0, signal.SIGKILL)


def load(entry_point: str) -> Callable[..., Any]:
    """The function named by `package.module:function`."""
    module, _, name = entry_point.partition(":")
    function: Any = importlib.import_module(module)
    for part in name.split("."):
        function = getattr(function, part)
    if not callable(function):
        raise TypeError(f"{entry_point!r} is not a function")
    return function


def set_limits(megabytes: int) -> None:
    """Limits for the whole life of the worker, set after the imports."""
    lower(resource.RLIMIT_CORE, 0)
    sys.dont_write_bytecode = True
    lower(resource.RLIMIT_FSIZE, 0)
    if sys.platform == "linux":  # elsewhere the limit is ignored, or cannot be set
        with open("/proc/self/statm", encoding="ascii") as file:
            pages = int(file.read().split()[0])
        lower(resource.RLIMIT_AS, pages * resource.getpagesize() + megabytes * 2**20)


def lower(limit: int, value: int) -> None:
    """Lower a limit for good."""
    _, hard = resource.getrlimit(limit)
    value = value if hard == resource.RLIM_INFINITY else min(value, hard)
    resource.setrlimit(limit, (value, value))


def limit_processor_time(seconds: float) -> None:
    """A backstop in case that nobody is left to kill the worker: SIGXCPU ends it."""
    used = resource.getrusage(resource.RUSAGE_SELF)
    limit = int(used.ru_utime + used.ru_stime + 2 * seconds) + 2
    _, hard = resource.getrlimit(resource.RLIMIT_CPU)
    resource.setrlimit(resource.RLIMIT_CPU, (limit, hard))


def reply(function: Callable[..., Any], args: list[Any], number: int, max_bytes: int) -> bytes:
    """Call the function and put what comes of it in a line."""
    out_of_memory = encode([number, "memory", None])  # while there is memory
    try:
        line = encode([number, "result", function(*args)])
        if len(line) > max_bytes:
            raise ValueError(f"a result of {len(line)} bytes; at most {max_bytes} can be sent")
        return line
    except MemoryError:
        return out_of_memory
    except BaseException as error:
        try:
            message = str(error)[:LONGEST_MESSAGE]
        except Exception:
            message = ""
        return encode([number, "raised", [type(error).__name__, message]])


def encode(value: Any) -> bytes:
    return json.dumps(value).encode() + b"\n"


if __name__ == "__main__":
    main(socket.socket(fileno=int(sys.argv[1])))
