r"""What a run writes down: `run.json` is a `Manifest`, each line of `episodes.jsonl` an
`EpisodeRecord`. `schema` gives both as JSON Schema (`reason-bench schema`, `benchmarks/schemas`).

A record has nothing in it that two equal runs would write differently (no times, no paths), so
that a killed run resumes to the same bytes. `solved`, `terms` and `reward` are what
`benchmarks.replay.replay` gives for the recorded lines; nobody who reads them need believe that,
since the lines are there to be replayed again.
"""

from __future__ import annotations

import json
from collections.abc import Iterable, Mapping
from dataclasses import asdict, field, fields
from typing import Annotated, Any, Literal, TypeVar

from pydantic import (
    AfterValidator,
    BeforeValidator,
    ConfigDict,
    Field,
    PlainValidator,
    Strict,
    TypeAdapter,
    ValidationError,
    WithJsonSchema,
)
from pydantic.dataclasses import dataclass
from typing_extensions import TypedDict

from reason_env.errors import choose

FORMAT = 1
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
_CONFIG = ConfigDict(strict=True, extra="forbid", use_attribute_docstrings=True)


def _text(value: object) -> str:
    # Not pydantic's own check: models also write lone surrogates, which UTF-8 has no bytes for.
    if not isinstance(value, str):
        raise ValueError("expected a text")
    return value


def _decimal(value: object) -> object:
    if isinstance(value, int):
        raise ValueError("expected a number with a decimal point")
    return value


def _ledger(value: dict[str, int]) -> dict[str, int]:
    if set(value) != set(LEDGER):
        raise ValueError(f"expected counts of {', '.join(LEDGER)}")
    return value


Text = Annotated[str, PlainValidator(_text), WithJsonSchema({"type": "string"})]
Count = Annotated[int, Strict(), Field(ge=0)]
Number = Annotated[float, BeforeValidator(_decimal), Field(allow_inf_nan=False)]
Lines = Annotated[tuple[Text, ...], Strict(False)]
Tokens = Annotated[tuple[Annotated[tuple[Count, ...], Strict(False)], ...], Strict(False)]
LedgerCounts = Annotated[
    dict[str, Count],
    AfterValidator(_ledger),
    WithJsonSchema(
        {
            "type": "object",
            "properties": {key: {"type": "integer", "minimum": 0} for key in LEDGER},
            "required": list(LEDGER),
            "additionalProperties": False,
        }
    ),
]


@dataclass(frozen=True, slots=True, config=_CONFIG)
class EpisodeRecord:
    """One line of `episodes.jsonl`: one episode, in the suite's order."""

    index: Count
    """Place in the suite, from 0."""
    env: Text
    """Id of the environment, at step granularity."""
    kwargs: Mapping[str, Any]
    """Its keyword arguments."""
    seed: Count
    """`make_env(env, kwargs).reset(seed=seed)` asks the problem."""
    problem: Text
    """SHA-256 of the problem's content."""
    actions: Lines
    """Lines played from the start, as the agent wrote them, without newlines."""
    tokens: Tokens
    """Token ids of each line as the model wrote them, newline included."""
    terms: dict[str, Number]
    """Unweighted reward terms, summed over the episode."""
    reward: Number
    """Weighted reward, summed over the episode."""
    solved: bool
    """Whether it counts."""
    status: Literal["ok", "unfinished", "error"]
    """`ok`: played to the end; `unfinished`: the lines stop before the episode ends (counts as not
    solved); `error`: the strategy, the agent or the replay failed (counts as not solved; no lines
    are recorded)."""
    error: Text | None
    """What failed, else null."""
    ledger: LedgerCounts
    """What the search for this episode spent."""
    division: Literal["open", "oracle"]
    """`oracle` if something read the verifier."""

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
        return _read(cls, value, "episode")


class Config(TypedDict, total=False):
    """Everything that decides the episodes; a folder never mixes two of them."""

    __pydantic_config__ = ConfigDict(extra="allow", use_attribute_docstrings=True)  # type: ignore[misc]

    suite: dict[str, Any]
    """The suite as its file has it."""
    limit: int | None
    """At most so many episodes of each entry; null: all."""
    suite_hash: str
    """SHA-256 over the suite's settings and resolved problems."""
    model_digest: str | None
    """SHA-256 of the weights; null for an agent."""
    strategy: str | None
    """How the model searched; null for an agent."""
    options: dict[str, Any]
    """The strategy's settings as given, with the guide and the start of the reward model's SHA-256
    if they were."""
    agent: str | None
    """`random`, `expert` or `package.module:make`; null for a model."""
    budget_tokens: int | None
    """Generated tokens per problem; null: no limit."""
    seed: int
    """Of all sampling."""
    prompt: str
    """How problems were put to the model, if otherwise than the suite has it."""
    line_tokens: int
    """Most tokens of a line, if otherwise than the suite has it."""


@dataclass(frozen=True, slots=True, config=_CONFIG)
class Manifest:
    """`run.json`: what was run, on what, and what came of it."""

    config: Annotated[Mapping[str, Any], WithJsonSchema(TypeAdapter(Config).json_schema())]
    """Everything that decides the episodes (see `Config`)."""
    label: Text
    """The stage this run stands for in reports (`initialised`, `after PPO`); free text."""
    model: Text | None
    """Where the model was loaded from; null for an agent."""
    episodes: Count
    """How many episodes this run has to play: the denominator of its score."""
    environment: Mapping[str, Any]
    """`packages`, `code`, `commit`, `dirty`, `dirty_files`, `python`, `hardware` at the start."""
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """The strategy's options that were not given, as they stood then."""
    resumed_under: Annotated[tuple[Mapping[str, Any], ...], Strict(False)] = ()
    """Environments that differ from it, of sessions that went on with the run."""
    status: Literal["running", "done"] = "running"
    """`running` (or killed), or `done`."""
    seconds: float = 0.0
    """Wall time of the sessions that reached their end."""
    solved: Count = 0
    """Episodes solved."""
    unfinished: Count = 0
    """Episodes whose lines stop before they end."""
    errors: Count = 0
    """Episodes that failed."""
    ledger: LedgerCounts = field(default_factory=lambda: dict.fromkeys(LEDGER, 0))
    """Totals over the episodes."""
    usage: Mapping[str, Any] = field(default_factory=dict)
    """What a server says of its own requests, tokens and cost; empty for other models."""
    shard: Annotated[tuple[int, int], Strict(False)] | None = None
    """`[i, n]`: every n-th episode of the suite, from the i-th on (from 1); null: all of them."""
    format: Count = FORMAT
    """Of this file."""

    @property
    def indices(self) -> range:
        """Places in the suite of the episodes that this run has to play."""
        first, step = (0, 1) if self.shard is None else (self.shard[0] - 1, self.shard[1])
        return range(first, first + step * self.episodes, step)

    def to_json(self) -> dict[str, Any]:
        return asdict(self)

    @classmethod
    def from_json(cls, value: Any) -> Manifest:
        """Read a manifest.

        Raises:
            ValueError: a missing or unknown field, or a format that this version cannot read.
        """
        if isinstance(value, dict) and value.get("format") != FORMAT:
            raise ValueError(f"Run format {value.get('format')!r} is not {FORMAT}")
        return _read(cls, value, "run")


T = TypeVar("T", EpisodeRecord, Manifest)
SCHEMAS: dict[str, type[Any]] = {"episode": EpisodeRecord, "run": Manifest}
"""What `schema` can give."""


def schema(name: str) -> dict[str, Any]:
    """The JSON Schema (2020-12) of a line of `episodes.jsonl` (`episode`) or of `run.json` (`run`).

    Raises:
        ValueError: no such schema.
    """
    kind = SCHEMAS[choose(name, SCHEMAS, "schema")]
    dialect = "https://json-schema.org/draft/2020-12/schema"
    return {"$schema": dialect, **TypeAdapter(kind).json_schema()}


def total(ledgers: Iterable[Mapping[str, int]]) -> dict[str, int]:
    """Sum of ledgers."""
    spent = dict.fromkeys(LEDGER, 0)
    for ledger in ledgers:
        for key in LEDGER:
            spent[key] += ledger[key]
    return spent


def _read(kind: type[T], value: Any, what: str) -> T:
    """`value` as a record, with complaints in our own words."""
    if not isinstance(value, dict):
        raise ValueError(f"Expected an object ({what}), received {type(value).__name__}")
    names = [name.name for name in fields(kind)]
    for name in value:
        choose(name, names, f"field of the {what}")
    try:
        return kind(**value)
    except ValidationError as error:
        first = error.errors(include_url=False)[0]
        name = str(first["loc"][0])
        if first["type"] == "missing" or name not in value:
            raise ValueError(f"The {what}'s field {name!r} is missing") from None
        raise ValueError(
            f"The {what}'s field {name!r} cannot be {value[name]!r:.80}: {first['msg']}"
        ) from None
