"""An honest bundle, and a forger who changes it and hashes it anew, as an attacker would."""

from __future__ import annotations

import hashlib
import json
import shutil
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
