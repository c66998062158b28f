"""A submission: three files with fixed names that say what was run and what was played.

- `manifest.json`: format, submitter, sizes and SHA-256 of the other two, and the hash of the
  environment code that it was packed with;
- `run.json` and `episodes.jsonl`: as `benchmarks.records` has them, without machine paths.

Hashes protect against damage on the way, not against the sender: whoever forges an episode can
hash it too. What a bundle is worth comes from `leaderboards.verify`, which plays it again.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from pathlib import Path
from typing import Any

import reason_env
from benchmarks.environment import source_hash
from benchmarks.run_folder import load_run
from leaderboards import strict
from leaderboards.files import EPISODES, MANIFEST, NAMES, RUN, Seen, write_archive
from leaderboards.privacy import no_secrets, of_episode, without_paths

FORMAT = "reason-env-bundle/1"
ARCHIVE = ".tar.gz"


@dataclass(frozen=True, slots=True)
class Submitter:
    """Who sends a bundle, and what they say of it; shown on the board, believed by nobody.

    Attributes:
        name: a person or group, at most 80 characters.
        link: an https address, or empty.
        notes: how to repeat the run, at most 500 characters.
    """

    name: str
    link: str = ""
    notes: str = ""

    @classmethod
    def from_json(cls, value: Any) -> Submitter:
        """Check.

        Raises:
            Refused: a field that is missing, unknown, too long, or not safe to show.
        """
        where = f"{MANIFEST}: submitter"
        value = strict.fields(value, where, ["name"], ["link", "notes"])
        return cls(
            strict.line_of_text(value["name"], f"{where}.name", 80),
            strict.https_link(value.get("link", ""), f"{where}.link"),
            strict.line_of_text(value.get("notes", ""), f"{where}.notes", 500, empty=True),
        )


@dataclass(frozen=True, slots=True)
class Manifest:
    """`manifest.json`.

    Attributes:
        files: size and hash of each of the other files.
        environment_code: `code_hash()` where it was packed.
    """

    submitter: Submitter
    files: Mapping[str, Seen]
    environment_code: str

    def to_bytes(self) -> bytes:
        value = {
            "format": FORMAT,
            "submitter": asdict(self.submitter),
            "files": {name: asdict(seen) for name, seen in self.files.items()},
            "environment_code": self.environment_code,
        }
        return (json.dumps(value, indent=2) + "\n").encode()

    @classmethod
    def from_bytes(cls, data: bytes) -> Manifest:
        """Parse and check.

        Raises:
            Refused: names the rule that is broken.
        """
        value = strict.fields(
            strict.loads(data, MANIFEST),
            MANIFEST,
            ["format", "submitter", "files", "environment_code"],
        )
        strict.one_of(value["format"], f"{MANIFEST}: format", [FORMAT])
        files = strict.fields(value["files"], f"{MANIFEST}: files", [RUN, EPISODES])
        seen = {}
        for name, raw in files.items():
            where = f"{MANIFEST}: files.{name}"
            raw = strict.fields(raw, where, ["bytes", "sha256"])
            seen[name] = Seen(
                strict.whole(raw["bytes"], f"{where}.bytes"),
                strict.digest(raw["sha256"], f"{where}.sha256"),
            )
        return cls(
            Submitter.from_json(value["submitter"]),
            seen,
            strict.digest(value["environment_code"], f"{MANIFEST}: environment_code"),
        )


def code_hash() -> str:
    """SHA-256 over the sources of `reason_env`."""
    return source_hash(Path(reason_env.__file__).parent)


def pack(run_folder: str | Path, out: str | Path, submitter: Submitter) -> Path:
    """Make a bundle of a finished run.

    Args:
        run_folder: as `reason-bench run` leaves it.
        out: a new file, if it ends in `.tar.gz`, else a new directory.
        submitter: who sends it.

    Returns:
        `out`.

    Raises:
        FileExistsError: `out` exists; nothing is overwritten.
        FileNotFoundError: no run there.
        ValueError: the run is not finished or damaged, it holds what looks like a key or
            password, or the submitter's fields break a rule (`Refused`).
    """
    out = Path(out)
    if out.exists() or out.is_symlink():
        raise FileExistsError(f"{out} exists already and is not overwritten; name another output")
    submitter = Submitter.from_json(asdict(submitter))
    run = load_run(run_folder)
    no_secrets(asdict(submitter), MANIFEST)
    no_secrets(run.manifest.to_json(), RUN)
    for number, record in enumerate(run.episodes, 1):
        no_secrets(of_episode(record), f"{EPISODES}, line {number}")
    contents = {
        RUN: _text(without_paths(run.manifest.to_json())),
        EPISODES: b"".join(
            replace(record, error=None if record.error is None else without_paths(record.error))
            .to_line()
            .encode()
            for record in run.episodes
        ),
    }
    contents = {MANIFEST: _manifest(submitter, contents).to_bytes(), **contents}
    out.parent.mkdir(parents=True, exist_ok=True)
    if out.name.endswith(ARCHIVE):
        write_archive(out, contents)
    else:
        out.mkdir()
        for name in NAMES:
            (out / name).write_bytes(contents[name])
    return out


def _manifest(submitter: Submitter, contents: Mapping[str, bytes]) -> Manifest:
    seen = {
        name: Seen(len(content), hashlib.sha256(content).hexdigest())
        for name, content in contents.items()
    }
    return Manifest(submitter, seen, code_hash())


def _text(value: Any) -> bytes:
    return (json.dumps(value, indent=2, allow_nan=False) + "\n").encode()
