"""Sokoban: push every box onto a goal, in small rooms.

An episode (level 1):

    -----#/-#-#--/---#--/#-.-#-/@$----/--#-#-
    5,2 -> 4,2
    4,2 -> 3,2
    3,2 -> 3,3
    3,3 -> 4,3

The rows of the map are joined by `/`, in the usual signs: # wall, - floor, @ player, $ box, . goal,
* box on a goal, + player on a goal; outside the map all is wall. A goal task with a public
verifier. A claim is one push, as the row and column of the box before and after it; where the
player walks in between is not written. It is legal if the player can get behind the box and the
cell before the box is free. Boxes cannot be pulled, so dead ends are many and have potential 0; it
is from a search of all positions that the goal can be reached from, backwards.
"""

from __future__ import annotations

import json
import re
from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import ClassVar

import numpy as np

from reason_env import lines
from reason_env.problem import Json, Kind, Problem, State, Verdict
from reason_env.task import Budget, Room, Task, potential_at
from reason_env.tasks.sokoban_map import (
    WAYS,
    Board,
    Position,
    bits,
    flood,
    map_text,
    position_of,
    pushes,
    read_map,
    row_and_column,
    search,
    shifted,
)

_MOST_POSITIONS = 5_000
"""How many positions of a map may be solvable: a search finds them in some 50 milliseconds."""
_MOST_DRAWN = 1_500
"""The same for maps that are drawn: some ten milliseconds."""

# (side, walls, boxes, (fewest, most) pushes) of each level
_LEVELS = {
    1: (6, 8, 1, (2, 4)),
    2: (6, 6, 2, (4, 7)),
    3: (7, 10, 2, (8, 11)),
    4: (7, 12, 3, (12, 16)),
    5: (8, 22, 3, (17, 24)),
}
_CLAIM = re.compile(r"([0-9]+)\s*,\s*([0-9]+)\s*->\s*([0-9]+)\s*,\s*([0-9]+)")


class Sokoban(Task):
    """See the module's text. `Problem.data` is a map as in the compact prompt, and so is
    `State.data`, with the player on the first cell that it can walk to."""

    name: ClassVar[str] = "Sokoban"
    levels: ClassVar[range] = range(1, 6)
    public_verifier: ClassVar[bool] = True
    asks_answer: ClassVar[bool] = False
    room: ClassVar[Room] = Room(feedback=80)

    def generate(self, rng: np.random.Generator, level: int) -> Problem:
        side, walls, boxes, (fewest, most) = _LEVELS[level]
        while True:
            floor = _draw_floor(rng, side, walls)
            cells = list(bits(floor))
            goals = sum(cells[i] for i in rng.permutation(len(cells))[:boxes])
            board = Board(side, side, floor, goals)
            distances = search(board, _MOST_DRAWN) or {}
            starts = [start for start, number in distances.items() if fewest <= number <= most]
            if starts:
                placed, player = starts[int(rng.integers(len(starts)))]
                return Problem(self.name, level, map_text(position_of(board, placed, player)))

    def initial(self, problem: Problem) -> State:
        position = read_map(problem.data)
        if _distances(position.board) is None:
            raise ValueError(
                f"Expected at most {_MOST_POSITIONS} positions, there are more in {problem.data}"
            )
        distance = _distance(position)
        if distance == 0:
            raise ValueError("all boxes are on goals before the first push")
        if distance is None:
            raise ValueError(f"the boxes cannot be pushed onto the goals in {problem.data}")
        return State(map_text(position))

    def step(self, problem: Problem, state: State, line: str) -> Verdict:
        if lines.kind_of(line) is Kind.ANSWER:
            reason = "no answer is asked for: the episode ends when all boxes are on goals"
            return Verdict(Kind.ANSWER, False, state, reason)
        match = _CLAIM.fullmatch(line.strip())
        if match is None:
            return Verdict(Kind.THOUGHT, True, state)
        position = _known(state.data)
        row, column, to_row, to_column = match.groups()
        box, target = f"{row},{column}", f"{to_row},{to_column}"
        after = pushes(position).get(f"{box} -> {target}")
        if after is None:
            return Verdict(Kind.CLAIM, False, state, _refusal(position, box, target))
        return Verdict(Kind.CLAIM, True, State(map_text(after)))

    def is_solved(self, problem: Problem, state: State) -> bool:
        position = _known(state.data)
        return position.boxes == position.board.goals

    def potential(self, problem: Problem, state: State) -> float:
        return potential_at(_distance(_known(state.data)))

    def legal_steps(self, problem: Problem, state: State) -> Sequence[str]:
        return list(pushes(_known(state.data)))

    def expert_step(self, problem: Problem, state: State, rng: np.random.Generator) -> str | None:
        position = _known(state.data)
        distance = _distance(position)
        if not distance:
            return None
        best = [
            push for push, after in pushes(position).items() if _distance(after) == distance - 1
        ]
        return best[int(rng.integers(len(best)))]

    def prompt(self, problem: Problem, style: str) -> str:
        text = map_text(_known(problem.data))
        if style == "compact":
            return text
        rows = text.split("/")
        return (
            "Sokoban: push every box onto a goal.\n"
            "# wall, - floor, @ player, $ box, . goal, * box on a goal, + player on a goal. "
            "Outside the map all is wall.\n"
            + "\n".join(rows)
            + f"\nRows are counted from 1 at the top to {len(rows)}, columns from 1 at the left to "
            f"{len(rows[0])}. The player walks up, down, left and right through free cells, and "
            "pushes a box that it walks against by one cell, if the cell behind the box is free "
            "(no wall, no other box). Boxes cannot be pulled.\n"
            "Write one push a line, as the row and column of the box before and after it; the "
            "player walks to the box by itself if there is a way. The form is exactly (box in row "
            "2, column 3, pushed to the right): 2,3 -> 2,4"
        )

    def show(self, problem: Problem, state: State) -> str:
        return str(state.data)

    def canonical(self, problem: Problem) -> str:
        """Ignores turns and reflections of the map, walls around it, and where the player stands
        of all the cells that it can walk to."""
        position = _known(problem.data)
        board = position.board
        cells = []
        for cell in bits(board.floor):
            marks = (board.goals, position.boxes, position.region)
            sign = sum(2**i for i, marked in enumerate(marks) if cell & marked)
            cells.append((*row_and_column(board, cell), sign))
        forms = []
        for down, right in ((1, 1), (1, -1), (-1, 1), (-1, -1)):
            turned = [(down * row, right * column, sign) for row, column, sign in cells]
            forms += [_cropped(turned), _cropped([(c, r, sign) for r, c, sign in turned])]
        return json.dumps(min(forms))

    def budget(self, level: int) -> Budget:
        *_, (_, most) = _LEVELS[level]
        steps = 2 * most + 4
        return Budget(steps, 10 * steps)

    def chance(self, level: int) -> float:
        """What the best fixed text found solves of level 1, and a little more: it pushes a box
        along a side of the room."""
        return 0.015


@lru_cache(maxsize=16384)
def _known(data: Json) -> Position:
    return read_map(data)


def _refusal(position: Position, box: str, target: str) -> str:
    """Why a push is not legal."""
    board = position.board
    for cell in bits(position.boxes):
        row, column = row_and_column(board, cell)
        if box != f"{row},{column}":
            continue
        for rows, columns in WAYS:
            if target == f"{row + rows},{column + columns}":
                after = shifted(cell, rows * board.stride + columns)
                if not after & board.floor & ~position.boxes:
                    return f"{target} is not free"
                return f"the player cannot get behind the box at {box}"
        return "a push moves a box to a cell next to it"
    return f"there is no box at {box[:40]}"


def _cropped(cells: list[tuple[int, int, int]]) -> list[tuple[int, int, int]]:
    """In order, with the first row and column 0."""
    first_row = min(row for row, _, _ in cells)
    first_column = min(column for _, column, _ in cells)
    return sorted((row - first_row, column - first_column, sign) for row, column, sign in cells)


def _draw_floor(rng: np.random.Generator, side: int, walls: int) -> int:
    """The largest connected part of a square room with walls at random."""
    left = sum(
        1 << int(cell) // side * (side + 1) + int(cell) % side
        for cell in rng.permutation(side * side)[walls:]
    )
    parts = []
    while left:
        parts.append(flood(left, left & -left, side + 1))
        left &= ~parts[-1]
    return max(parts, key=int.bit_count)


def _distance(position: Position) -> int | None:
    """Pushes on a shortest way; None: the goals are out of reach."""
    distances = _distances(position.board)
    assert distances is not None, "initial() refuses such maps"
    return distances.get((position.boxes, position.region & -position.region))


@lru_cache(maxsize=128)
def _distances(board: Board) -> Mapping[tuple[int, int], int] | None:
    return search(board, _MOST_POSITIONS)
