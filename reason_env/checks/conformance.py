"""check_task: the conformance test that the author of any family can call.

It knows a family only through the `Task` contract, and plays a few problems of every level by the
expert and at random.
"""

from __future__ import annotations

import json
import math
import re
import time
from collections.abc import Callable, Iterable, Sequence
from dataclasses import dataclass, replace

import numpy as np

from reason_env import lines
from reason_env.env import FEEDBACK_CHARS, MARK
from reason_env.problem import Kind, Problem, State, Verdict
from reason_env.splits import bucket
from reason_env.task import DISCOUNT, Task
from reason_env.tokenizer import CHARSET, TOKENIZER

MAX_LINES = 1000
SLOW = 1.0
"""Seconds after which a verdict counts as a hang; the contract asks for milliseconds."""

HOSTILE_LINES: tuple[str, ...] = (
    "",
    " ",
    "=",
    "answer:",
    "answer: ",
    "answer: nan",
    "answer: 1/0",
    "answer: 1e3",
    "answer: 3 + 4",
    "answer: " + "9" * 10_000,
    "answer: -" + "1/" * 5_000,
    "9**9**9",
    "9**9**9 = 1",
    "9**9**9 = x",
    "1 / 0 = 0",
    "1 / 0 = x",
    "x / 0 = 1",
    "x / x = 1",
    "x*x = 4",
    "0 = 0",
    "--1 - --1 = 0",
    "3 + 4 = 7 = 7",
    "3 + 4 =",
    "\u0663 + \u0664 = \u0667",  # Arabic digits
    "\uff13 + \uff14 = \uff17",  # full-width digits
    "x\u00b2 = 4",
    "\u00bd + \u00bd = 1",
    "\u202e7 = 4 + 3",
    "\x00\x1b[31m",
    "__import__('os')",
    "<script>alert(1)</script>",
    "9" * 10_000,
    "9" * 5_000 + " + 1 = " + "9" * 4_990,
    "9" * 250 + " * " + "9" * 250 + " = 1",
    "(" * 10_000,
    ")" * 10_000,
    "(" * 4_990 + "x" + ")" * 4_990 + " = 1",
    "-" * 9_990 + "1 = 1",
    "1 + " * 2_500 + "1 = 1",
    "x + " * 400 + "1 = 1",
    "2*(" * 400 + "x" + ")" * 400 + " = 1",
    "9*" * 900 + "x = 1",
    "1" + " " * 9_990 + "= 1",
    "= " * 5_000,
    "\u00e9" * 10_000,
)
"""Lines that have broken verifiers; a task must give each a verdict at once."""


class ConformanceError(AssertionError):
    """A family breaks the contract; the message names the family, the level and the seed."""


def corrupt_last_number(line: str) -> str:
    """Add 1 to the last number of a line; a line without one is lost altogether."""
    numbers = list(re.finditer("[0-9]+", line))
    if not numbers:
        return ""
    last = numbers[-1]
    return f"{line[: last.start()]}{int(last[0]) + 1}{line[last.end() :]}"


def check_task(
    task: Task,
    levels: Iterable[int] | None = None,
    seeds: Iterable[int] = range(5),
    variants: Callable[[Problem], Iterable[Problem]] | None = None,
    corrupt: Callable[[str], str] = corrupt_last_number,
) -> None:
    """Check a family against the `Task` contract.

    - Problems and states survive JSON; equal seeds give equal problems; no call changes another.
    - Prompts and shown states are in the charset and within the limits of the environments.
    - Legal steps are valid, distinct, and survive `abbreviate` and `complete`.
    - The potential is exact: 1 where solved, else 0.9 times the best that a legal step leads to.
    - The expert takes a best step each time, solves every problem, and varies.
    - A solution with its last line corrupted is not one.
    - Any line gets a verdict at once; an invalid claim has a reason and changes nothing.
    - The canonical form ignores the level and is the same for all `variants`.

    Args:
        task: the family.
        levels: all of the task's levels by default.
        seeds: one problem a level for each.
        variants: problems that differ from the given one only in what does not matter.
        corrupt: makes a line wrong.

    Raises:
        ConformanceError: the first breach; it names family, level and seed.
    """
    _check_attributes(task)
    wanted = list(seeds)
    for level in task.levels if levels is None else levels:
        for seed in wanted:
            check = _Check(task, level, seed)
            problem = _check_problem(check, variants)
            _check_texts(check, problem)
            path = _check_expert(check, problem)
            _check_random_walk(check, problem)
            _check_corrupted(check, problem, path, corrupt)
            if seed == wanted[0]:
                _check_hostile(check, problem)


@dataclass(frozen=True)
class _Check:
    """Where we are, for the messages."""

    task: Task
    level: int
    seed: int

    def require(self, condition: bool, complaint: str) -> None:
        if not condition:
            raise ConformanceError(
                f"{self.task.name} level {self.level} seed {self.seed}: {complaint}"
            )

    def rng(self, *purpose: int) -> np.random.Generator:
        return np.random.default_rng([self.level, self.seed, *purpose])


def _check_attributes(task: Task) -> None:
    check = _Check(task, 0, 0)
    check.require(
        re.fullmatch("([A-Z][a-z0-9]*)+", task.name) is not None,
        f"the name must be CamelCase, received {task.name!r}",
    )
    check.require(
        isinstance(task.version, int) and task.version >= 0,
        f"the version must be a whole number of 0 or more, received {task.version!r}",
    )
    check.require(
        len(task.levels) > 0 and task.levels[0] == 1, f"levels start at 1, received {task.levels}"
    )
    for attribute in ("public_verifier", "asks_answer"):
        value = getattr(task, attribute)
        check.require(isinstance(value, bool), f"{attribute} must be a bool, received {value!r}")


def _check_problem(
    check: _Check, variants: Callable[[Problem], Iterable[Problem]] | None
) -> Problem:
    task = check.task
    problem = task.generate(check.rng(), check.level)
    check.require(
        problem == task.generate(check.rng(), check.level), "equal seeds give unequal problems"
    )
    check.require(
        (problem.task, problem.level) == (task.name, check.level),
        f"the problem says it is of {problem.task} level {problem.level}",
    )
    copied = Problem.from_json(json.loads(json.dumps(problem.to_json())))
    check.require(copied == problem, f"JSON changes {problem} to {copied}")
    check.require(
        task.initial(problem) == task.initial(copied), "initial() of equal problems is unequal"
    )
    canonical = task.canonical(problem)
    for other in [
        replace(problem, level=task.levels[-1]),
        *(variants(problem) if variants else []),
    ]:
        check.require(
            task.canonical(other) == canonical and bucket(task, other) == bucket(task, problem),
            f"canonical() tells {problem.data} from {other.data} of level {other.level}: "
            f"{canonical!r} is not {task.canonical(other)!r}",
        )
    return problem


def _check_texts(check: _Check, problem: Problem) -> None:
    task = check.task
    most = 4 * task.room.verbose
    for style, room in (("compact", task.room.compact), ("verbose", task.room.verbose)):
        prompt = task.prompt(problem, style)
        _require_charset(check, f"{style} prompt", prompt)
        tokens = len(TOKENIZER.encode(prompt)) + 1
        check.require(
            len(prompt) < most and tokens <= room,
            f"the {style} prompt has {len(prompt)} characters and {tokens} tokens; "
            f"at most {most - 1} and {room} fit (Task.room)",
        )
        check.require(
            bool(prompt) and not prompt.endswith("\n"),
            f"the {style} prompt must not be empty or end in a newline: {prompt!r}",
        )
    compact = task.prompt(problem, "compact")
    check.require("\n" not in compact, f"the compact prompt must be one line: {compact!r}")


def _require_charset(check: _Check, what: str, text: str) -> None:
    outside = sorted(set(text) - CHARSET)
    check.require(not outside, f"{what} has characters outside the charset: {outside}")


def _judge(check: _Check, problem: Problem, state: State, line: str) -> Verdict:
    """A verdict, held to what is true of every verdict."""
    task = check.task
    times = [time.perf_counter()]
    try:
        verdict = task.step(problem, state, line)
    except Exception as error:
        raise ConformanceError(
            f"{task.name} level {check.level} seed {check.seed}: step raised {error!r} "
            f"on {line[:80]!r}"
        ) from error
    times.append(time.perf_counter())
    again = task.step(problem, state, line)
    times.append(time.perf_counter())
    # The quicker of the two: another program may have had the processor during one of them.
    seconds = min(times[1] - times[0], times[2] - times[1])
    check.require(seconds < SLOW, f"step took {seconds:.1f} s on {line[:80]!r}")
    check.require(verdict == again, f"step gives two verdicts on {line[:80]!r}")
    copied = State.from_json(json.loads(json.dumps(verdict.state.to_json())))
    check.require(copied == verdict.state, f"JSON changes {verdict.state} to {copied}")
    check.require(
        verdict.kind in (Kind.ANSWER, Kind.CLAIM, Kind.THOUGHT),
        f"control lines are the environment's; step called {line[:80]!r} a {verdict.kind}",
    )
    check.require(
        verdict.valid or (verdict.kind is not Kind.THOUGHT and bool(verdict.reason)),
        f"an invalid verdict needs a reason and is never on a thought: {line[:80]!r}",
    )
    check.require(
        verdict.state == state
        or verdict.kind is Kind.ANSWER
        or (verdict.kind is Kind.CLAIM and verdict.valid),
        f"only valid claims and answers change the state, not {line[:80]!r}",
    )
    return verdict


def _check_state(check: _Check, problem: Problem, state: State) -> tuple[float, dict[str, State]]:
    """Check the legal steps and the potential of an unsolved state.

    Returns:
        The potential, and the state after each legal step.
    """
    task = check.task
    potential = task.potential(problem, state)
    check.require(
        0 <= potential < 1 and potential == task.potential(problem, state),
        f"the potential of an unsolved state must be in [0, 1) and stay: {potential} at {state}",
    )
    shown = task.show(problem, state)
    _require_charset(check, "show()", shown)
    tokens = len(TOKENIZER.encode(f"{MARK}{shown}\n"))
    check.require(
        tokens <= task.room.feedback,
        f"show() has {tokens} tokens with its mark; {task.room.feedback} fit (Task.room): "
        f"{shown[:80]!r}",
    )
    check.require(
        "\n" not in shown and len(MARK) + len(shown) < FEEDBACK_CHARS - 1,
        f"show() must be one line of less than {FEEDBACK_CHARS - 1 - len(MARK)} characters: "
        f"{shown[:80]!r}",
    )
    steps = list(task.legal_steps(problem, state))
    check.require(
        steps == list(task.legal_steps(problem, state)) and len(set(steps)) == len(steps),
        f"legal steps must be distinct, and the same each time, at {state}",
    )
    after = {step: _check_legal(check, problem, state, step) for step in steps}
    values = [task.potential(problem, following) for following in after.values()]
    best = max(values, default=0.0)
    check.require(
        math.isclose(potential, DISCOUNT * best, abs_tol=1e-12),
        f"the potential at {state} is {potential}, but {DISCOUNT} times the best that a legal "
        f"step leads to is {DISCOUNT * best}",
    )
    return potential, after


def _check_legal(check: _Check, problem: Problem, state: State, step: str) -> State:
    """The state after a legal step."""
    task = check.task
    _require_charset(check, f"legal step {step[:80]!r}", step)
    check.require(
        "\n" not in step and step == step.strip() == lines.normalise(step),
        f"legal step {step!r} must be one normalised line",
    )
    verdict = _judge(check, problem, state, step)
    check.require(
        verdict.valid and verdict.kind in (Kind.CLAIM, Kind.ANSWER),
        f"legal step {step!r} at {state} is not valid: {verdict.reason or verdict.kind}",
    )
    if verdict.kind is Kind.CLAIM:
        written = task.complete(problem, state, task.abbreviate(step))
        check.require(
            written == step and task.complete(problem, state, step) == step,
            f"complete() makes {written!r} of {task.abbreviate(step)!r}, not {step!r}",
        )
    return verdict.state


def _check_expert(check: _Check, problem: Problem) -> list[str]:
    """The expert's solution."""
    task, state = check.task, check.task.initial(problem)
    rng = check.rng(1)
    path: list[str] = []
    before, after = _check_state(check, problem, state)
    check.require(before > 0, f"the problem {problem.data} has potential 0: it cannot be solved")
    _check_variety(check, problem, state, after)
    while not task.is_solved(problem, state):
        check.require(len(path) < MAX_LINES, f"no expert solution within {MAX_LINES} lines")
        before, after = _check_state(check, problem, state)
        line = task.expert_step(problem, state, rng)
        check.require(line in after, f"the expert's {line!r} is no legal step at {state}")
        assert line is not None
        path.append(line)
        state = after[line]
        value = task.potential(problem, state)
        check.require(
            math.isclose(value * DISCOUNT, before),
            f"the expert's {line!r} is not a best step: potential {before} becomes {value}",
        )
    check.require(
        task.potential(problem, state) == 1.0, f"the potential is not 1 where solved: {state}"
    )
    check.require(
        path[-1].startswith("answer:") == task.asks_answer,
        f"asks_answer is {task.asks_answer}, yet the expert ends with {path[-1]!r}",
    )
    return path


def _check_variety(check: _Check, problem: Problem, state: State, after: dict[str, State]) -> None:
    """The expert varies where there is a choice, and only by the generator it is given."""
    task = check.task
    values = {step: task.potential(problem, following) for step, following in after.items()}
    best = [step for step, value in values.items() if value == max(values.values())]
    drawn = [task.expert_step(problem, state, check.rng(2, i)) for i in range(40)]
    check.require(
        len(best) == 1 or len(set(drawn)) > 1,
        f"the expert always plays {drawn[0]!r}, with {len(best)} equally good steps at {state}",
    )
    again = [task.expert_step(problem, state, check.rng(2, i)) for i in range(40)]
    check.require(drawn == again, "equal seeds give unequal expert steps")


def _check_random_walk(check: _Check, problem: Problem) -> None:
    """The potential is exact off the expert's way, too."""
    task, state = check.task, check.task.initial(problem)
    rng = check.rng(3)
    for _ in range(6):
        _, after = _check_state(check, problem, state)
        if not after:
            break
        state = list(after.values())[int(rng.integers(len(after)))]
        if state.answer is not None or task.is_solved(problem, state):
            break


def _check_corrupted(
    check: _Check, problem: Problem, path: Sequence[str], corrupt: Callable[[str], str]
) -> None:
    task, state = check.task, check.task.initial(problem)
    for line in path[:-1]:
        _judge(check, problem, state, corrupt(line))
        state = task.step(problem, state, line).state
    wrong = corrupt(path[-1])
    verdict = _judge(check, problem, state, wrong)
    check.require(
        not task.is_solved(problem, verdict.state),
        f"{path[-1]!r} solves the problem, and so does the corrupted {wrong!r}",
    )
    if verdict.kind is Kind.ANSWER:
        check.require(
            not verdict.valid and task.potential(problem, verdict.state) == 0.0,
            f"the wrong answer {wrong!r} must be invalid, with potential 0",
        )


def _check_hostile(check: _Check, problem: Problem) -> None:
    task, state = check.task, check.task.initial(problem)
    for raw in HOSTILE_LINES:
        line = lines.normalise(raw)
        _judge(check, problem, state, line)
        try:
            written = task.complete(problem, state, line.strip())
        except Exception as error:
            raise ConformanceError(
                f"{task.name} level {check.level} seed {check.seed}: complete raised {error!r} "
                f"on {raw[:80]!r}"
            ) from error
        _judge(check, problem, state, written)
