r"""The run folder: `run.json` says what was run, `episodes.jsonl` what was played.

`run.json` is one JSON object (see `Manifest`), written whole or not at all. `episodes.jsonl` is
append-only: one line per episode (see `EpisodeRecord`), in the suite's order, flushed one by one.
It has nothing in it that two equal runs would write differently (no times, no paths), so that a
killed run resumes to the same bytes. A line counts once its newline is there.

`solved`, `terms` and `reward` are what `benchmarks.replay.replay` gives for the recorded lines;
nobody who reads them need believe that, since the lines are there to be replayed again.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterable, Mapping
from dataclasses import asdict, dataclass, field, fields
from pathlib import Path
from typing import Any

from reason_env.errors import choose

RUN, EPISODES = "run.json", "episodes.jsonl"
FORMAT = 1
STATUSES = ("ok", "unfinished", "error")
DIVISIONS = ("open", "oracle")
LEDGER = (
    "generated_tokens",
    "prompt_tokens",
    "model_calls",
    "env_steps",
    "verifier_calls",
    "evaluator_calls",
)
"""Keys of a recorded ledger, as `agents.search.ledger.Ledger.to_json` has them; all whole numbers
of 0 or more."""


@dataclass(frozen=True, slots=True)
class EpisodeRecord:
    """One line of `episodes.jsonl`.

    Attributes:
        index, env, kwargs, seed, problem: the suite's item (`benchmarks.suite.Item`).
        actions: lines played from the start, as the agent wrote them, without newlines.
        tokens: token ids of each line as the model wrote them, newline included.
        terms: unweighted reward terms, summed over the episode.
        reward: weighted reward, summed over the episode.
        solved: whether it counts.
        status: `ok`: played to the end; `unfinished`: the lines stop before the episode ends
            (counts as not solved); `error`: the strategy, the agent or the replay failed (counts
            as not solved; no lines are recorded).
        error: what failed, else None.
        ledger: what the search for this episode spent (keys: `LEDGER`).
        division: `open`, or `oracle` if something read the verifier.
    """

    index: int
    env: str
    kwargs: Mapping[str, Any]
    seed: int
    problem: str
    actions: tuple[str, ...]
    tokens: tuple[tuple[int, ...], ...]
    terms: Mapping[str, float]
    reward: float
    solved: bool
    status: str
    error: str | None
    ledger: Mapping[str, int]
    division: str

    def to_line(self) -> str:
        """JSON in ASCII (any text survives, lone surrogates too), newline included."""
        value = {name.name: getattr(self, name.name) for name in fields(self)}
        return json.dumps(value, separators=(",", ":"), allow_nan=False) + "\n"

    @classmethod
    def from_json(cls, value: Any) -> EpisodeRecord:
        """Check and freeze a parsed line.

        Raises:
            ValueError: names the field that is missing, unknown or of the wrong type.
        """
        if not isinstance(value, dict):
            raise ValueError(f"An episode is an object, received {type(value).__name__}")
        for name in value:
            choose(name, _TYPES, "field of an episode")
        for name, types in _TYPES.items():
            if name not in value:
                raise ValueError(f"The episode's field {name!r} is missing")
            # bool is a kind of int, and only `solved` may be one.
            if not isinstance(value[name], types) or (
                isinstance(value[name], bool) and name != "solved"
            ):
                raise ValueError(f"The episode's field {name!r} cannot be {value[name]!r:.80}")
        choose(value["status"], STATUSES, "status")
        choose(value["division"], DIVISIONS, "division")
        if not all(isinstance(action, str) for action in value["actions"]):
            raise ValueError("The episode's actions must all be strings")
        if not all(isinstance(line, list) and all(map(_count, line)) for line in value["tokens"]):
            raise ValueError("The episode's tokens must be lists of token ids")
        if not all(isinstance(term, float) for term in value["terms"].values()):
            raise ValueError("The episode's reward terms must be numbers with a decimal point")
        if set(value["ledger"]) != set(LEDGER) or not all(map(_count, value["ledger"].values())):
            raise ValueError(f"The episode's ledger must have counts of {', '.join(LEDGER)}")
        tuples = {
            "actions": tuple(value["actions"]),
            "tokens": tuple(tuple(line) for line in value["tokens"]),
        }
        return cls(**{**value, **tuples})


_TYPES: dict[str, Any] = {
    "index": int,
    "env": str,
    "kwargs": dict,
    "seed": int,
    "problem": str,
    "actions": list,
    "tokens": list,
    "terms": dict,
    "reward": float,
    "solved": bool,
    "status": str,
    "error": (str, type(None)),
    "ledger": dict,
    "division": str,
}


@dataclass(frozen=True, slots=True)
class Manifest:
    """`run.json`.

    Attributes:
        config: everything that decides the episodes; a folder never mixes two of them:
            `suite` (`Suite.to_json()`), `limit`, `suite_hash`, `model_digest` (sha256 of the
            weights, None for an agent), `strategy`, `options` (as given, and the guide and the
            start of the reward model's sha256 if they were), `agent` (one of strategy and agent
            is None), `budget_tokens` (per problem, None: no limit), `seed`.
        label: the stage this run stands for in reports (`initialised`, `after PPO`); free text.
        model: where the model was loaded from; None for an agent.
        episodes: how many the suite asks for: the denominator of every score.
        environment: `packages`, `commit`, `dirty`, `python`, `hardware` at the start.
        defaults: the strategy's options that were not given, as they stood then.
        resumed_under: environments that differ from it, of sessions that went on with the run.
        status: `running` (or killed), or `done`.
        seconds: wall time of the sessions that reached their end.
        solved, unfinished, errors: how many episodes.
        ledger: totals over the episodes.
    """

    config: Mapping[str, Any]
    label: str
    model: str | None
    episodes: int
    environment: Mapping[str, Any]
    defaults: Mapping[str, Any] = field(default_factory=dict)
    resumed_under: tuple[Mapping[str, Any], ...] = ()
    status: str = "running"
    seconds: float = 0.0
    solved: int = 0
    unfinished: int = 0
    errors: int = 0
    ledger: Mapping[str, int] = field(default_factory=lambda: dict.fromkeys(LEDGER, 0))
    format: int = FORMAT

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Manifest:
        """Read a manifest.

        Raises:
            ValueError: a missing or unknown field, or a format that this version cannot read.
        """
        if not isinstance(value, dict):
            raise ValueError(f"A manifest is an object, received {type(value).__name__}")
        if value.get("format") != FORMAT:
            raise ValueError(f"Run format {value.get('format')!r} is not {FORMAT}")
        names = [name.name for name in fields(cls)]
        for name in value:
            choose(name, names, "field of run.json")
        if missing := [name for name in names if name not in value]:
            raise ValueError(f"run.json lacks {', '.join(missing)}")
        return cls(**{**value, "resumed_under": tuple(value["resumed_under"])})


@dataclass(frozen=True, slots=True)
class Run:
    """A run folder, read."""

    folder: Path
    manifest: Manifest
    episodes: tuple[EpisodeRecord, ...] = field(repr=False)

    @property
    def name(self) -> str:
        """How reports call it."""
        return f"{self.stage} / {self.strategy}"

    @property
    def stage(self) -> str:
        """The label, else the folder's name."""
        return self.manifest.label or self.folder.name

    @property
    def strategy(self) -> str:
        """How it was played: agent, or strategy with what is not as the suite has it."""
        config = self.manifest.config
        settings = [f"{key}={value}" for key, value in config["options"].items()]
        if config["strategy"] and config["budget_tokens"] != config["suite"]["budget_tokens"]:
            settings.append(f"budget={config['budget_tokens']}")
        if config["seed"]:
            settings.append(f"seed={config['seed']}")
        name = str(config["strategy"] or config["agent"])
        return f"{name} ({', '.join(settings)})" if settings else name

    @property
    def division(self) -> str:
        """`oracle` if any episode is."""
        return "oracle" if any(e.division == "oracle" for e in self.episodes) else "open"


def load_run(folder: str | Path, complete: bool = True) -> Run:
    """Read a run folder.

    Args:
        complete: refuse a run that is not done.

    Raises:
        FileNotFoundError: not a run folder.
        ValueError: not done, or damaged; says where.
    """
    folder = Path(folder)
    if not (folder / RUN).is_file():
        raise FileNotFoundError(f"{folder} is not a run folder: it has no {RUN}")
    manifest = Manifest.from_json(json.loads((folder / RUN).read_text(encoding="utf-8")))
    episodes, _ = read_episodes(folder / EPISODES)
    if complete and (manifest.status != "done" or len(episodes) != manifest.episodes):
        raise ValueError(
            f"{folder} has {len(episodes)} of {manifest.episodes} episodes (status "
            f"{manifest.status}); the same `reason-bench run` command goes on with it"
        )
    return Run(folder, manifest, episodes)


def read_episodes(path: Path) -> tuple[tuple[EpisodeRecord, ...], int]:
    """Finished lines of `episodes.jsonl`, and how many bytes they take.

    A last line without its newline was torn by a kill and does not count.

    Raises:
        ValueError: a finished line that is not an episode, or not the next one.
    """
    data = path.read_bytes() if path.exists() else b""
    whole = data[: data.rfind(b"\n") + 1]
    episodes = []
    for number, line in enumerate(whole.split(b"\n")[:-1]):
        try:
            record = EpisodeRecord.from_json(json.loads(line, parse_constant=_no_constant))
        except ValueError as error:
            raise ValueError(f"{path}, line {number + 1}: {error}") from error
        if record.index != number:
            raise ValueError(f"{path}, line {number + 1}: index {record.index}, expected {number}")
        episodes.append(record)
    return tuple(episodes), len(whole)


def write_manifest(folder: Path, manifest: Manifest) -> None:
    """Replace `run.json` in one go: a kill leaves the old one or the new one."""
    text = json.dumps(manifest.to_json(), indent=2, allow_nan=False) + "\n"
    scratch = folder / f".{RUN}.tmp"
    with scratch.open("w", encoding="utf-8") as file:
        file.write(text)
        file.flush()
        os.fsync(file.fileno())
    scratch.replace(folder / RUN)


def total(ledgers: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sum of ledgers."""
    spent = dict.fromkeys(LEDGER, 0)
    for ledger in ledgers:
        for key in LEDGER:
            spent[key] += ledger[key]
    return spent


def _no_constant(name: str) -> float:
    raise ValueError(f"{name} is not a number")


def _count(value: Any) -> bool:
    return isinstance(value, int) and not isinstance(value, bool) and value >= 0
