"""Options of strategies: out of range is a named error, before any work."""

from __future__ import annotations

import math


def check_whole(least: int, **numbers: object) -> None:
    """Refuse counts that are not whole numbers of `least` or more.

    Raises:
        ValueError: names all of them, and what was received.
    """
    names, received = " and ".join(numbers), " and ".join(map(repr, numbers.values()))
    for number in numbers.values():
        if isinstance(number, bool) or not isinstance(number, int):
            raise ValueError(
                f"{names} must be whole numbers of {least} or more, received {received}"
            )
        if number < least:
            raise ValueError(f"{names} must be {least} or more, received {received}")


def check_temperature(temperature: object) -> None:
    """Refuse a temperature that nothing can be drawn at.

    Raises:
        ValueError: not a number, below 0, or infinite.
    """
    number = isinstance(temperature, int | float) and not isinstance(temperature, bool)
    if not number or not 0 <= temperature < math.inf:  # type: ignore[operator]
        raise ValueError(f"temperature must be 0 or more, received {temperature!r}")
