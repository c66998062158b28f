"""Suites: which problems a score is about, as data.

A suite is a JSON file in `benchmarks/suites/` (or anywhere: a path works in place of a name):

    {"name": "smoke", "version": 1, "seed": 0, "budget_tokens": 256,
     "description": "seconds long",
     "entries": [{"env": "reason_env/Countdown-v0",
                  "kwargs": {"level": 1, "split": "test"}, "episodes": 8}]}

`resolve` turns it into distinct problems with their seeds, and a hash of all of them: two runs
with equal suite hashes were asked exactly the same. Published suites are frozen; a change becomes
a new name or version.
"""

from __future__ import annotations

import hashlib
import json
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from reason_env import Problem, ReasonEnv
from reason_env.env import make_env
from reason_env.errors import choose
from reason_env.splits import stream_seed

SUITES = Path(__file__).parent / "suites"
_MAX_REPEATS = 1000
"""So many draws in a row without a new problem mean that an entry asks for too many (of a listed
pool of problems, 50 times its size)."""


@dataclass(frozen=True, slots=True)
class Entry:
    """So many episodes of one environment.

    Attributes:
        env: id at step granularity, as for `gymnasium.make`.
        kwargs: its keyword arguments (level, split, ...); JSON.
        episodes: how many distinct problems.
        seed: of its problems; None: the suite's.
    """

    env: str
    kwargs: Mapping[str, Any]
    episodes: int
    seed: int | None = None


@dataclass(frozen=True, slots=True)
class Suite:
    """A suite as its file has it.

    Attributes:
        budget_tokens: generated tokens per problem unless a run says otherwise; None: no limit.
        line_tokens: likewise of one line; None: as the search has it (64).
    """

    name: str
    version: int
    seed: int
    entries: tuple[Entry, ...]
    budget_tokens: int | None = None
    description: str = ""
    line_tokens: int | None = None

    def to_json(self) -> dict[str, Any]:
        value = json.loads(json.dumps(asdict(self)))  # tuples become lists
        if self.line_tokens is None:
            del value["line_tokens"]  # suites of before it keep their hash
        for entry in value["entries"]:
            if entry["seed"] is None:
                del entry["seed"]
        return value

    @classmethod
    def from_json(cls, value: Any) -> Suite:
        """Read a suite.

        Raises:
            ValueError: names the field that is missing, unknown or of the wrong type.
        """
        value = _fields(
            value,
            "suite",
            {"name": str, "version": int, "seed": int, "entries": list},
            {"budget_tokens": (int, type(None)), "description": str, "line_tokens": int},
        )
        entries = []
        for number, raw in enumerate(value["entries"]):
            what = f"suite entry {number}"
            raw = _fields(raw, what, {"env": str, "episodes": int}, {"kwargs": dict, "seed": int})
            if raw["episodes"] < 1:
                raise ValueError(f"{what}: episodes must be 1 or more, received {raw['episodes']}")
            entries.append(
                Entry(raw["env"], raw.get("kwargs", {}), raw["episodes"], raw.get("seed"))
            )
        if not entries:
            raise ValueError("suite: entries must not be empty")
        for what, seed in [("suite", value["seed"])] + [
            (f"suite entry {number}", entry.seed) for number, entry in enumerate(entries)
        ]:
            if seed is not None and seed < 0:
                raise ValueError(f"{what}: seed must be 0 or more, received {seed}")
        for name in ("budget_tokens", "line_tokens"):
            number = value.get(name)
            if number is not None and number < 1:
                raise ValueError(f"suite: {name} must be 1 or more, received {number}")
        return cls(**{**value, "entries": tuple(entries)})


@dataclass(frozen=True, slots=True)
class Item:
    """One episode to be played: `make_env(env, kwargs).reset(seed=seed)` asks `problem`.

    Attributes:
        index: place in the suite, from 0.
        problem: sha256 of the problem's content (see `problem_hash`).
        asked: the problem itself, which the seed would draw again.
    """

    index: int
    env: str
    kwargs: Mapping[str, Any]
    seed: int
    problem: str
    asked: Problem = field(repr=False, compare=False)

    def identity(self) -> dict[str, Any]:
        """All of it but the problem itself."""
        return {name: getattr(self, name) for name in ("index", "env", "kwargs", "seed", "problem")}

    def start(self, env: ReasonEnv | None = None, prompt: str | None = None) -> ReasonEnv:
        """An environment at the beginning of the episode: as `reset(seed=self.seed)` leaves it,
        without drawing the problem again.

        Args:
            env: of these settings, to be used again; None: a new one.
            prompt: how the problem is put, `compact` or `verbose`; None: as the suite has it.
        """
        if env is None:
            env = make_env(self.env, {**self.kwargs, **({"prompt": prompt} if prompt else {})})
        env.reset(seed=self.seed, options={"problem": self.asked})
        return env


@dataclass(frozen=True, slots=True)
class Resolved:
    """A suite's problems.

    Attributes:
        limit: at most so many episodes of each entry (None: all). A limited suite has a hash of
            its own, so its scores are never taken for those of the whole suite.
        hash: sha256 over configuration, settings of the environments and problems, first
            observations included.
    """

    suite: Suite
    limit: int | None
    items: tuple[Item, ...] = field(repr=False)
    hash: str


def suite_names() -> list[str]:
    """Names of the suites that come with the package."""
    return sorted(path.stem for path in SUITES.glob("*.json"))


def load_suite(name: str | Path) -> Suite:
    """A suite by name, or from the path of a JSON file.

    Raises:
        ValueError: no such suite, naming the nearest, or a file that is not a suite.
        FileNotFoundError: no such file.
    """
    if isinstance(name, str) and not name.endswith(".json"):
        path = SUITES / f"{choose(name, suite_names(), 'suite')}.json"
    else:
        path = Path(name)
    if not path.is_file():
        raise FileNotFoundError(f"No suite file at {path}; suites by name: {suite_names()}")
    try:
        return Suite.from_json(json.loads(path.read_text(encoding="utf-8")))
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from error


def resolve(suite: Suite, limit: int | None = None) -> Resolved:
    """Draw the suite's problems: distinct by canonical content, always the same.

    Raises:
        ValueError: a bad environment, a bad limit, or more episodes than there are problems.
    """
    if limit is not None and limit < 1:
        raise ValueError(f"limit must be 1 or more, received {limit}")
    items: list[Item] = []
    seen: set[str] = set()
    config = {**suite.to_json(), "limit": limit, "description": None}
    digest = hashlib.sha256(_dumps(config).encode())
    for entry in suite.entries:
        env = make_env(entry.env, entry.kwargs)
        digest.update(_dumps(_settings(env)).encode())
        start = suite.seed if entry.seed is None else entry.seed
        key = (suite.name, suite.version, start, entry.env, _dumps(entry.kwargs))
        wanted = entry.episodes if limit is None else min(limit, entry.episodes)
        draws, repeats = 0, 0
        # The last of a list's problems is drawn with a probability of 1 in as many as there are.
        pool = env.task.pool(env.level, env.split)
        patience = max(_MAX_REPEATS, 50 * len(pool or ()))
        if pool is not None and wanted > len(pool):
            raise ValueError(
                f"{entry.env} {dict(entry.kwargs)} has {len(pool)} problems, received "
                f"{entry.episodes} episodes"
            )
        while wanted:
            seed = stream_seed(*key, draws)
            draws += 1
            env.reset(seed=seed)
            problem = env.episode.problem
            content = f"{env.task.name}:{env.task.canonical(problem)}"
            if content in seen:
                repeats += 1
                if repeats == patience:
                    raise ValueError(
                        f"{entry.env} {dict(entry.kwargs)}: {patience} draws in a row gave no "
                        f"new problem with {wanted} of {entry.episodes} episodes missing; "
                        "ask for fewer"
                    )
                continue
            seen.add(content)
            repeats = 0
            wanted -= 1
            item = Item(len(items), entry.env, entry.kwargs, seed, problem_hash(problem), problem)
            items.append(item)
            digest.update(_dumps([item.identity(), env.episode.text]).encode())
    return Resolved(suite, limit, tuple(items), digest.hexdigest())


def problem_hash(problem: Problem) -> str:
    """sha256 of a problem's exact content (family, level, statement, solution)."""
    return hashlib.sha256(_dumps(problem.to_json()).encode()).hexdigest()


def _settings(env: ReasonEnv) -> dict[str, Any]:
    """What decides a score besides the problem, defaults included."""
    return {
        "version": env.task.version,
        "reward": asdict(env.reward),
        "on_invalid": env.on_invalid,
        "feedback": env.feedback,
        "max_steps": env.max_steps,
        "max_tokens": env.max_tokens,
    }


def _dumps(value: Any) -> str:
    """JSON text that depends only on the value."""
    value = dict(value) if isinstance(value, Mapping) else value
    return json.dumps(value, sort_keys=True, separators=(",", ":"), allow_nan=False)


def _fields(
    value: Any, what: str, needed: Mapping[str, Any], optional: Mapping[str, Any]
) -> dict[str, Any]:
    """`value` if it is an object of just these fields and types."""
    if not isinstance(value, dict):
        raise ValueError(f"{what}: expected an object, received {type(value).__name__}")
    types = {**needed, **optional}
    for name in needed:
        if name not in value:
            raise ValueError(f"{what}: the field {name!r} is missing")
    for name, given in value.items():
        choose(name, types, f"field of {what}")
        if isinstance(given, bool) or not isinstance(given, types[name]):
            raise ValueError(f"{what}: field {name!r} cannot be {given!r}")
    return value
