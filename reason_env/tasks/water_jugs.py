"""WaterJugs: fill, empty and pour until the jugs hold what is asked for.

An episode (level 1):

    tap: 7/8 2/10 -> 4
    empty A = 0 2
    pour B A = 2 0
    fill B = 2 10
    pour B A = 8 4

A holds 7 of at most 8, B 2 of at most 10, and any jug shall hold 4. A goal task with a public
verifier. A claim is a move and what all jugs hold after it, so that the agent keeps the books. A
move is legal if it moves water; with no tap, water can only be poured. The goal is an amount in
any one jug, or the contents of all. Dead ends are real: what a jug held at the start may be gone
for good. The potential is from a search of all that can be reached.
"""

from __future__ import annotations

import json
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from functools import lru_cache
from string import ascii_uppercase
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Task, potential_at

Contents = tuple[int, ...]

_LARGEST = 20


@dataclass(frozen=True, slots=True)
class _Level:
    """What problems of a level are like.

    Attributes:
        largest: the largest capacity there may be.
        whole_goal: whether the goal is the contents of all jugs, or one amount.
        moves: the fewest and the most on a shortest way.
    """

    jugs: int
    tap: bool
    largest: int
    whole_goal: bool
    moves: tuple[int, int]


_LEVELS = {
    1: _Level(2, True, 15, False, (2, 4)),
    2: _Level(3, False, 12, True, (3, 5)),
    3: _Level(3, True, 12, True, (5, 7)),
    4: _Level(4, False, 12, True, (6, 8)),
    5: _Level(4, False, _LARGEST, True, (9, 12)),
}
_VERBS = {"fill": 1, "empty": 1, "pour": 2}
"""How many jugs each move names."""


@dataclass(frozen=True, slots=True)
class _Puzzle:
    """A checked statement; `goal` is an amount in any jug, or what all jugs shall hold."""

    tap: bool
    capacities: Contents
    start: Contents
    goal: int | Contents

    def is_goal(self, contents: Contents) -> bool:
        return self.goal in contents if isinstance(self.goal, int) else self.goal == contents


class WaterJugs(Task):
    """See the module's text. `Problem.data` is (whether there is a tap, capacities, contents,
    goal); `State.data` the contents."""

    name: ClassVar[str] = "WaterJugs"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        wanted = _LEVELS[level]
        while True:
            capacities = _draw(rng, 2, [wanted.largest] * wanted.jugs)
            if len(set(capacities)) < wanted.jugs:
                continue
            start = _draw(rng, 0, capacities)
            goals = _goals(wanted, _Puzzle(wanted.tap, capacities, start, start))
            if goals:
                goal = goals[int(rng.integers(len(goals)))]
                return Problem(self.name, level, (wanted.tap, capacities, start, goal))

    def initial(self, problem: Problem) -> State:
        puzzle = _read(problem.data)
        distance = _distance(puzzle, puzzle.start)
        if distance == 0:
            raise ValueError(f"the goal {puzzle.goal} is reached before the first move")
        if distance is None:
            raise ValueError(f"the goal {puzzle.goal} is out of reach from {puzzle.start}")
        return State(puzzle.start)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when a move reaches the goal"
            return Verdict(Kind.ANSWER, False, state, reason)
        parsed = _parse(line)
        if parsed is None:
            return Verdict(Kind.THOUGHT, True, state)
        words, claimed = parsed
        puzzle, contents = _puzzle(problem.data), _amounts(state.data)
        after = _after(puzzle, contents, words)
        if isinstance(after, str):
            return Verdict(Kind.CLAIM, False, state, after)
        if claimed != [str(amount) for amount in after]:
            reason = f"after {' '.join(words)} the jugs do not hold {' '.join(claimed)[:40]}"
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(after))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return _puzzle(problem.data).is_goal(_amounts(state.data))

    def potential(self, problem: Problem, state: State) -> float:
        return potential_at(_distance(_puzzle(problem.data), _amounts(state.data)))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        moves = _moves(_puzzle(problem.data), _amounts(state.data))
        return [f"{move} = {_text(after)}" for move, after in moves]

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        puzzle, contents = _puzzle(problem.data), _amounts(state.data)
        distance = _distance(puzzle, contents)
        if not distance:
            return None
        best = [
            f"{move} = {_text(after)}"
            for move, after in _moves(puzzle, contents)
            if _distance(puzzle, after) == distance - 1
        ]
        return best[int(rng.integers(len(best)))]

    def prompt(self, problem: Problem, style: str) -> str:
        puzzle = _puzzle(problem.data)
        if style == "compact":
            return self.show(problem, State(puzzle.start))
        names = ascii_uppercase[: len(puzzle.capacities)]
        jugs = "; ".join(
            f"{name} holds {amount} of at most {capacity}"
            for name, amount, capacity in zip(names, puzzle.start, puzzle.capacities)
        )
        order = ", ".join(names)
        if isinstance(puzzle.goal, int):
            goal = f"any one jug holds exactly {puzzle.goal}"
        else:
            goal = f"the jugs {order} hold exactly {', '.join(map(str, puzzle.goal))}"
        pouring = (
            "pour from one jug into another until the first is empty or the second full. "
            "A move must move some water."
        )
        if puzzle.tap:
            moves = f"fill a jug to the brim at the tap, empty it on the ground, or {pouring}"
            forms = "fill A, empty A, or pour A B (from A into B)"
        else:
            moves = f"there is no tap and nothing may be spilt: you can only {pouring}"
            forms = "pour A B (from A into B)"
        example = " ".join(str(n) for n in range(3, 3 + len(names)))
        return (
            f"Litres of water in {len(names)} jugs: {jugs}.\nMove water until {goal}.\n"
            f"Moves: {moves}\nWrite one move a line, as {forms}, then what the jugs {order} hold "
            f"after it, exactly in the form: pour A B = {example}"
        )

    def show(self, problem: Problem, state: State) -> str:
        puzzle, contents = _puzzle(problem.data), _amounts(state.data)
        jugs = " ".join(f"{a}/{c}" for a, c in zip(contents, puzzle.capacities))
        goal = _text((puzzle.goal,) if isinstance(puzzle.goal, int) else puzzle.goal)
        return f"{'tap' if puzzle.tap else 'no tap'}: {jugs} -> {goal}"

    def canonical(self, problem: Problem) -> str:
        """Ignores the order of the jugs."""
        puzzle = _puzzle(problem.data)
        if isinstance(puzzle.goal, int):
            one = sorted(zip(puzzle.capacities, puzzle.start))
            return json.dumps([puzzle.tap, one, puzzle.goal])
        return json.dumps([puzzle.tap, sorted(zip(puzzle.capacities, puzzle.start, puzzle.goal))])

    def budget(self, level: int) -> Budget:
        _, most = _LEVELS[level].moves
        steps = 2 * most + 4
        return Budget(steps, 16 * steps)

    def chance(self, level: int) -> float:
        """What the best fixed text that a search finds solves of level 1: it fills one jug again
        and again and pours it into the other. With the contents left out of claims it would be
        0.3: most puzzles of two jugs are solved by going in a circle. This is why the environment
        never completes them (`Task.complete`)."""
        return 0.015


def _text(contents: Contents) -> str:
    return " ".join(map(str, contents))


def _draw(rng: np.random.Generator, low: int, highs: Sequence[int]) -> Contents:
    return tuple(int(rng.integers(low, high + 1)) for high in highs)


def _read(data: Json) -> _Puzzle:
    """The statement, checked.

    Raises:
        ValueError: names what is wrong with it.
    """
    if not isinstance(data, tuple) or len(data) != 4:
        raise ValueError(f"Expected (tap, capacities, contents, goal), received {data!r}")
    tap, _, _, asked = data
    if not isinstance(tap, bool):
        raise ValueError(f"Expected true or false for the tap, received {tap!r}")
    capacities, start = _amounts(data[1]), _amounts(data[2])
    goal = asked if type(asked) is int else _amounts(asked)
    if not 2 <= len(capacities) <= (3 if tap else 4):
        raise ValueError(
            f"Expected 2 or 3 jugs with a tap, 2 to 4 without, received {len(capacities)}"
        )
    if not all(1 <= capacity <= _LARGEST for capacity in capacities):
        raise ValueError(f"Expected capacities from 1 to {_LARGEST}, received {capacities}")
    for amounts in (start, start if isinstance(goal, int) else goal):
        if len(amounts) != len(capacities) or any(
            not 0 <= amount <= capacity for amount, capacity in zip(amounts, capacities)
        ):
            raise ValueError(f"Expected amounts within {capacities}, received {amounts}")
    return _Puzzle(tap, capacities, start, goal)


@lru_cache(maxsize=4096)
def _puzzle(data: Json) -> _Puzzle:
    return _read(data)


def _amounts(row: Json) -> Contents:
    if isinstance(row, tuple):
        amounts = tuple(amount for amount in row if type(amount) is int)
        if len(amounts) == len(row):
            return amounts
    raise ValueError(f"Expected whole numbers of litres, received {row!r}")


def _parse(line: str) -> tuple[list[str], list[str]] | None:
    """The words of a move, and the contents stated after it; None: not of that form."""
    move, _, stated = line.partition("=")
    words, claimed = move.split(), stated.split()
    jugs = words[1:]
    if not words or len(jugs) != _VERBS.get(words[0]) or not claimed:
        return None
    if not all(len(jug) == 1 and jug in ascii_uppercase for jug in jugs):
        return None
    if not all(word.isascii() and word.isdecimal() for word in claimed):
        return None
    return words, claimed


def _after(puzzle: _Puzzle, contents: Contents, words: list[str]) -> Contents | str:
    """The contents after a move, or why it is not legal."""
    verb, *names = words
    for name in names:
        if name not in ascii_uppercase[: len(contents)]:
            return f"there is no jug {name}"
    if verb != "pour" and not puzzle.tap:
        return "there is no tap, and nothing may be spilt"
    move = " ".join(words)
    return dict(_moves(puzzle, contents)).get(move, f"{move} moves no water")


def _moves(puzzle: _Puzzle, contents: Contents) -> Iterator[tuple[str, Contents]]:
    """The legal moves and the contents after each."""
    names, capacities = ascii_uppercase, puzzle.capacities
    for i, held in enumerate(contents):
        if puzzle.tap and held < capacities[i]:
            yield f"fill {names[i]}", (*contents[:i], capacities[i], *contents[i + 1 :])
        if not held:
            continue
        if puzzle.tap:
            yield f"empty {names[i]}", (*contents[:i], 0, *contents[i + 1 :])
        for j, there in enumerate(contents):
            poured = min(held, capacities[j] - there)
            if poured and i != j:
                after = list(contents)
                after[i] -= poured
                after[j] += poured
                yield f"pour {names[i]} {names[j]}", tuple(after)


def _distance(puzzle: _Puzzle, contents: Contents) -> int | None:
    """Moves on a shortest way to the goal; None: it is out of reach."""
    explored = _explored(puzzle, puzzle.start)
    if contents not in explored:
        explored = _explored(puzzle, contents)
    return explored[contents]


@lru_cache(maxsize=256)
def _explored(puzzle: _Puzzle, start: Contents) -> dict[Contents, int | None]:
    """The distance of the goal from all contents that can be reached from `start`."""
    before: dict[Contents, list[Contents]] = {start: []}
    reached = [start]
    for contents in reached:
        for _, after in _moves(puzzle, contents):
            if after not in before:
                before[after] = []
                reached.append(after)
            before[after].append(contents)
    distances: dict[Contents, int | None] = dict.fromkeys(reached)
    layer, distance = [contents for contents in reached if puzzle.is_goal(contents)], 0
    while layer:
        for contents in layer:
            distances[contents] = distance
        distance += 1
        layer = list({b for contents in layer for b in before[contents] if distances[b] is None})
    return distances


def _goals(level: _Level, puzzle: _Puzzle) -> list[int] | list[Contents]:
    """All goals of a level's kind that are as many moves away as it wants."""
    fewest, most = level.moves
    moves = {puzzle.start: 0}
    reached = [puzzle.start]
    for contents in reached:
        if moves[contents] == most:
            break
        for _, after in _moves(puzzle, contents):
            if after not in moves:
                moves[after] = moves[contents] + 1
                reached.append(after)
    if level.whole_goal:
        return [contents for contents in reached if moves[contents] >= fewest]
    first: dict[int, int] = {}  # moves until some jug holds the amount
    for contents in reached:
        for amount in contents:
            first.setdefault(amount, moves[contents])
    return [amount for amount, away in first.items() if away >= fewest and amount > 0]
