"""What a task is made of: problems, states and verdicts. All frozen, all JSON-able."""

from __future__ import annotations

from dataclasses import dataclass
from enum import StrEnum
from typing import Any, TypeAlias, Union

Json: TypeAlias = Union[bool, int, float, str, tuple["Json", ...], None]
"""Immutable JSON: tuples stand for lists; objects are not needed."""


def freeze(value: Any) -> Json:
    """Turn what `json.loads` gives back into immutable JSON."""
    if isinstance(value, list | tuple):
        return tuple(freeze(item) for item in value)
    if value is None or isinstance(value, bool | int | float | str):
        return value
    raise ValueError(f"Expected JSON without objects, received {type(value).__name__}")


@dataclass(frozen=True, slots=True)
class Problem:
    """One problem of a family.

    Attributes:
        task: the family's name, as in `Task.name`.
        level: difficulty, one of `Task.levels`.
        data: the statement, in the family's own form.
        solution: the gold answer where the statement does not decide it (data sets); never shown.

    Raises:
        ValueError: data or solution is not JSON without objects. (Lists become tuples.)
    """

    task: str
    level: int
    data: Json
    solution: Json = None

    def __post_init__(self) -> None:
        # Lists come from files and from hands; tuples can be hashed and cannot change.
        object.__setattr__(self, "data", freeze(self.data))
        object.__setattr__(self, "solution", freeze(self.solution))

    def to_json(self) -> dict[str, Any]:
        return {
            "task": self.task,
            "level": self.level,
            "data": self.data,
            "solution": self.solution,
        }

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> Problem:
        return cls(
            str(value["task"]),
            int(value["level"]),
            value["data"],
            value["solution"],
        )


@dataclass(frozen=True, slots=True)
class State:
    """The verified work so far.

    Attributes:
        data: what the valid claims have led to, in the family's own form.
        answer: the value that an `answer:` line gave, if there was one.
    """

    data: Json
    answer: str | None = None

    def to_json(self) -> dict[str, Any]:
        return {"data": self.data, "answer": self.answer}

    @classmethod
    def from_json(cls, value: dict[str, Any]) -> State:
        return cls(freeze(value["data"]), value["answer"])


class Kind(StrEnum):
    """What a line is (see `reason_env.lines.kind_of`)."""

    ANSWER = "answer"
    UNDO = "undo"
    CHECK = "check"
    CLAIM = "claim"
    THOUGHT = "thought"


@dataclass(frozen=True, slots=True)
class Verdict:
    """What the verifier says of one line.

    Attributes:
        kind: what the line is.
        valid: whether it is right; a thought always is.
        state: the state after the line (unchanged where a claim is not valid; an answer is
            kept in it, right or wrong).
        reason: why it is not valid; never states the right value.
    """

    kind: Kind
    valid: bool
    state: State
    reason: str = ""
