"""A killable worker process for verification that may hang, eat memory or crash.

    with Sandbox("math:factorial", seconds=1.0) as sandbox:
        sandbox.call(20)        # 2432902008176640000
        sandbox.call(10**9)     # SandboxTimeout after a second; the next call works again

Errors:

    RuntimeError
      SandboxError
        SandboxStartError   no worker could be started: a mistake of the program, not of the call
        SandboxTimeout      the call's time was spent; the worker was killed
        SandboxMemory       the call's memory was spent; the worker was killed
        SandboxCrash        the worker died, or wrote something that is no reply
        SandboxRaised       the called function raised; the worker lives on

The sandbox contains accidents: endless loops, `9**9**9**9`, runaway memory, crashes of C code,
prints. It is no jail: code that runs in it has the rights of the user.

The worker is a fresh interpreter, so nothing is forked, and threads, torch and notebooks are safe.
What it does is in `reason_env.sandbox_worker`.
"""

from __future__ import annotations

import json
import os
import shutil
import signal
import socket
import subprocess
import sys
import tempfile
import threading
import time
import weakref
from collections.abc import Callable, Mapping
from contextlib import suppress
from pathlib import Path
from typing import Any

MAX_BYTES = 2**22
"""Longest request or reply."""
_WORKER = Path(__file__).with_name("sandbox_worker.py")
_ENVIRONMENT = {
    # The same verdict from every worker, whatever the parent's hash seed.
    "PYTHONHASHSEED": "0",
    # One worker is one thread: more only fight for cores, and each reserves memory.
    "OMP_NUM_THREADS": "1",
    "OPENBLAS_NUM_THREADS": "1",
    "MKL_NUM_THREADS": "1",
}


class SandboxError(RuntimeError):
    """A call did not come back with a result."""


class SandboxStartError(SandboxError):
    """No worker could be started; the message says what it wrote to its standard error."""


class SandboxTimeout(SandboxError):
    """The call ran into its time limit; its worker is gone."""


class SandboxMemory(SandboxError):
    """The call ran into its memory limit; its worker is gone."""


class SandboxCrash(SandboxError):
    """The worker died during the call, or wrote something that is not a reply."""


class SandboxRaised(SandboxError):
    """The called function raised an exception.

    Attributes:
        type_name: the exception's class, such as `ValueError`.
        message: its text, cut.
    """

    def __init__(self, type_name: str, message: str) -> None:
        super().__init__(f"{type_name}: {message}")
        self.type_name = type_name
        self.message = message


class _Worker:
    """One process, and the socket to it."""

    def __init__(self, environment: Mapping[str, str], errors: Any) -> None:
        """Start the process; `errors` is the file for its standard error."""
        self.owner = os.getpid()
        self.calls = 0
        # Empty, so that nothing depends on where the parent is, and nothing is left there.
        self.folder = tempfile.mkdtemp(prefix="reason-env-sandbox-")
        self.socket, theirs = socket.socketpair()
        with theirs:
            try:
                self.process = subprocess.Popen(
                    # -P: the script's folder, this package, is no place to import from.
                    [sys.executable, "-P", str(_WORKER), str(theirs.fileno())],
                    stdin=subprocess.PIPE,  # nothing is written: its end tells of the parent's
                    stdout=subprocess.DEVNULL,
                    stderr=errors,
                    pass_fds=[theirs.fileno()],
                    start_new_session=True,
                    cwd=self.folder,
                    env={**os.environ, **_ENVIRONMENT, **environment},
                )
            except BaseException:
                self.socket.close()
                shutil.rmtree(self.folder, ignore_errors=True)
                raise

    def call(self, args: str, seconds: float) -> Any:
        """Call the function with the arguments, an array in JSON."""
        self.calls += 1
        reply = self.exchange(f"[{self.calls}, {seconds}, {args}]\n".encode(), seconds)
        match reply:
            case [self.calls, "result", value]:
                return value
            case [self.calls, "raised", [str(type_name), str(message)]]:
                raise SandboxRaised(type_name, message)
            case [self.calls, "memory", None]:
                raise SandboxMemory("The call ran out of memory")
        raise SandboxCrash(f"Not a reply: {str(reply)[:200]}")

    def exchange(self, line: bytes, seconds: float) -> Any:
        """Send a line of JSON and wait for the one that comes back."""
        deadline = time.monotonic() + seconds
        reply = bytearray()
        try:
            self.socket.settimeout(seconds)
            self.socket.sendall(line)
            while not reply.endswith(b"\n"):
                # A moment is left even after the deadline, for a reply that is there already.
                self.socket.settimeout(max(deadline - time.monotonic(), 1e-3))
                part = self.socket.recv(2**16)
                if not part:
                    raise self.death()
                reply += part
                if len(reply) > MAX_BYTES:
                    raise SandboxCrash(f"Not a reply: more than {MAX_BYTES} bytes")
        except TimeoutError:
            raise SandboxTimeout(f"The call took more than {seconds:g} s") from None
        except OSError:
            raise self.death() from None
        try:
            return json.loads(reply)
        except (ValueError, RecursionError):
            raise SandboxCrash(f"Not a reply: {bytes(reply[:200])!r}") from None

    def is_idle(self) -> bool:
        """Whether the worker is there and silent, as it should be between calls."""
        self.socket.setblocking(False)
        try:
            self.socket.recv(1, socket.MSG_PEEK)
        except BlockingIOError:
            return True
        except OSError:
            pass
        return False

    def death(self) -> SandboxError:
        """Why the socket was closed from the other side."""
        self.stop()
        code = self.process.returncode
        if code == -signal.SIGXCPU:
            return SandboxTimeout("The call took too much processor time")
        how = f"exited with code {code}" if code >= 0 else f"was ended by signal {-code}"
        return SandboxCrash(f"The worker {how}")

    def stop(self) -> None:
        """Kill the worker and its children; a forked copy of the parent only lets go of it."""
        self.socket.close()
        assert self.process.stdin is not None
        self.process.stdin.close()
        if os.getpid() != self.owner:
            self.process.returncode = 0  # not our child: nothing to wait for, or to warn of
            return
        if self.process.returncode is None:
            # Not waited for yet, so its number, which is also its group's, is still its own.
            with suppress(ProcessLookupError, PermissionError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()
        shutil.rmtree(self.folder, ignore_errors=True)


def _start(entry_point: str, megabytes: int, seconds: float, env: Mapping[str, str]) -> _Worker:
    """A worker that has done its imports.

    Raises:
        SandboxStartError: it did not get so far within `seconds`.
    """
    if os.name != "posix":
        raise SandboxStartError("The sandbox needs Linux or macOS (on Windows, use WSL)")
    with tempfile.TemporaryFile() as errors:
        try:
            worker = _Worker(env, errors)
        except OSError as error:
            raise SandboxStartError(f"Cannot run {sys.executable!r}: {error}") from error
        try:
            hello = [list(map(os.path.abspath, sys.path)), entry_point, megabytes, MAX_BYTES]
            failure = worker.exchange(json.dumps(hello).encode() + b"\n", seconds)
        except SandboxTimeout:
            failure = f"it was not ready after {seconds:g} s; allow more start_seconds?"
        except SandboxCrash as crash:
            errors.seek(0)
            failure = f"{crash}\n{errors.read()[-2000:].decode(errors='replace')}"
        except BaseException:
            worker.stop()
            raise
    if failure is not None:
        worker.stop()
        raise SandboxStartError(f"The worker for {entry_point!r} did not start: {failure}")
    return worker


class Sandbox:
    """A persistent worker process that calls one function, and is killed and replaced when it
    breaks a limit.

    The worker starts with the first call. Any number of threads may call: calls queue up, and
    neither the queue nor the start counts against a call's time. A forked child has its own.

    Args:
        entry_point: `"package.module:function"`, importable with the present `sys.path`.
        seconds: wall-clock limit of a call.
        megabytes: memory that calls may take, on top of what the imports took (Linux only).
        start_seconds: limit of a start, imports included.
        environment: environment variables for the worker, on top of the present ones.
    """

    def __init__(
        self,
        entry_point: str,
        *,
        seconds: float = 2.0,
        megabytes: int = 1024,
        start_seconds: float = 60.0,
        environment: Mapping[str, str] | None = None,
    ) -> None:
        module, _, function = entry_point.partition(":")
        if not (module and function):
            raise ValueError(f"Expected 'package.module:function', received {entry_point!r}")
        if min(seconds, megabytes, start_seconds) <= 0:
            raise ValueError(
                "Limits must be positive, received "
                f"seconds={seconds}, megabytes={megabytes}, start_seconds={start_seconds}"
            )
        self.entry_point = entry_point
        self.seconds = seconds
        self.megabytes = megabytes
        self.start_seconds = start_seconds
        self.environment = dict(environment or {})
        self._worker: _Worker | None = None
        self._stop: Callable[[], object] = lambda: None
        self._lock = threading.Lock()
        _sandboxes.add(self)

    def call(self, *args: Any, seconds: float | None = None) -> Any:
        """Call the function in the worker.

        Args:
            *args: JSON values; tuples arrive as lists.
            seconds: wall-clock limit of this call; None: the sandbox's.

        Returns:
            What the function returned, which must be JSON too.

        Raises:
            SandboxError: see the tree above.
        """
        limit = self.seconds if seconds is None else seconds
        if limit <= 0:
            raise ValueError(f"seconds must be positive, received {limit}")
        encoded = json.dumps(args)
        if len(encoded) > MAX_BYTES:
            raise ValueError(f"Arguments of {len(encoded)} bytes; at most {MAX_BYTES} can be sent")
        with self._lock:
            worker = self._worker
            if worker is None or not worker.is_idle():
                self._stop()
                worker = _start(
                    self.entry_point, self.megabytes, self.start_seconds, self.environment
                )
                self._worker = worker
                # Runs once: when called, when the sandbox is collected, or at exit.
                self._stop = weakref.finalize(self, worker.stop)
            try:
                return worker.call(encoded, limit)
            except SandboxRaised:
                raise
            except BaseException:
                # Also after Ctrl-C: the reply is still to come, and would pass for the next one.
                self._forget()
                raise

    def close(self) -> None:
        """End the worker; a later call starts another."""
        with self._lock:
            self._forget()

    def __enter__(self) -> Sandbox:
        return self

    def __exit__(self, *_: object) -> None:
        self.close()

    def _forget(self) -> None:
        self._stop()
        self._worker = None

    def _after_fork(self) -> None:
        # Another thread of the parent may have held the lock.
        self._lock = threading.Lock()
        self._forget()


_sandboxes: weakref.WeakSet[Sandbox] = weakref.WeakSet()


def _after_fork() -> None:
    for sandbox in list(_sandboxes):
        sandbox._after_fork()


if hasattr(os, "register_at_fork"):
    os.register_at_fork(after_in_child=_after_fork)
