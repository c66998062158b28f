"""Finished runs on the smoke suite, bundles and entries of them, and the command line."""

from __future__ import annotations

import hashlib
import json
import sys
from collections.abc import Callable
from pathlib import Path

import pytest

from benchmarks.runner import run_suite
from leaderboards import cli
from leaderboards.bundle import Submitter, pack
from leaderboards.decisions import DECISIONS
from leaderboards.entries import add_entry


@pytest.fixture(scope="session")
def runs(tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Run folders of the built-in agents."""
    folder = tmp_path_factory.mktemp("runs")
    for agent in ("expert", "random"):
        run_suite("smoke", folder / agent, agent=agent, progress=False)
    return {agent: folder / agent for agent in ("expert", "random")}


@pytest.fixture(scope="session")
def bundles(runs: dict[str, Path], tmp_path_factory: pytest.TempPathFactory) -> dict[str, Path]:
    """Bundle archives of those runs."""
    folder = tmp_path_factory.mktemp("bundles")
    return {
        agent: pack(run, folder / f"{agent}.tar.gz", Submitter("Ada Lovelace", notes="as is"))
        for agent, run in runs.items()
    }


@pytest.fixture
def entries(bundles: dict[str, Path], tmp_path: Path) -> Path:
    """A folder of two entries."""
    for bundle in bundles.values():
        add_entry(bundle, tmp_path / "entries", added="2026-01-02")
    return tmp_path / "entries"


@pytest.fixture
def expert(entries: Path) -> str:
    return next(folder.name for folder in entries.iterdir() if "expert" in folder.name)


@pytest.fixture
def random(entries: Path) -> str:
    return next(folder.name for folder in entries.iterdir() if "random" in folder.name)


@pytest.fixture
def chain(entries: Path) -> Callable[..., None]:
    """Writes a log whose hashes are right, whatever it says."""

    def write(*decisions: dict[str, object]) -> None:
        previous, written = "0" * 64, []
        for number, decision in enumerate(decisions, 1):
            value = {
                "number": number,
                "date": "2026-01-02",
                "entry": "none",
                "action": "remove",
                "reason": "why not",
                "previous": previous,
            }
            written.append(json.dumps(value | decision).encode())
            previous = hashlib.sha256(written[-1]).hexdigest()
        (entries / DECISIONS).write_bytes(b"".join(line + b"\n" for line in written))

    return write


@pytest.fixture
def board(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> Callable[..., tuple[int | str, str, str]]:
    """Runs `reason-board`: exit code, output, and what went to stderr."""

    def run(*arguments: object) -> tuple[int | str, str, str]:
        monkeypatch.setattr(sys, "argv", ["reason-board", *map(str, arguments)])
        with pytest.raises(SystemExit) as stop:
            cli.main()
        captured = capsys.readouterr()
        assert "Traceback" not in captured.err
        return stop.value.code or 0, captured.out, captured.err

    return run
