"""The problems of `Polynomial`, level by level."""

from __future__ import annotations

from collections.abc import Callable
from typing import TypeAlias

import numpy as np

from reason_env.tasks.algebra_form import Exact, tree_of
from reason_env.tasks.algebra_tree import (
    Name,
    Tree,
    add,
    multiply,
    negate,
    number,
    power,
)

Drawn: TypeAlias = tuple[str, Tree]
"""What to do (`expand` or `factor`), and with what."""

_NAMES = (("a", "b"), ("m", "n"), ("p", "q"), ("s", "t"), ("u", "v"), ("x", "y"))


def _whole(rng: np.random.Generator, largest: int) -> int:
    """A whole number of that magnitude, of either sign."""
    return int(rng.integers(1, largest + 1)) * (1 - 2 * int(rng.integers(2)))


def _positive(rng: np.random.Generator, largest: int, smallest: int = 1) -> int:
    return int(rng.integers(smallest, largest + 1))


def _polynomial(name: str, *coefficients: int) -> Tree:
    """With these coefficients, the constant last."""
    degree = len(coefficients) - 1
    return add(
        *(multiply(number(c), power(Name(name), degree - i)) for i, c in enumerate(coefficients))
    )


def _linear(rng: np.random.Generator, name: str, slope: int, constant: int) -> Tree:
    return _polynomial(name, _positive(rng, slope), _whole(rng, constant))


def _mixed(rng: np.random.Generator, first: str, second: str, size: int) -> Tree:
    """a*x + b*y"""
    return add(
        multiply(number(_positive(rng, size)), Name(first)),
        multiply(number(_whole(rng, size)), Name(second)),
    )


def _expand(*parts: Tree) -> Drawn:
    """Expand a sum."""
    return "expand", add(*parts)


def _factor(*factors: Tree) -> Drawn:
    """Factor what the product of these comes to."""
    form, _ = Exact().value(multiply(*factors))
    return "factor", tree_of(form)


def _pick(rng: np.random.Generator, *makers: Callable[[], Drawn]) -> Drawn:
    return makers[int(rng.integers(len(makers)))]()


def _level_1(rng: np.random.Generator) -> Drawn:
    """Small enough for a tiny model, and still more than 10,000 distinct problems."""
    x = "x"

    def pair() -> tuple[Tree, Tree]:
        return _linear(rng, x, 4, 9), _linear(rng, x, 1, 9)

    return _pick(
        rng,
        lambda: _expand(_linear(rng, x, 9, 20), _linear(rng, x, 9, 20)),
        lambda: _expand(
            multiply(number(_positive(rng, 9, 2)), _linear(rng, x, 9, 9)), _linear(rng, x, 9, 9)
        ),
        lambda: _expand(multiply(*pair())),
        lambda: _factor(*pair()),
    )


def _level_2(rng: np.random.Generator) -> Drawn:
    x = "x"
    return _pick(
        rng,
        lambda: _expand(
            multiply(_linear(rng, x, 5, 9), _linear(rng, x, 5, 9)),
            multiply(number(_whole(rng, 9)), Name(x)),
        ),
        lambda: _expand(
            multiply(number(_whole(rng, 9)), _linear(rng, x, 5, 9)),
            multiply(number(_whole(rng, 9)), _linear(rng, x, 5, 9)),
        ),
        lambda: _expand(power(_linear(rng, x, 9, 9), 2), _linear(rng, x, 9, 20)),
        lambda: _factor(number(_positive(rng, 6, 2)), _linear(rng, x, 5, 9), _linear(rng, x, 2, 9)),
    )


def _level_3(rng: np.random.Generator) -> Drawn:
    x = "x"
    return _pick(
        rng,
        lambda: _expand(
            multiply(_linear(rng, x, 5, 9), _linear(rng, x, 5, 9)),
            multiply(number(_whole(rng, 5)), _linear(rng, x, 5, 9), _linear(rng, x, 5, 9)),
        ),
        lambda: _expand(
            multiply(_linear(rng, x, 3, 6), _linear(rng, x, 3, 6), _linear(rng, x, 3, 6))
        ),
        lambda: _expand(
            multiply(_linear(rng, x, 5, 9), _polynomial(x, 1, _whole(rng, 9), _whole(rng, 9))),
            multiply(number(_whole(rng, 9)), power(Name(x), 2)),
        ),
        lambda: _factor(
            number(_positive(rng, 6, 2)),
            _linear(rng, x, 3, 6),
            _linear(rng, x, 2, 6),
            _linear(rng, x, 1, 6),
        ),
        lambda: _factor(power(_linear(rng, x, 3, 5), 2), _linear(rng, x, 4, 9)),
    )


def _level_4(rng: np.random.Generator) -> Drawn:
    first, second = _NAMES[int(rng.integers(len(_NAMES)))]

    def mixed(size: int) -> Tree:
        return _mixed(rng, first, second, size)

    def plane(size: int) -> Tree:
        return add(mixed(size), number(_whole(rng, size)))

    def quadratic() -> Tree:
        return _polynomial(first, _positive(rng, 3), _whole(rng, 5), _whole(rng, 9))

    return _pick(
        rng,
        lambda: _expand(
            multiply(plane(4), mixed(6)), multiply(number(_whole(rng, 5)), power(mixed(3), 2))
        ),
        lambda: _expand(power(mixed(4), 3), multiply(Name(first), mixed(6), mixed(6))),
        lambda: _expand(
            multiply(quadratic(), quadratic()), negate(power(_linear(rng, first, 5, 9), 2))
        ),
        lambda: _factor(number(_positive(rng, 6, 2)), mixed(4), mixed(4), plane(3)),
        lambda: _factor(
            number(_positive(rng, 6, 2)),
            Name(first),
            quadratic(),
            _linear(rng, first, 3, 6),
            _linear(rng, first, 2, 6),
        ),
    )


def _level_5(rng: np.random.Generator) -> Drawn:
    first, second = _NAMES[int(rng.integers(len(_NAMES)))]

    def mixed(size: int) -> Tree:
        return _mixed(rng, first, second, size)

    def plane(size: int) -> Tree:
        return add(mixed(size), number(_whole(rng, size)))

    def quadratic() -> Tree:
        return _polynomial(first, _positive(rng, 5), _whole(rng, 9), _whole(rng, 9))

    return _pick(
        rng,
        lambda: _expand(
            multiply(number(_whole(rng, 9)), plane(7), plane(7)),
            multiply(Name(second), power(mixed(7), 2)),
            multiply(mixed(9), add(mixed(9), number(_whole(rng, 9)))),
        ),
        lambda: _expand(
            power(quadratic(), 2),
            multiply(number(_whole(rng, 9)), quadratic(), _linear(rng, first, 9, 9)),
        ),
        lambda: _expand(
            multiply(mixed(5), mixed(5), mixed(5)),
            multiply(number(_whole(rng, 9)), power(mixed(5), 3)),
        ),
        lambda: _factor(number(_positive(rng, 9, 2)), quadratic(), quadratic(), quadratic()),
        lambda: _factor(
            number(_positive(rng, 9, 2)), Name(second), mixed(5), mixed(5), plane(4), plane(4)
        ),
        lambda: _factor(
            number(_positive(rng, 6, 2)),
            power(_linear(rng, first, 4, 7), 2),
            quadratic(),
            _linear(rng, first, 3, 9),
            _linear(rng, first, 2, 9),
        ),
    )


LEVELS: dict[int, Callable[[np.random.Generator], Drawn]] = {
    1: _level_1,
    2: _level_2,
    3: _level_3,
    4: _level_4,
    5: _level_5,
}
