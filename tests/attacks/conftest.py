"""An honest bundle, a forger who changes it and hashes it anew, as an attacker would, and a guard
that watches what a verifier does meanwhile."""

from __future__ import annotations

import hashlib
import json
import os
import re
import shutil
import signal
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import pytest

from benchmarks.runner import run_suite
from leaderboards.bundle import Submitter, pack
from leaderboards.verify import Result, verify


class Forge:
    """A bundle directory as plain data: change `manifest`, `run`, `episodes`, then `verify`.

    What is only written with `raw` is not JSON that `json.dumps` would make.
    """

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.manifest: dict[str, Any] = json.loads((folder / "manifest.json").read_text())
        self.run: dict[str, Any] = json.loads((folder / "run.json").read_text())
        self.episodes: list[dict[str, Any]] = [
            json.loads(line) for line in (folder / "episodes.jsonl").read_text().splitlines()
        ]

    def save(self) -> Path:
        lines = "".join(json.dumps(episode) + "\n" for episode in self.episodes)
        (self.folder / "episodes.jsonl").write_text(lines)
        (self.folder / "run.json").write_text(json.dumps(self.run))
        return self.hash()

    def hash(self) -> Path:
        """Sizes and hashes of what lies there now."""
        for name in ("run.json", "episodes.jsonl"):
            data = (self.folder / name).read_bytes()
            self.manifest["files"][name] = {
                "bytes": len(data),
                "sha256": hashlib.sha256(data).hexdigest(),
            }
        (self.folder / "manifest.json").write_text(json.dumps(self.manifest))
        return self.folder

    def raw(self, name: str, old: str, new: str) -> None:
        """Replace text in a file once, and hash the files anew."""
        path = self.folder / name
        text = path.read_text()
        assert old in text
        path.write_text(text.replace(old, new, 1))
        if name == "manifest.json":
            return
        self.hash()

    def verify(self) -> Result:
        return verify(self.save())

    def codes(self) -> set[str]:
        """Which rules are broken."""
        return codes(self.verify())

    def play_as_model(self) -> None:
        """Make it the run of a model with a budget, instead of an agent's."""
        self.run["config"] |= {"agent": None, "strategy": "greedy", "budget_tokens": 512}
        self.run["model"] = "tiny"
        for episode in self.episodes:
            episode["division"] = "open"


def codes(result: Result) -> set[str]:
    assert not result.accepted
    return {discrepancy.code for discrepancy in result.discrepancies}


@pytest.fixture(scope="session")
def honest(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bundle of an expert's run on the smoke suite."""
    folder = tmp_path_factory.mktemp("honest")
    run_suite("smoke", folder / "run", agent="expert", progress=False)
    return pack(folder / "run", folder / "bundle", Submitter("Ada Lovelace"))


@pytest.fixture
def forge(honest: Path, tmp_path: Path) -> Forge:
    shutil.copytree(honest, tmp_path / "bundle")
    return Forge(tmp_path / "bundle")


@pytest.fixture(scope="session")
def make_forge() -> type[Forge]:
    """For tests that need many forgers."""
    return Forge


class Hang(BaseException):
    """No `Exception`, which the verifier may take for a line that breaks its environment."""


class Guard:
    """Notes what Python does meanwhile that no verifier should: writing, starting, connecting,
    unpickling. An audit hook cannot be taken away, so it is switched on and off."""

    FORBIDDEN = re.compile(
        r"os\.(chmod|chown|exec|fork|forkpty|link|mkdir|posix_spawn|remove|rename|rmdir|setxattr|"
        r"spawn|symlink|system|truncate|utime)"
        r"|pickle\.find_class|ctypes\.dlopen|pty\.spawn|subprocess\.Popen|(shutil|tempfile)\..*"
        r"|socket\.(bind|connect|getaddrinfo)|(urllib|http|ftplib|smtplib|webbrowser)\..*"
    )
    MODULES = ("yaml", "dill", "cloudpickle", "joblib", "shelve")

    def __init__(self) -> None:
        self._on = False
        self._found: list[str] = []
        sys.addaudithook(self._hook)

    def _hook(self, event: str, args: tuple[Any, ...]) -> None:
        if not self._on:
            return
        if event == "open":
            path, _, flags = args
            writes = os.O_WRONLY | os.O_RDWR | os.O_CREAT | os.O_TRUNC | os.O_APPEND
            if flags & writes and path != os.devnull:
                self._found.append(f"open {path!r} for writing")
        elif self.FORBIDDEN.fullmatch(event) or (event == "import" and args[0] in self.MODULES):
            self._found.append(f"{event} {args!r:.200}")

    @contextmanager
    def watching(self, seconds: float = 10.0) -> Iterator[None]:
        """Fails if anything of that kind is done inside, or if it takes so long."""

        def stop(*_: object) -> None:
            raise Hang(f"over {seconds} s")

        before = signal.signal(signal.SIGALRM, stop)
        signal.setitimer(signal.ITIMER_REAL, seconds)
        self._found.clear()
        self._on = True
        try:
            yield
        finally:
            self._on = False
            signal.setitimer(signal.ITIMER_REAL, 0)
            signal.signal(signal.SIGALRM, before)
        assert not self._found, self._found

    def verify(self, path: Path) -> Result:
        with self.watching():
            return verify(path)


@pytest.fixture(scope="session")
def guard(honest: Path) -> Guard:
    guard = Guard()
    verify(honest)  # what it imports late is imported now
    return guard


@pytest.fixture
def hang() -> type[Hang]:
    return Hang
