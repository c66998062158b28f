"""What the tests let a sandbox call. Imported by the worker only."""

import contextlib
import ctypes
import os
import subprocess
import sys
import time
from typing import Any

_calls = 0


def call(name: str, *args: Any) -> Any:
    """Any of the functions below."""
    return globals()[name](*args)


def echo(value: Any) -> Any:
    return value


def count() -> list[int]:
    """The worker's process, and how often it was called."""
    global _calls
    _calls += 1
    return [os.getpid(), _calls]


def fail(kind: str, message: str = "") -> None:
    raise {"value": ValueError, "exit": SystemExit, "stop": KeyboardInterrupt}[kind](message)


class Unprintable(Exception):
    def __str__(self) -> str:
        raise RuntimeError("no text")


def fail_without_text() -> None:
    raise Unprintable


def sleep(seconds: float) -> str:
    time.sleep(seconds)
    return "slept"


def loop() -> None:
    while True:
        pass


def power() -> int:
    """A hang inside of C code that holds the interpreter's lock."""
    nine = 9
    return int(nine**nine**nine)


def print_much(characters: int) -> str:
    print("x" * characters)
    print("x" * characters, file=sys.stderr)
    for descriptor in (1, 2):
        os.write(descriptor, b'[1, "result", 7]\n' * (characters // 16))
    return "printed"


def read_input() -> list[str]:
    return [sys.stdin.read(), os.read(0, 10).decode()]


def eat(megabytes: int) -> int:
    return len(b"x" * (megabytes * 2**20))


def eat_slowly() -> None:
    kept: list[str] = []
    while True:
        kept.append("x" * 2**20 + str(len(kept)))


def recurse(depth: int) -> int:
    return 1 + recurse(depth + 1)


def overflow_stack() -> None:
    sys.setrecursionlimit(10**9)
    nested: list[Any] = []
    for _ in range(10**6):
        nested = [nested]
    repr(nested)


def quit_at_once(code: int) -> None:
    os._exit(code)


def crash() -> None:
    ctypes.string_at(0)


def close_everything() -> str:
    os.closerange(0, 1000)
    return "closed"


def write_junk(junk: str) -> str:
    """Find the private socket and write to it."""
    for descriptor in range(3, 100):
        # Not the lifeline, which cannot be written to.
        with contextlib.suppress(OSError):
            os.write(descriptor, junk.encode())
    return "after junk"


def write_endless_junk() -> None:
    while True:
        write_junk("x" * 2**16)


def write_file(path: str) -> None:
    with open(path, "w") as file:
        file.write("x")


def leave_child() -> int:
    """A child of the worker that outlives the call, and then hang."""
    child = subprocess.Popen([sys.executable, "-c", "import time; time.sleep(100)"])
    return child.pid


def leave_child_and_hang(path: str) -> None:
    child = leave_child()
    os.utime(path, (child, child))  # files may not be written to, but this tells, too
    loop()


def environment(name: str) -> str | None:
    return os.environ.get(name)
