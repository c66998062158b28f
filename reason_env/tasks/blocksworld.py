"""Blocksworld: rearrange towers of blocks, one block at a time.

An episode (level 1):

    BD CE FA -> A BD CFE
    E on table
    A on table
    F on C
    E on F

Each tower is written from the table up, so that D lies on B. A goal task with a public verifier.
A claim moves a block that nothing lies on onto another such block or onto the table. Nothing is
ever out of reach. The potential is that of an optimal plan, which is hard to find in general
(Gupta and Nau, 1992): every block that is not in its place moves once, but for those that must
make way first and move twice, and of these there are as few as can be (Slaney and Thiebaux, 2001).
"""

from __future__ import annotations

import json
import re
from collections.abc import Sequence
from functools import lru_cache
from string import ascii_uppercase
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Task, potential_at

Towers = tuple[str, ...]
"""Each from the table up; in the order of their lowest blocks."""

_MOST_BLOCKS = 14
_TABLE = "table"
# (blocks, (fewest, most) moves) of each level
_LEVELS = {
    1: (6, (3, 5)),
    2: (7, (6, 8)),
    3: (9, (9, 11)),
    4: (11, (13, 15)),
    5: (14, (18, 23)),
}
_CLAIM = re.compile(rf"([A-Z])\s+on\s+([A-Z]|{_TABLE})")


class Blocksworld(Task):
    """See the module's text. `Problem.data` is (start, goal), each as towers, and `State.data`
    the towers."""

    name: ClassVar[str] = "Blocksworld"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        blocks, (fewest, most) = _LEVELS[level]
        while True:
            start, goal = _draw(rng, blocks), _draw(rng, blocks)
            if fewest <= _distance(start, goal) <= most:
                return Problem(self.name, level, (start, goal))

    def initial(self, problem: Problem) -> State:
        start, goal = _read(problem.data)
        if start == goal:
            raise ValueError(f"the goal {' '.join(goal)} is reached before the first move")
        return State(start)

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when a move reaches the goal"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        towers = _towers(state.data)
        block, support = match.groups()
        after = _moves(towers).get(f"{block} on {support}")
        if after is None:
            return Verdict(Kind.CLAIM, False, state, _refusal(towers, block, support))
        return Verdict(Kind.CLAIM, True, State(after))

    def is_solved(self, problem: Problem, state: State) -> bool:
        return state.data == _statement(problem.data)[1]

    def potential(self, problem: Problem, state: State) -> float:
        _, goal = _statement(problem.data)
        return potential_at(_distance(_towers(state.data), goal))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return list(_moves(_towers(state.data)))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        _, goal = _statement(problem.data)
        towers = _towers(state.data)
        nearer = _distance(towers, goal) - 1
        best = [move for move, after in _moves(towers).items() if _distance(after, goal) == nearer]
        return best[int(rng.integers(len(best)))] if best else None

    def prompt(self, problem: Problem, style: str) -> str:
        start, goal = _statement(problem.data)
        if style == "compact":
            return self.show(problem, State(start))
        return (
            f"Towers of blocks on a table, each from the bottom up: {', '.join(start)}.\n"
            f"Rearrange them into exactly: {', '.join(goal)} (in any order of the towers).\n"
            "Move one block at a time: a block that nothing lies on, onto another block that "
            "nothing lies on, or onto the table.\n"
            "Write one move a line, exactly in the form: A on B\nor, to the table: A on table"
        )

    def show(self, problem: Problem, state: State) -> str:
        _, goal = _statement(problem.data)
        return f"{' '.join(_towers(state.data))} -> {' '.join(goal)}"

    def canonical(self, problem: Problem) -> str:
        """Ignores the names of the blocks and the order of the towers."""
        return json.dumps(_canonical(*_statement(problem.data)))

    def budget(self, level: int) -> Budget:
        _, (_, most) = _LEVELS[level]
        steps = 2 * most + 4
        return Budget(steps, 12 * steps)


def _read(data: Json) -> tuple[Towers, Towers]:
    """The statement, checked.

    Raises:
        ValueError: names what is wrong with it.
    """
    if not isinstance(data, tuple) or len(data) != 2:
        raise ValueError(f"Expected (start, goal), received {data!r}")
    for towers in data:
        if not isinstance(towers, tuple) or not all(t and isinstance(t, str) for t in towers):
            raise ValueError(f"Expected towers, received {towers!r}")
    start, goal = (_towers(towers) for towers in data)
    blocks = sorted("".join(start))
    if sorted("".join(goal)) != blocks:
        raise ValueError(f"Expected the same blocks at the start and the goal, received {data!r}")
    if not set(blocks) <= set(ascii_uppercase) or len(set(blocks)) < len(blocks):
        raise ValueError(f"Expected distinct capital letters for blocks, received {blocks}")
    if not 1 <= len(blocks) <= _MOST_BLOCKS:
        raise ValueError(f"Expected 1 to {_MOST_BLOCKS} blocks, received {len(blocks)}")
    return start, goal


@lru_cache(maxsize=4096)
def _statement(data: Json) -> tuple[Towers, Towers]:
    return _read(data)


def _towers(data: Json) -> Towers:
    assert isinstance(data, tuple)
    return tuple(sorted(str(tower) for tower in data))


def _draw(rng: np.random.Generator, blocks: int) -> Towers:
    """Blocks in random order, cut into towers at random."""
    towers = [""]
    for i in rng.permutation(blocks):
        if towers[-1] and rng.integers(4) == 0:
            towers.append("")
        towers[-1] += ascii_uppercase[i]
    return tuple(sorted(towers))


def _moves(towers: Towers) -> dict[str, Towers]:
    """The legal moves and the towers after each."""
    moves = {}
    for tower in towers:
        left, block = tower[:-1], tower[-1]
        rest = [other for other in towers if other != tower] + ([left] if left else [])
        if left:
            moves[f"{block} on {_TABLE}"] = tuple(sorted([*rest, block]))
        for other in towers:
            if other != tower:
                others = [t for t in rest if t != other]
                moves[f"{block} on {other[-1]}"] = tuple(sorted([*others, other + block]))
    return moves


def _refusal(towers: Towers, block: str, support: str) -> str:
    """Why a move is not legal."""
    for name in (block, support):
        if name != _TABLE and name not in "".join(towers):
            return f"there is no block {name}"
    for name in (block, support):
        if name != _TABLE and name not in (tower[-1] for tower in towers):
            return f"something lies on {name}"
    if block == support:
        return f"{block} cannot lie on itself"
    return f"{block} is on the table already"


@lru_cache(maxsize=65536)
def _distance(towers: Towers, goal: Towers) -> int:
    """Moves of an optimal plan.

    A block is in its place if all from the table up to it is as in the goal; every other block
    must move. Of two blocks a and b, a must leave before b arrives if some block is a itself or
    below it now, and is b itself or below it in the goal: that block must be cleared, or come to
    rest, in between. Blocks that move once must therefore be without a cycle of such demands, and
    that is enough: those that move twice wait on the table. What is left is to find the fewest
    blocks whose removal breaks all cycles.
    """
    index = {block: i for i, block in enumerate("".join(goal))}
    now, then = _stacks(towers, index), _stacks(goal, index)
    places = {tower[:height] for tower in goal for height in range(1, len(tower) + 1)}
    moving = [
        index[block]
        for tower in towers
        for height, block in enumerate(tower, start=1)
        if tower[:height] not in places
    ]
    demands = {}
    twice = 0
    for a in moving:
        if now[a] & then[a] & ~(1 << a):
            twice += 1
        else:
            demands[a] = sum(1 << b for b in moving if b != a and now[a] & then[b])
    core = _core(demands, sum(1 << a for a in demands))
    cuts = 0
    while not _is_cut(demands, core, cuts):
        cuts += 1
    return len(moving) + twice + cuts


def _stacks(towers: Towers, index: dict[str, int]) -> list[int]:
    """For each block, the set (as bits) of itself and all blocks below it."""
    stacks = [0] * len(index)
    for tower in towers:
        below = 0
        for block in tower:
            below |= 1 << index[block]
            stacks[index[block]] = below
    return stacks


def _core(demands: dict[int, int], nodes: int) -> int:
    """The nodes (as bits) that are left when such as no cycle can pass are taken away."""
    while True:
        demanded, kept = 0, 0
        for a, b in demands.items():
            if nodes >> a & 1 and b & nodes:
                kept |= 1 << a
                demanded |= b
        if kept & demanded == nodes:
            return nodes
        nodes &= kept & demanded


def _is_cut(demands: dict[int, int], core: int, cuts: int) -> bool:
    """Whether taking away at most so many nodes can leave no cycle."""
    if not core:
        return True
    if not cuts:
        return False
    way: list[int] = []
    node = core.bit_length() - 1
    while node not in way:
        way.append(node)
        node = (demands[node] & core).bit_length() - 1
    # One node of every cycle must go: try those of this one.
    cycle = way[way.index(node) :]
    return any(_is_cut(demands, _core(demands, core & ~(1 << a)), cuts - 1) for a in cycle)


def _canonical(start: Towers, goal: Towers) -> list[list[tuple[int, int]]]:
    """A form that is equal for problems that are equal up to the names of the blocks.

    Blocks that lie on each other, at the start or in the goal, hang together. Walking such a
    component from one of its blocks by fixed rules numbers them all, and the least text among
    those of all first blocks stands for the component.
    """
    below = [_below(towers) for towers in (start, goal)]
    above = [{b: a for a, b in one.items() if b} for one in below]
    forms = {block: _walk(block, below, above) for block in below[0]}
    components = {frozenset(order): min(forms[b][1] for b in order) for order, _ in forms.values()}
    return sorted(components.values())


def _walk(
    first: str, below: list[dict[str, str]], above: list[dict[str, str]]
) -> tuple[list[str], list[tuple[int, int]]]:
    """The blocks that hang together with the first, as they are met, and for each what it lies on
    at the start and in the goal: a block's number in that order, -1 for the table."""
    order = [first]
    for block in order:
        near = [link.get(block, "") for link in (*below, *above)]
        order += [b for b in dict.fromkeys(near) if b and b not in order]
    number = {block: i for i, block in enumerate(order)} | {"": -1}
    return order, [(number[below[0][b]], number[below[1][b]]) for b in order]


def _below(towers: Towers) -> dict[str, str]:
    """What each block lies on; nothing for the table."""
    return {block: under for tower in towers for under, block in zip(["", *tower], tower)}
