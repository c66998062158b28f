"""check_task finds what is wrong with a family, and says where."""

from collections.abc import Iterator, Sequence
from dataclasses import replace
from itertools import permutations
from typing import Any

import numpy as np
import pytest

from reason_env import Problem, State, Task, Verdict
from reason_env.checks import ConformanceError, check_task, corrupt_last_number
from reason_env.problem import Kind
from reason_env.tasks.arithmetic import Arithmetic
from reason_env.tasks.countdown import Countdown


class Forgetful(Countdown):
    """Draws from its own generator, so that equal seeds differ."""

    own = np.random.default_rng(0)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return super().generate(self.own, level)


class WrongLevel(Countdown):
    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        return replace(super().generate(rng, level), level=level + 1)


class Generous(Countdown):
    """Its potential is not exact."""

    def potential(self, problem: Problem, state: State) -> float:
        return max(0.5, super().potential(problem, state))


class Above(Countdown):
    def potential(self, problem: Problem, state: State) -> float:
        return 10 * super().potential(problem, state)


class Stubborn(Countdown):
    """Its expert never varies."""

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        return super().expert_step(problem, state, np.random.default_rng(0))


class Aimless(Countdown):
    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        steps = self.legal_steps(problem, state)
        return steps[int(rng.integers(len(steps)))] if steps else None


class Narrow(Countdown):
    """Its legal steps do not suffice."""

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return [step for step in super().legal_steps(problem, state) if "+" in step]


class Repeating(Countdown):
    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return [*super().legal_steps(problem, state)] * 2


class Misspelt(Countdown):
    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return [f"{step}!" for step in super().legal_steps(problem, state)]


class Trusting(Arithmetic):
    """Takes any answer for right."""

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        verdict = super().step(problem, state, line)
        return replace(verdict, valid=True) if verdict.kind is Kind.ANSWER else verdict

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.answer is not None


class Fragile(Countdown):
    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        int(line.partition(" = ")[2] or 0) if " = " in line and "/" not in line else None
        return super().step(problem, state, line)


class Silent(Countdown):
    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        return replace(super().step(problem, state, line), reason="")


class Leaky(Countdown):
    """A wrong claim changes the state."""

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        verdict = super().step(problem, state, line)
        return verdict if verdict.valid else replace(verdict, state=State(("1",)))


class Decorated(Countdown):
    def prompt(self, problem: Problem, style: str) -> str:
        return super().prompt(problem, style) + " \u2192"


class Wordy(Countdown):
    def prompt(self, problem: Problem, style: str) -> str:
        return super().prompt(problem, style) + " please" * 300


class Fickle(Countdown):
    def canonical(self, problem: Problem) -> str:
        return f"{problem.level} {super().canonical(problem)}"


class Cutting(Countdown):
    def abbreviate(self, line: str) -> str:
        return line[:2]


class Named(Countdown):
    name = "count_down"


class Contrary(Countdown):
    asks_answer = True


@pytest.mark.parametrize(
    ("task", "message"),
    [
        (Forgetful(), "level 1 seed 0: equal seeds give unequal problems"),
        (WrongLevel(), "says it is of Countdown level 2"),
        (Generous(), "times the best that a legal step leads to"),
        (Above(), r"must be in \[0, 1\)"),
        (Stubborn(), "expert always plays"),
        (Aimless(), "is not a best step"),
        (Narrow(), "is no legal step|times the best"),
        (Repeating(), "must be distinct"),
        (Misspelt(), "is not valid: thought"),
        (Trusting(), "and so does the corrupted"),
        (Fragile(), "step raised ValueError"),
        (Silent(), "needs a reason"),
        (Leaky(), "only valid claims and answers change the state"),
        (Decorated(), "outside the charset"),
        (Wordy(), "characters and .* tokens"),
        (Fickle(), "canonical.. tells"),
        (Cutting(), "complete.. makes"),
        (Named(), "must be CamelCase"),
        (Contrary(), "asks_answer is True"),
    ],
    ids=lambda value: type(value).__name__ if isinstance(value, Task) else "",
)
def test_breaches_are_found(task: Task, message: str) -> None:
    with pytest.raises(ConformanceError, match=message) as caught:
        check_task(task)
    assert str(caught.value).startswith(f"{task.name} level ")


def orders(problem: Problem) -> Iterator[Problem]:
    data: Any = problem.data
    for numbers in permutations(data[0]):
        yield replace(problem, data=(numbers, data[1]))


def swapped(problem: Problem) -> Iterator[Problem]:
    data: Any = problem.data
    yield replace(problem, data=(data[0], data[1] + 1))


def test_variants() -> None:
    check_task(Countdown(), levels=[1], variants=orders)
    with pytest.raises(ConformanceError, match="canonical"):
        check_task(Countdown(), levels=[1], variants=swapped)


@pytest.mark.parametrize(
    ("line", "corrupted"),
    [("3 + 4 = 7", "3 + 4 = 8"), ("answer: 8/3", "answer: 8/4"), ("x = -1", "x = -2"), ("up", "")],
)
def test_corrupt_last_number(line: str, corrupted: str) -> None:
    assert corrupt_last_number(line) == corrupted


def test_hanging_is_a_breach(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("reason_env.checks.conformance.SLOW", 0.0)
    with pytest.raises(ConformanceError, match=r"step took [\d.]+ s on"):
        check_task(Countdown(), levels=[1])
