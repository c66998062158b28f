"""Sokoban's maps: text to positions and back, pushes, and the search of all positions."""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass

from reason_env.problem import Json

LONGEST_SIDE = 8
"""Rows or columns of a map, at most."""
WAYS = ((-1, 0), (0, -1), (0, 1), (1, 0))
"""Rows and columns that a push goes down and right."""


@dataclass(frozen=True, slots=True)
class Board:
    """What never changes. Sets of cells are the bits of an int: `row * stride + column`, with a
    column more than the map has, so that no row runs into the next.

    Attributes:
        width: columns of the map.
        height: rows of the map.
        floor: all cells but walls.
        goals: the cells that boxes belong on.
    """

    width: int
    height: int
    floor: int
    goals: int

    @property
    def stride(self) -> int:
        return self.width + 1


@dataclass(frozen=True, slots=True)
class Position:
    """A board with boxes, and the cells that the player can walk to."""

    board: Board
    boxes: int
    region: int


def read_map(data: Json) -> Position:
    """The position that a map shows. Cells that nobody can ever get to count as wall.

    Raises:
        ValueError: names what is wrong with it.
    """
    if not isinstance(data, str):
        raise ValueError(f"Expected a map as text, received {data!r}")
    rows = data.split("/")
    height, width = len(rows), len(rows[0])
    if not (1 <= height <= LONGEST_SIDE and 1 <= width <= LONGEST_SIDE):
        raise ValueError(
            f"Expected 1 to {LONGEST_SIDE} rows and columns, received {height} and {width}"
        )
    if any(len(row) != width for row in rows) or not set("".join(rows)) <= set("#-@$.*+"):
        raise ValueError(f"Expected equal rows of #-@$.*+ joined by /, received {data!r}")
    cells: dict[str, int] = {}
    for i, sign in enumerate("".join(row + "#" for row in rows)):
        cells[sign] = cells.get(sign, 0) | 1 << i

    def marked(signs: str) -> int:
        return sum(cells.get(sign, 0) for sign in signs)

    player, boxes, goals = marked("@+"), marked("$*"), marked(".*+")
    if player.bit_count() != 1:
        raise ValueError(f"Expected one player, received {player.bit_count()} in {data}")
    if not boxes.bit_count() == goals.bit_count() > 0:
        raise ValueError(f"Expected as many boxes as goals, and some, in {data}")
    floor = flood(marked("-@$.*+"), player, width + 1)
    if (boxes | goals) & ~floor:
        raise ValueError(f"Expected no box or goal behind walls, received {data}")
    return position_of(Board(width, height, floor, goals), boxes, player)


def position_of(board: Board, boxes: int, player: int) -> Position:
    """The position with the player on a cell."""
    return Position(board, boxes, flood(board.floor & ~boxes, player, board.stride))


def map_text(position: Position) -> str:
    """The map, with the player on the first cell that it can walk to."""
    board, player = position.board, position.region & -position.region
    signs = []
    for i in range(board.height * board.stride - 1):
        cell = 1 << i
        if i % board.stride == board.width:
            signs.append("/")
        elif not cell & board.floor:
            signs.append("#")
        else:
            here = "$*" if cell & position.boxes else "@+" if cell == player else "-."
            signs.append(here[1 if cell & board.goals else 0])
    return "".join(signs)


def row_and_column(board: Board, cell: int) -> tuple[int, int]:
    """Of one cell, counted from 1."""
    row, column = divmod(cell.bit_length() - 1, board.stride)
    return row + 1, column + 1


def bits(cells: int) -> Iterator[int]:
    """Each cell of a set by itself."""
    while cells:
        lowest = cells & -cells
        yield lowest
        cells ^= lowest


def shifted(cells: int, by: int) -> int:
    """The cells `by` further on, or back where it is negative."""
    return cells << by if by > 0 else cells >> -by


def flood(free: int, region: int, stride: int) -> int:
    """All that can be walked to through free cells."""
    while True:
        near = region << 1 | region >> 1 | region << stride | region >> stride
        grown = region | near & free
        if grown == region:
            return region
        region = grown


def pushes(position: Position) -> dict[str, Position]:
    """The legal pushes and the position after each."""
    board, boxes = position.board, position.boxes
    found = {}
    for rows, columns in WAYS:
        by = rows * board.stride + columns
        free_before = shifted(board.floor & ~boxes, -by)
        for box in bits(boxes & shifted(position.region, by) & free_before):
            row, column = row_and_column(board, box)
            push = f"{row},{column} -> {row + rows},{column + columns}"
            found[push] = position_of(board, boxes ^ box ^ shifted(box, by), box)
    return found


def search(board: Board, most: int) -> dict[tuple[int, int], int] | None:
    """Pushes on a shortest way, from all positions from which there is one, found by pulling the
    boxes from the goals; None: there are more than so many positions.

    A position is the boxes and the first cell that the player can walk to.
    """
    floor, stride = board.floor, board.stride
    # Of each way, by how much to shift left and right, since none may be negative.
    ways = [rows * stride + columns for rows, columns in WAYS]
    shifts = [(max(by, 0), max(-by, 0)) for by in ways]
    visited: dict[int, int] = {}  # where the player has been, by where the boxes are
    distances: dict[tuple[int, int], int] = {}
    distance = 0
    found = [(board.goals, player) for player in bits(floor & ~board.goals)]
    while found:
        before = []
        for boxes, player in found:
            been = visited.get(boxes, 0)
            if been & player:
                continue
            free = floor & ~boxes
            region = flood(free, player, stride)
            visited[boxes] = been | region
            distances[boxes, region & -region] = distance
            for left, right in shifts:
                # The player stands where a box was pushed from, with room to step back.
                stands = region & (boxes >> left << right) & (free << left >> right)
                for stand in bits(stands):
                    pulled = boxes ^ (stand << left >> right) ^ stand
                    before.append((pulled, stand >> left << right))
        if len(distances) > most:
            return None
        found = before
        distance += 1
    return distances
