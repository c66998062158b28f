"""What is committed to before the problems of a sealed round exist: a player, by its digest."""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from benchmarks.run_folder import read_manifest
from benchmarks.suite import Suite
from leaderboards import strict
from leaderboards.chain import Chain, common
from leaderboards.strict import Refused

_FOLLOWS_FROM_THE_SUITE = ("suite", "suite_hash", "limit")
"""What a run's configuration has besides its player."""


@dataclass(frozen=True, slots=True)
class Commitment:
    """One line of the log.

    Attributes:
        number, date, previous: see `leaderboards.chain.Line`.
        submitter: name that the bundle will have.
        digest: `player_digest` of what will be run.
    """

    number: int
    date: str
    submitter: str
    digest: str
    previous: str


class Commitments(Chain[Commitment]):
    """All commitments of a round, checked."""

    def parse(self, line: bytes, where: str) -> Commitment:
        value = common(line, where, Commitment)
        return Commitment(
            value["number"],
            value["date"],
            strict.line_of_text(value["submitter"], f"{where}: submitter", 80),
            strict.digest(value["digest"], f"{where}: digest"),
            value["previous"],
        )

    def check(self, line: Commitment, where: str) -> None:
        for other in self.lines:
            if (other.submitter, other.digest) == (line.submitter, line.digest):
                raise Refused("committed-already", f"{where}: the same as in line {other.number}")


def player_digest(
    config: Mapping[str, Any], defaults: Mapping[str, Any], code: Mapping[str, Any]
) -> str:
    """SHA-256 of everything that decides what is written, but the problems.

    Args:
        config, defaults: of a run (`benchmarks.records.Manifest`): weights, strategy, options,
            guide, budget, prompt, seed of sampling.
        code: hashes of the packages (`benchmarks.environment.code_hashes`).
    """
    player = {key: value for key, value in config.items() if key not in _FOLLOWS_FROM_THE_SUITE}
    text = json.dumps([player, defaults, code], sort_keys=True, separators=(",", ":"))
    return hashlib.sha256(text.encode()).hexdigest()


def run_digest(run_folder: str | Path, suite: Suite) -> str:
    """The digest of what played a run on a suite, of which a few problems will do.

    Raises:
        FileNotFoundError: no run there.
        ValueError: it is a run on another suite, or went on under other code.
    """
    manifest = read_manifest(Path(run_folder))
    wanted, given = (
        {**value, "description": ""} for value in (suite.to_json(), manifest.config["suite"])
    )
    if wanted != given:
        raise ValueError(
            f"{run_folder} is a run on {strict.shown(given.get('name'))}, but the round is on "
            f"{suite.name!r} as round.json has it: run that first (--limit 1 is enough)"
        )
    code = one_code(manifest.environment, manifest.resumed_under)
    module, function, _ = str(manifest.config["agent"]).partition(":")
    if function and module.partition(".")[0] not in code:
        raise Refused("no-code", f"{module} was not loaded from files, so nothing can vouch for it")
    return player_digest(manifest.config, manifest.defaults, code)


def one_code(environment: Any, later: Any) -> Mapping[str, Any]:
    """The hashes of the code that a run was made with.

    Args:
        environment, later: a run's `environment` and `resumed_under`.

    Raises:
        Refused: it does not say, or some sessions ran other code.
    """
    if not isinstance(later, list | tuple):
        raise Refused("wrong-type", f"resumed_under must be a list, received {strict.shown(later)}")
    codes = [
        part.get("code") if isinstance(part, Mapping) else None for part in (environment, *later)
    ]
    first = codes[0]
    if not isinstance(first, Mapping) or not first:
        raise Refused("no-code", "the run does not say which code it was made with: run it again")
    if any(json.dumps(code, sort_keys=True) != json.dumps(first, sort_keys=True) for code in codes):
        raise Refused("changed-code", "the run was resumed under other code than it began with")
    return first
