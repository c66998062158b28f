"""Sealed rounds: nobody can choose the seeds of their problems, and anyone can check that.

    rounds/<name>/round.json         the suite, and the SHA-256 of a key that the organiser keeps
    rounds/<name>/commitments.jsonl  who commits to which player, in a log that only grows
    rounds/<name>/key.json           the key, published at the end

A submitter first commits to a player: to the digest of model, strategy, settings and code. Only
then do its problems exist, since the seed of each task is the HMAC of the key, that digest and the
task. So a player cannot be fitted to its problems, and another try needs another commitment, which
everyone sees. The key was fixed before the first commitment by its hash.

What this does not prove: that the lines were written by what was committed to (see
`leaderboards.regenerate`), nor anything about an organiser who submits too and so knows the key.
"""

from __future__ import annotations

import hashlib
import hmac
import json
import os
import re
import secrets
from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

from benchmarks.suite import Suite, make_env
from leaderboards import strict
from leaderboards.commitments import Commitment, Commitments
from leaderboards.strict import Refused
from reason_env.errors import choose

ROUNDS = Path(__file__).parent / "rounds"
ROUND, COMMITMENTS, KEY = "round.json", "commitments.jsonl", "key.json"
FORMAT = 1
SEALED = "@"
"""Between the suite's name and the round's, in the name of a sealed suite."""
_KEY_BYTES = 32
_MOST_BYTES = 2**20
_NAME = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*")


@dataclass(frozen=True, slots=True)
class Round:
    """A round, checked.

    Attributes:
        folder: its folder; its name is the round's.
        opened: day, as YYYY-MM-DD.
        suite: what is played; the problems are drawn from other seeds.
        key_sha256: of the key.
        commitments: so far.
        key: once it is published, else None.
        revealed: day on which it was; empty before.
        digest: SHA-256 of `round.json`: the same for all of the round's entries.
    """

    folder: Path
    opened: str
    suite: Suite
    key_sha256: str
    commitments: Commitments
    key: bytes | None
    revealed: str
    digest: str

    @property
    def name(self) -> str:
        return self.folder.name

    def committed(self, digest: str) -> tuple[Commitment, ...]:
        """The commitments to a player."""
        return tuple(line for line in self.commitments.lines if line.digest == digest)

    def find(self, start: str) -> str:
        """The committed digest that begins so.

        Raises:
            ValueError: none does, or several do.
        """
        found = sorted({line.digest for line in self.commitments.lines})
        matching = [digest for digest in found if digest.startswith(start)]
        if len(matching) != 1:
            raise ValueError(
                f"{len(matching)} digests committed to in round {self.name} begin with "
                f"{start!r}; there are: {', '.join(digest[:16] for digest in found) or 'none'}"
            )
        return matching[0]

    def tries(self) -> Mapping[str, int]:
        """How many players each submitter committed to."""
        return Counter(line.submitter for line in self.commitments.lines)

    def sealed_suite(self, digest: str, key: bytes | None = None) -> Suite:
        """The suite with the seeds of a player.

        Args:
            digest: of the player, which must be committed to.
            key: before it is published: the organiser's.

        Raises:
            Refused: no such commitment, or not the key, or none and it is not published yet.
        """
        if not self.committed(digest):
            raise Refused(
                "not-committed", f"round {self.name}: nobody committed to {digest[:12]}..."
            )
        key = self.key if key is None else key
        if key is None:
            raise Refused("not-revealed", f"round {self.name}: its key is not published yet")
        self.check_key(key)
        entries = tuple(
            replace(
                entry,
                seed=_seed(key, [self.name, digest, entry.env, entry.kwargs, entry.episodes]),
            )
            for entry in self.suite.entries
        )
        return replace(self.suite, name=f"{self.suite.name}{SEALED}{self.name}", entries=entries)

    def check_key(self, key: bytes) -> None:
        """Whether this is the key that the round was opened with.

        Raises:
            Refused: it is not.
        """
        if hashlib.sha256(key).hexdigest() != self.key_sha256:
            raise Refused(
                "wrong-key",
                f"round {self.name}: the key's SHA-256 is "
                f"{hashlib.sha256(key).hexdigest()[:12]}..., not {self.key_sha256[:12]}...",
            )


def new_round(
    name: str, suite: Suite, key_file: str | Path, opened: str, rounds: str | Path = ROUNDS
) -> Round:
    """Open a round.

    Args:
        name: small letters, digits and hyphens, at most 40.
        suite: what is played.
        key_file: new file for the key, for the organiser's eyes until it is revealed.
        opened: day, as YYYY-MM-DD.
        rounds: folder of the rounds.

    Raises:
        FileExistsError: the round or the key file is there already.
        Refused: a bad name or day, or a suite with problems from a list, which has none to hide.
    """
    if not _NAME.fullmatch(name) or len(name) > 40:
        raise Refused(
            "wrong-name",
            f"{strict.shown(name)}: expected small letters, digits and hyphens, at most 40",
        )
    strict.day(opened, "opened")
    for entry in suite.entries:
        env = make_env(entry.env, entry.kwargs)
        if env.task.pool(env.level, env.split) is not None:
            raise Refused(
                "public-problems",
                f"{suite.name}: the problems of {entry.env} come from a list that everyone has",
            )
    folder = Path(rounds) / name
    if folder.exists():
        raise FileExistsError(f"{folder} exists already; choose another name")
    key = secrets.token_bytes(_KEY_BYTES)
    with os.fdopen(os.open(key_file, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600), "w") as file:
        file.write(key.hex() + "\n")
    folder.mkdir(parents=True)
    value = {
        "format": FORMAT,
        "name": name,
        "opened": opened,
        "suite": suite.to_json(),
        "key_sha256": hashlib.sha256(key).hexdigest(),
    }
    (folder / COMMITMENTS).touch()
    (folder / ROUND).write_text(json.dumps(value, indent=2) + "\n", encoding="utf-8")
    return load_round(name, rounds)


def commit(round: Round, submitter: str, digest: str, date: str) -> Commitment:
    """Commit to a player.

    Raises:
        Refused: the round is over, the line breaks a rule, or the submitter did so before.
    """
    if round.key is not None:
        raise Refused("revealed", f"round {round.name}: its key was published on {round.revealed}")
    log = round.commitments
    line = Commitment(len(log.lines) + 1, date, submitter, digest, log.head)
    log.append(line)
    return line


def reveal(round: Round, key: bytes, date: str) -> None:
    """Publish the key; nobody can commit any more.

    Raises:
        Refused: it is not the key, or is published already.
    """
    if round.key is not None:
        raise Refused("revealed", f"round {round.name}: its key is published already")
    round.check_key(key)
    value = {
        "format": FORMAT,
        "revealed": strict.day(date, "revealed"),
        "key": key.hex(),
        "commitments": len(round.commitments.lines),
        "head": round.commitments.head,
    }
    with (round.folder / KEY).open("x", encoding="utf-8") as file:
        file.write(json.dumps(value, indent=2) + "\n")


def read_key(path: str | Path) -> bytes:
    """The organiser's key.

    Raises:
        FileNotFoundError: no such file.
        Refused: it is not a key.
    """
    return bytes.fromhex(strict.digest(Path(path).read_text(encoding="utf-8").strip(), str(path)))


def round_names(rounds: str | Path = ROUNDS) -> list[str]:
    """Names of all rounds."""
    if not Path(rounds).is_dir():
        return []
    return sorted(path.name for path in Path(rounds).iterdir() if (path / ROUND).is_file())


def load_round(name: str, rounds: str | Path = ROUNDS) -> Round:
    """A round by name.

    Raises:
        ValueError: no such round; names the nearest.
        Refused: a file of it is damaged, or a commitment came after the key.
    """
    folder = Path(rounds) / choose(name, round_names(rounds), "round")
    data = _bytes(folder / ROUND)
    where = str(folder / ROUND)
    value = strict.fields(
        strict.loads(data, where), where, ["format", "name", "opened", "suite", "key_sha256"]
    )
    strict.whole(value["format"], f"{where}: format", FORMAT, FORMAT)
    strict.one_of(value["name"], f"{where}: name", [name])
    try:
        suite = Suite.from_json(value["suite"])
    except ValueError as error:
        raise Refused("wrong-suite", f"{where}: {error}") from None
    round = Round(
        folder,
        strict.day(value["opened"], f"{where}: opened"),
        suite,
        strict.digest(value["key_sha256"], f"{where}: key_sha256"),
        Commitments.read(folder / COMMITMENTS),
        None,
        "",
        hashlib.sha256(data).hexdigest(),
    )
    return _with_key(round) if (folder / KEY).exists() else round


def _with_key(round: Round) -> Round:
    where = str(round.folder / KEY)
    value = strict.fields(
        strict.loads(_bytes(round.folder / KEY), where),
        where,
        ["format", "revealed", "key", "commitments", "head"],
    )
    strict.whole(value["format"], f"{where}: format", FORMAT, FORMAT)
    log = round.commitments
    if (value["commitments"], value["head"]) != (len(log.lines), log.head):
        raise Refused(
            "committed-late",
            f"{log.path} has {len(log.lines)} lines and ends in {log.head[:12]}..., but when the "
            f"key was published it had {strict.shown(value['commitments'])} and ended in "
            f"{strict.shown(value['head'])}",
        )
    key = bytes.fromhex(strict.digest(value["key"], f"{where}: key"))
    round.check_key(key)
    return replace(round, key=key, revealed=strict.day(value["revealed"], f"{where}: revealed"))


def _bytes(path: Path) -> bytes:
    if path.is_symlink() or not path.is_file():
        raise Refused("not-a-file", f"{path}: not a plain file")
    if path.stat().st_size > _MOST_BYTES:
        raise Refused("too-big", f"{path}: {path.stat().st_size} bytes, at most {_MOST_BYTES}")
    return path.read_bytes()


def _seed(key: bytes, task: Any) -> int:
    """HMAC-SHA256 as a seed of 63 bits, which Gymnasium and JSON readers take."""
    text = json.dumps(task, sort_keys=True, separators=(",", ":"))
    return int.from_bytes(hmac.digest(key, text.encode(), "sha256")[:8], "big") >> 1
