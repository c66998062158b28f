"""Accuracy at budget as a picture: where everything lies, for the template to draw.

Tokens run along a logarithmic axis, accuracy up a linear one from 0 to 100 %. Each entry is a point
with its interval as a vertical line, and a thin line on to the budget that it declared. Names stand
beside the points where there is room; where there is none, the rank alone does.
"""

from __future__ import annotations

import math
from collections.abc import Iterator, Sequence
from dataclasses import dataclass, replace

from benchmarks.metrics import Estimate

WIDTH, HEIGHT = 720, 380
LEFT, RIGHT, TOP, BOTTOM = 86, 704, 48, 306
"""The frame, in the units of the picture."""
MOST_TICKS = 7
_FACTORS = ((1, 1.2, 1.5, 2, 2.5, 3, 4, 5, 6, 8), (1, 1.5, 2, 3, 5, 7), (1, 2, 5), (1, 3), (1,))
"""Of powers of ten, for the ticks: the finest that give no more than `MOST_TICKS`."""
_CHARACTER = 8.2
"""Width of a character of a label; a little more than it is, since fonts differ."""
_LINE = 16
_RADIUS = 6
_MOST_NAME = 30


@dataclass(frozen=True, slots=True)
class Point:
    """An entry, as far as the picture goes.

    Attributes:
        tokens: generated per problem.
        budget: declared tokens per problem; None: no limit.
    """

    rank: int
    name: str
    tokens: float
    accuracy: Estimate
    budget: int | None


@dataclass(frozen=True, slots=True)
class Tick:
    at: float
    text: str


@dataclass(frozen=True, slots=True)
class Label:
    """The text beside a point.

    Attributes:
        x, y: where its line starts or ends.
        anchor: which of the two, `start` or `end`.
        name: what it says after the rank; empty: there was no room.
    """

    x: float
    y: float
    anchor: str
    name: str


@dataclass(frozen=True, slots=True)
class Mark:
    """A point as it is drawn.

    Attributes:
        x, y: the point.
        low, high: the ends of its interval (`high` is above `low`, so it is the smaller number).
        budget: where its budget is; None: no limit.
    """

    point: Point
    x: float
    y: float
    low: float
    high: float
    budget: float | None
    label: Label


@dataclass(frozen=True, slots=True)
class Chart:
    """A picture of a table."""

    x_ticks: tuple[Tick, ...]
    y_ticks: tuple[Tick, ...]
    budgets: tuple[Tick, ...]
    marks: tuple[Mark, ...]
    width: int = WIDTH
    height: int = HEIGHT
    left: int = LEFT
    right: int = RIGHT
    top: int = TOP
    bottom: int = BOTTOM


def chart(points: Sequence[Point]) -> Chart:
    """Lay out a picture of at least one entry; less than a token is drawn as one."""
    numbers = [point.tokens for point in points]
    numbers += [point.budget for point in points if point.budget is not None]
    low, high = _ends(numbers)

    def across(tokens: float) -> float:
        share = (math.log10(max(tokens, 1)) - low) / (high - low)
        return LEFT + share * (RIGHT - LEFT)

    def up(accuracy: float) -> float:
        return BOTTOM - accuracy * (BOTTOM - TOP)

    budgets = sorted({point.budget for point in points if point.budget is not None})
    drawn = [
        Mark(
            point,
            across(point.tokens),
            up(point.accuracy.value),
            up(point.accuracy.low),
            up(point.accuracy.high),
            None if point.budget is None else across(point.budget),
            Label(0, 0, "start", ""),
        )
        for point in points
    ]
    taken = [box for mark in drawn for box in _boxes(mark)]
    marks = []
    for mark in drawn:
        label, box = _label(mark.point, mark.x, mark.y, taken)
        taken.append(box)
        marks.append(replace(mark, label=label))
    return Chart(
        tuple(Tick(across(value), short(value)) for value in _ticks(low, high)),
        tuple(Tick(up(n / 4), f"{25 * n}\u00a0%") for n in range(5)),
        tuple(_apart([Tick(across(value), short(value)) for value in budgets])),
        tuple(marks),
    )


def short(number: float) -> str:
    """A number of tokens in few characters: 1.5, 640, 20,480, 1.5M."""
    for letter, size in (("T", 1e12), ("B", 1e9), ("M", 1e6)):
        if number >= size:
            return f"{number / size:,.4g}{letter}"
    return f"{number:.2g}" if number < 10 else f"{number:,.0f}"


def _ends(numbers: Sequence[float]) -> tuple[float, float]:
    """Powers of ten between which all numbers lie, with a little room on both sides; not whole
    powers, since a decade without a point is wasted."""
    low, high = (math.log10(max(n, 1)) for n in (min(numbers), max(numbers)))
    room = max(0.05 * (high - low), 0.12)
    low, high = max(low - room, 0.0), high + room
    # At least half a decade, or a small difference looks like a large one.
    return low, max(high, low + 0.5)


def _ticks(low: float, high: float) -> list[float]:
    """Round numbers between two powers of ten: as many as have room, evenly chosen."""
    powers = range(math.floor(low), math.ceil(high) + 1)
    found: list[float] = []
    for factors in _FACTORS:
        found = [f * 10.0**p for p in powers for f in factors if low <= math.log10(f) + p <= high]
        if len(found) <= MOST_TICKS:
            return found
    return found[:: math.ceil(len(found) / MOST_TICKS)]


def _apart(ticks: Sequence[Tick]) -> Iterator[Tick]:
    """Ticks from left to right; a text that would run into the one before is left out."""
    end = -math.inf
    for tick in ticks:
        half = len(tick.text) * _CHARACTER / 2 + 4
        if tick.at - half >= end:
            end = tick.at + half
            yield tick
        else:
            yield Tick(tick.at, "")


_Box = tuple[float, float, float, float]


def _boxes(mark: Mark) -> Iterator[_Box]:
    """What a mark fills: its point, its interval, and its line to the budget."""
    yield mark.x - _RADIUS, mark.y - _RADIUS, mark.x + _RADIUS, mark.y + _RADIUS
    yield mark.x - 2, mark.high, mark.x + 2, mark.low
    if mark.budget is not None:
        yield mark.x, mark.y - 2, mark.budget, mark.y + 2


def _label(point: Point, x: float, y: float, taken: Sequence[_Box]) -> tuple[Label, _Box]:
    """A label where it has room, and the box that it fills."""
    name = point.name if len(point.name) <= _MOST_NAME else point.name[: _MOST_NAME - 3] + "..."
    for text in (name, ""):
        width = len(f"{point.rank} {text}") * _CHARACTER
        for down in (0, -_LINE, _LINE, -2 * _LINE, 2 * _LINE):
            for anchor, start, at in (("start", x + 10, x + 10), ("end", x - 10 - width, x - 10)):
                box = (start, y + down - 8, start + width, y + down + 8)
                inside = box[0] >= LEFT and box[2] <= RIGHT
                inside = inside and box[1] >= TOP - 10 and box[3] <= BOTTOM
                if inside and not any(_overlap(box, other) for other in taken):
                    return Label(at, y + down + 4, anchor, text), box
    # Points upon points: the numbers lie over each other, and the table has them all.
    return Label(x + 10, y + 4, "start", ""), (x + 10, y - 8, x + 10 + width, y + 8)


def _overlap(one: _Box, other: _Box) -> bool:
    return one[0] < other[2] and other[0] < one[2] and one[1] < other[3] and other[1] < one[3]
