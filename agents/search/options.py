"""Options of strategies: out of range is a named error, before any work."""

from __future__ import annotations

import math

AT_ONCE = 100_000
"""Most lines to be drawn at one place at once: more would fill the memory before any is drawn."""


def check_whole(least: int, most: float = math.inf, **numbers: object) -> None:
    """Refuse counts that are not whole numbers from `least` to `most`.

    Raises:
        ValueError: names the count, its range, and what was received.
    """
    for name, number in numbers.items():
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(
                f"{name} must be a whole number of {least} or more, received {number!r}"
            )
        if number < least:
            raise ValueError(f"{name} must be {least} or more, received {number}")
        if number > most:
            raise ValueError(f"{name} must be {most} at most, received {number}")


def check_number(
    least: float, most: float = math.inf, *, above: bool = False, **numbers: object
) -> None:
    """Refuse numbers out of a range, whatever is no finite number, and truth values.

    Args:
        least, most: the range, its ends included.
        above: whether `least` itself is left out.

    Raises:
        ValueError: names the number, its range, and what was received.
    """
    for name, number in numbers.items():
        if isinstance(number, int | float) and not isinstance(number, bool):
            enough = number > least if above else number >= least
            if enough and number <= most and number < math.inf:
                continue
        if most < math.inf:
            wanted = f"in {'(' if above else '['}{least:g}, {most:g}]"
        else:
            wanted = f"above {least:g}" if above else f"{least:g} or more"
        raise ValueError(f"{name} must be {wanted}, received {number!r}")
