"""What a bundle's `run.json` claims: read strictly, then compared with what replay gives."""

from __future__ import annotations

import json
from collections.abc import Mapping
from dataclasses import dataclass, fields
from functools import lru_cache
from pathlib import Path
from typing import Any

from benchmarks import records
from benchmarks.suite import Resolved, Suite, load_suite, resolve, suite_names
from leaderboards import strict
from leaderboards.commitments import one_code, player_digest
from leaderboards.files import RUN
from leaderboards.rounds import ROUNDS, SEALED, Round, load_round, round_names
from leaderboards.strict import Refused, shown

_CONFIG = (
    "suite",
    "limit",
    "suite_hash",
    "model_digest",
    "strategy",
    "options",
    "agent",
    "budget_tokens",
)
"""What is read of the configuration; a run may record more, which is ignored here."""
_COUNTS = ("episodes", "solved", "unfinished", "errors")
_MOST = 10**6


@dataclass(frozen=True, slots=True)
class Sealed:
    """Where the problems of a sealed round come from.

    Attributes:
        digest: of the player, as the run names it; somebody committed to it.
    """

    round: Round
    digest: str


@dataclass(frozen=True, slots=True)
class Claim:
    """The parts of `run.json` that the board shows or the verifier compares.

    Attributes:
        sealed: the round that its problems are of, and the commitment to its player; None: they
            are a public suite's.
        config, defaults: of the run, as they stand there.
        problems: the suite it names, resolved here from this repository's own data.
        player: the model as the submitter calls it, or the agent.
        model_digest: sha256 of the weights as claimed, or None.
        strategy: how the model searched; empty for an agent.
        options: the strategy's settings, defaults included: `branch=4, simulations=64`.
        budget_tokens: declared for each problem; None: no limit.
        label: the stage of training, as the submitter calls it.
        counts: `episodes`, `solved`, `unfinished`, `errors` as claimed.
        ledger: totals as claimed.
        oracle: whether the configuration itself says that something read the verifier.
    """

    sealed: Sealed | None
    config: Mapping[str, Any]
    defaults: Mapping[str, Any]
    problems: Resolved
    player: str
    model_digest: str | None
    strategy: str
    options: str
    budget_tokens: int | None
    label: str
    counts: Mapping[str, int]
    ledger: Mapping[str, int]
    oracle: bool

    @property
    def suite(self) -> str:
        """The suite's name and version, and its limit if it has one: what scores may be compared
        within."""
        suite, limit = self.problems.suite, self.problems.limit
        base, _, round_name = suite.name.partition(SEALED)
        version = f"v{suite.version}"
        name = base if base.endswith(f"-{version}") else f"{base} {version}"
        if round_name:
            name += f", round {round_name}"
        return name if limit is None else f"{name}, first {limit}"

    @property
    def comparable(self) -> str:
        """Equal for runs of a `suite` whose scores may be compared: of the same problems, or of a
        sealed round, where every player has its own."""
        return self.problems.hash if self.sealed is None else self.sealed.round.digest


def read_claim(data: bytes, rounds: Path = ROUNDS) -> Claim:
    """Check `run.json`.

    Args:
        rounds: folder of the sealed rounds.

    Raises:
        Refused: names the rule that is broken.
    """
    names = [field.name for field in fields(records.Manifest)]
    # Runs of before these were recorded have none of them.
    later = ("usage", "shard")
    required = [name for name in names if name not in later]
    value = strict.fields(strict.loads(data, RUN), RUN, required, later)
    if value.get("shard") is not None:
        raise Refused("not-done", f"{RUN}: one shard of a run; merge all of them first")
    strict.whole(value["format"], f"{RUN}: format", records.FORMAT, records.FORMAT)
    if value["status"] != "done":
        raise Refused("not-done", f"{RUN}: status is {shown(value['status'])}, not 'done'")
    config = strict.fields(value["config"], f"{RUN}: config", _CONFIG, value["config"])
    model, agent, strategy = value["model"], config["agent"], config["strategy"]
    if (agent is None) == (strategy is None):
        raise Refused("unknown-value", f"{RUN}: config needs a strategy or an agent, and not both")
    player = model if agent is None else agent
    model_digest = config["model_digest"]
    if model_digest is not None:
        model_digest = strict.line_of_text(model_digest, f"{RUN}: model_digest", 128)
    if player is None:
        player = f"unnamed model {(model_digest or '')[:12]}".strip()
    options = _options(value)
    budget = config["budget_tokens"]
    suite, sealed = _suite(value, rounds)
    claim = Claim(
        sealed=sealed,
        config=config,
        defaults=value["defaults"],
        player=strict.line_of_text(player, f"{RUN}: model or agent", 200),
        model_digest=model_digest,
        strategy=strict.line_of_text(strategy or "", f"{RUN}: strategy", 60, empty=True),
        options=strict.line_of_text(
            ", ".join(f"{key}={_dumps(value)}" for key, value in options.items()),
            f"{RUN}: options",
            800,
            empty=True,
        ),
        budget_tokens=None if budget is None else strict.whole(budget, f"{RUN}: budget_tokens", 1),
        label=strict.line_of_text(value["label"], f"{RUN}: label", 80, empty=True),
        counts={name: strict.whole(value[name], f"{RUN}: {name}", 0, _MOST) for name in _COUNTS},
        ledger=_ledger(value["ledger"]),
        oracle=agent == "expert" or any("oracle" in text for text in _texts(options)),
        problems=_problems(config, suite),  # takes seconds: after what can be refused at once
    )
    _typed(value)
    return claim


def _typed(value: Any) -> None:
    """What nobody here reads has its type all the same: others may read it."""
    try:
        manifest = records.Manifest.from_json(value)
    except (ValueError, TypeError) as error:
        raise Refused("wrong-type", f"{RUN}: {shown(str(error), 200)}") from None
    if manifest.seconds < 0:
        raise Refused("out-of-range", f"{RUN}: seconds: {manifest.seconds} is below 0")


def _suite(run: Mapping[str, Any], rounds: Path) -> tuple[Suite, Sealed | None]:
    """The suite of that name as we have it: published, or sealed for the player of this run."""
    config = run["config"]
    if not isinstance(config["suite"], dict):
        raise Refused("wrong-type", f"{RUN}: suite must be an object")
    name = config["suite"].get("name")
    _, at, round_name = name.partition(SEALED) if isinstance(name, str) else ("", "", "")
    if not at:
        return load_suite(strict.one_of(name, f"{RUN}: suite name", suite_names())), None
    if round_name not in round_names(rounds):
        known = ", ".join(round_names(rounds)) or "none"
        detail = f"{RUN}: {shown(round_name)}; the rounds in {rounds} are: {known}"
        raise Refused("unknown-round", detail)
    round = load_round(round_name, rounds)
    code = one_code(run["environment"], run["resumed_under"])
    digest = player_digest(config, run["defaults"], code)
    return round.sealed_suite(digest), Sealed(round, digest)


def _problems(config: Mapping[str, Any], suite: Suite) -> Resolved:
    """The suite's problems; the bundle's copy of the suite must agree with it."""
    given, limit, name = config["suite"], config["limit"], suite.name
    # As text: 1 == True == 1.0 in Python, but not in JSON.
    ours, theirs = (_dumps({**value, "description": ""}) for value in (suite.to_json(), given))
    if ours != theirs:
        raise Refused("wrong-suite", f"{RUN}: the suite differs from {name} v{suite.version} here")
    if limit is not None:
        strict.whole(limit, f"{RUN}: limit", 1, _MOST)
    problems = _resolved(_dumps(suite.to_json()), limit)
    if strict.digest(config["suite_hash"], f"{RUN}: suite_hash") != problems.hash:
        raise Refused(
            "wrong-suite",
            f"{RUN}: suite hash {config['suite_hash'][:12]}..., but {name} v{suite.version} "
            f"resolves to {problems.hash[:12]}... here: other problems, or other environments",
        )
    return problems


@lru_cache(maxsize=8)
def _resolved(suite: str, limit: int | None) -> Resolved:
    """A suite given as JSON: bundles come in numbers, and drawing problems takes seconds."""
    return resolve(Suite.from_json(json.loads(suite)), limit)


def _options(run: Mapping[str, Any]) -> dict[str, Any]:
    """All settings of the strategy, given ones and defaults."""
    defaults, options = run["defaults"], run["config"]["options"]
    if not isinstance(defaults, dict) or not isinstance(options, dict):
        raise Refused("wrong-type", f"{RUN}: options and defaults must be objects")
    return {**defaults, **options}


def _dumps(value: Any) -> str:
    return json.dumps(value, sort_keys=True, ensure_ascii=False)


def _ledger(value: Any) -> dict[str, int]:
    value = strict.fields(value, f"{RUN}: ledger", records.LEDGER)
    return {key: strict.whole(value[key], f"{RUN}: ledger.{key}") for key in records.LEDGER}


def _texts(options: Mapping[str, Any]) -> list[str]:
    """All texts among the options, also in lists and objects (nesting is limited already)."""
    found: list[str] = []
    todo: list[Any] = [*options.values()]
    while todo:
        value = todo.pop()
        if isinstance(value, str):
            found.append(value)
        elif isinstance(value, dict | list):
            todo.extend(value.values() if isinstance(value, dict) else value)
    return found
