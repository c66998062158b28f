"""Exact rational numbers as text, with limits that keep hostile input cheap."""

from __future__ import annotations

import re
from fractions import Fraction

MAX_DIGITS = 256
NUMBER = r"-?[0-9]+(?:/[0-9]+)?"
"""Pattern of a whole number or a fraction: `12`, `-3`, `8/3`."""
_NUMBER = re.compile(NUMBER)


def parse_rational(text: str) -> Fraction | None:
    """The value of `12`, `-3` or `8/3`; None for anything else, a zero denominator, or more than
    256 digits."""
    if len(text) > 2 * MAX_DIGITS or _NUMBER.fullmatch(text) is None:
        return None
    numerator, _, denominator = text.partition("/")
    if len(numerator) > MAX_DIGITS or len(denominator) > MAX_DIGITS:
        return None
    if denominator and int(denominator) == 0:
        return None
    return Fraction(int(numerator), int(denominator or 1))


def parse_canonical(text: str) -> Fraction | None:
    """Like `parse_rational`, but only in the one text that `str` gives the value.

    `6/2`, `007` and `-0` are None: whoever may write `6 / 2 = 6/2` need not divide.
    """
    value = parse_rational(text)
    return value if value is not None and str(value) == text else None
