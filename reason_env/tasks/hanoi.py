"""Hanoi: from any arrangement of the disks to any other, on three or four pegs.

An episode (level 1):

    4 pegs: DBBAA -> CDBCD
    4: A -> C
    1: D -> C
    5: A -> D
    2: B -> D

The letters are the pegs of disks 1, 2, 3, ..., smallest first. A goal task with a public verifier.
A claim moves a disk that no smaller disk lies on to a peg that no smaller disk is on. Nothing is
ever out of reach, since every move can be taken back. On three pegs the distance is known in
closed form, as the largest disk moves once or twice (Hinz and others, "The Tower of Hanoi", 2013);
on four the potential is from a search of all arrangements, breadth first from the goal.
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import cache, lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Task, potential_at

_PEGS = "ABCD"
_DIGITS = str.maketrans(_PEGS, "0123")
_MOST_DISKS = {3: 8, 4: 6}
"""For each number of pegs: a few thousand arrangements, which on four pegs a search passes."""

# (pegs, disks, (fewest, most) moves) of each level
_LEVELS = {
    1: (4, 5, (3, 6)),
    2: (4, 5, (7, 9)),
    3: (3, 6, (20, 39)),
    4: (3, 7, (40, 63)),
    5: (3, 8, (64, 127)),
}
_CLAIM = re.compile(r"([0-9]+)\s*:\s*([A-Z])\s*->\s*([A-Z])")


class Hanoi(Task):
    """See the module's text. `Problem.data` is (how many pegs, start, goal) and `State.data` an
    arrangement: the peg of each disk, smallest disk first, as one string."""

    name: ClassVar[str] = "Hanoi"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        pegs, disks, (fewest, most) = _LEVELS[level]
        while True:
            goal = _draw(rng, pegs, disks)
            # Some goals are too near to everything or too far, and each may cost a search.
            for start in (_draw(rng, pegs, disks) for _ in range(8)):
                # Else the largest disk would be there for nothing: it is in no other's way.
                if start[-1] != goal[-1] and fewest <= _distance(pegs, goal, start) <= most:
                    return Problem(self.name, level, (pegs, start, goal))

    def initial(self, problem: Problem) -> State:
        _, start, goal = _read(problem.data)
        if start == goal:
            raise ValueError(f"the goal {goal} is reached before the first move")
        return State(start)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when a move reaches the goal"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        pegs, _, _ = _statement(problem.data)
        disk, source, target = match.groups()
        after = _moves(pegs, str(state.data)).get(f"{disk}: {source} -> {target}")
        if after is None:
            reason = _refusal(pegs, str(state.data), disk, source, target)
            return Verdict(Kind.CLAIM, False, state, reason)
        return Verdict(Kind.CLAIM, True, State(after))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.data == _statement(problem.data)[2]

    def potential(self, problem: Problem, state: State) -> float:
        pegs, _, goal = _statement(problem.data)
        return potential_at(_distance(pegs, goal, str(state.data)))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        pegs, _, _ = _statement(problem.data)
        return list(_moves(pegs, str(state.data)))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        pegs, _, goal = _statement(problem.data)
        nearer = _distance(pegs, goal, str(state.data)) - 1
        moves = _moves(pegs, str(state.data))
        best = [move for move, after in moves.items() if _distance(pegs, goal, after) == nearer]
        return best[int(rng.integers(len(best)))] if best else None

    def prompt(self, problem: Problem, style: str) -> str:
        pegs, start, goal = _statement(problem.data)
        if style == "compact":
            return self.show(problem, State(start))
        disks = range(1, len(start) + 1)
        return (
            f"Towers of Hanoi with pegs {', '.join(_PEGS[:pegs])} and disks "
            f"{', '.join(map(str, disks))}, from smallest to largest.\n"
            f"Now: {_towers(pegs, start)}.\nGoal: {_towers(pegs, goal)}.\n"
            "Move one disk at a time: the smallest disk of a peg, onto a peg that holds no disk "
            "smaller than it.\n"
            "Write one move a line, exactly in the form (disk 2 from peg A to peg C): 2: A -> C"
        )

    def show(self, problem: Problem, state: State) -> str:
        pegs, _, goal = _statement(problem.data)
        return f"{pegs} pegs: {state.data} -> {goal}"

    def canonical(self, problem: Problem) -> str:
        """Ignores the names of the pegs, and largest disks that are in their places: they are in
        no other disk's way, and no shortest solution moves them."""
        pegs, start, goal = _statement(problem.data)
        disks = max((i + 1 for i in range(len(start)) if start[i] != goal[i]), default=0)
        text = start[:disks] + goal[:disks]
        return json.dumps([pegs, [list(dict.fromkeys(text)).index(peg) for peg in text]])

    def budget(self, level: int) -> Budget:
        _, _, (_, most) = _LEVELS[level]
        steps = 2 * most + 4
        return Budget(steps, 8 * steps)


def _read(data: Json) -> tuple[int, str, str]:
    """The statement, checked.

    Raises:
        ValueError: names what is wrong with it.
    """
    if not isinstance(data, tuple) or len(data) != 3:
        raise ValueError(f"Expected (pegs, start, goal), received {data!r}")
    pegs, start, goal = data
    if type(pegs) is not int or pegs not in _MOST_DISKS:
        raise ValueError(f"Expected 3 or 4 pegs, received {pegs!r}")
    for text in (start, goal):
        if not isinstance(text, str) or not 1 <= len(text) <= _MOST_DISKS[pegs]:
            raise ValueError(
                f"Expected the pegs of 1 to {_MOST_DISKS[pegs]} disks, received {text!r}"
            )
        if not set(text) <= set(_PEGS[:pegs]):
            raise ValueError(f"Expected pegs among {_PEGS[:pegs]}, received {text!r}")
    if len(str(start)) != len(str(goal)):
        raise ValueError(f"Expected as many disks at the start as at the goal, received {data!r}")
    return pegs, str(start), str(goal)


@lru_cache(maxsize=4096)
def _statement(data: Json) -> tuple[int, str, str]:
    return _read(data)


def _draw(rng: np.random.Generator, pegs: int, disks: int) -> str:
    return "".join(_PEGS[peg] for peg in rng.integers(pegs, size=disks))


def _towers(pegs: int, arrangement: str) -> str:
    """The disks of each peg, bottom first."""
    towers = []
    for peg in _PEGS[:pegs]:
        disks = [str(i + 1) for i, where in enumerate(arrangement) if where == peg]
        towers.append(f"{peg} holds {', '.join(reversed(disks)) or 'nothing'}")
    return "; ".join(towers) + " (bottom to top)"


def _moves(pegs: int, arrangement: str) -> dict[str, str]:
    """The legal moves and the arrangement after each."""
    tops = {peg: arrangement.find(peg) for peg in _PEGS[:pegs]}
    return {
        f"{disk + 1}: {source} -> {target}": arrangement[:disk] + target + arrangement[disk + 1 :]
        for source, disk in tops.items()
        for target, other in tops.items()
        if disk >= 0 and (other < 0 or disk < other)
    }


def _refusal(pegs: int, arrangement: str, disk: str, source: str, target: str) -> str:
    """Why a move is not legal."""
    if disk not in map(str, range(1, len(arrangement) + 1)):
        return f"there is no disk {disk[:40]}"
    for peg in (source, target):
        if peg not in _PEGS[:pegs]:
            return f"there is no peg {peg}"
    if arrangement[int(disk) - 1] != source:
        return f"disk {disk} is not on {source}"
    if source == target:
        return "a move ends on another peg"
    return f"a disk smaller than {disk} is on {source} or {target}"


def _distance(pegs: int, goal: str, arrangement: str) -> int:
    """Moves on a shortest way to the goal."""
    if pegs == 3:
        return _distance_on_three(goal, arrangement)
    return _distances(pegs, goal)[_index(pegs, arrangement)]


def _distance_on_three(goal: str, arrangement: str) -> int:
    """The largest disk that is not in its place goes there at once, or by way of the third peg;
    before each move all smaller disks are on one peg, out of its way."""
    disk = len(goal) - 1
    while disk >= 0 and goal[disk] == arrangement[disk]:
        disk -= 1
    if disk < 0:
        return 0
    smaller, then = arrangement[:disk], goal[:disk]
    source, target = arrangement[disk], goal[disk]
    third = _third(source, target)
    once = _to_one_peg(smaller, third) + 1 + _to_one_peg(then, third)
    # In between, all smaller disks go from the target to the source.
    twice = _to_one_peg(smaller, target) + 2**disk + 1 + _to_one_peg(then, source)
    return min(once, twice)


def _to_one_peg(arrangement: str, peg: str) -> int:
    """Moves that pile up all disks on a peg of three, or make the arrangement of such a pile."""
    moves = 0
    for disk in reversed(range(len(arrangement))):
        if arrangement[disk] != peg:
            # The smaller disks go to the third peg, and 2**disk - 1 moves follow the disk's own.
            moves += 2**disk
            peg = _third(arrangement[disk], peg)
    return moves


def _third(peg: str, other: str) -> str:
    return next(third for third in _PEGS if third not in (peg, other))


def _index(pegs: int, arrangement: str) -> int:
    """The place of an arrangement among all, with the largest disk's peg as the first digit."""
    return int(arrangement[::-1].translate(_DIGITS), pegs)


@lru_cache(maxsize=256)
def _distances(pegs: int, goal: str) -> Sequence[int]:
    """Moves on a shortest way to the goal, from every arrangement."""
    graph, _ = _graph(pegs, len(goal))
    distances = [-1] * len(graph)
    reached = [_index(pegs, goal)]
    distances[reached[0]] = 0
    for arrangement in reached:
        for before in graph[arrangement]:
            if distances[before] < 0:
                distances[before] = distances[arrangement] + 1
                reached.append(before)
    return distances


@cache
def _graph(pegs: int, disks: int) -> tuple[list[list[int]], list[frozenset[int]]]:
    """For every arrangement, those that one move leads to, and the pegs without a disk."""
    if disks == 0:
        return [[]], [frozenset(range(pegs))]
    smaller, all_free = _graph(pegs, disks - 1)
    size = len(smaller)
    graph, still_free = [], []
    for peg in range(pegs):
        for i in range(size):
            # The largest disk moves only between pegs without another.
            targets = all_free[i] - {peg} if peg in all_free[i] else ()
            graph.append(
                [after + peg * size for after in smaller[i]] + [i + to * size for to in targets]
            )
            still_free.append(all_free[i] - {peg})
    return graph, still_free
