"""The killable worker: a bare round trip, and scorings of mathematical answers through it."""

import itertools
from collections.abc import Iterator
from typing import Any

import pytest

from reason_env.answers import Status, judge_math
from reason_env.sandbox import Sandbox

CALLS = 1000


@pytest.fixture(scope="module")
def gcd() -> Iterator[Sandbox]:
    with Sandbox("math:gcd") as box:
        box.call(1, 1)
        yield box


@pytest.mark.benchmark(group="sandbox: calls, 1000")
def test_round_trip(benchmark: Any, gcd: Sandbox) -> None:
    def play() -> None:
        for number in range(CALLS):
            gcd.call(number, 12)

    benchmark(play)


@pytest.mark.benchmark(group="sandbox: start, killed in a call")
def test_replacement(benchmark: Any) -> None:
    """What a call costs that has to start a worker of no imports."""

    def start() -> None:
        with Sandbox("math:gcd") as box:
            box.call(1, 1)

    benchmark(start)


SCORINGS = {
    "number": (r"\frac{{{0}}}{{7}}", "{0}/7", Status.CORRECT),
    "calculation": ("{0}", "{0} + 0", Status.INCORRECT),
    "order": ("x^2 + {0}x + 1", "1 + x^2 + {0}x", Status.CORRECT),
    "unreadable": ("x + {0}", r"x + \foo{{{0}}}", Status.UNSCORED),
    "formula, right": (
        r"\frac{{x + {0}}}{{2}}",
        r"\frac{{x}}{{2}} + \frac{{{0}}}{{2}}",
        Status.CORRECT,
    ),
    "formula, wrong": ("x^2 + {0}x", "x^2 - {0}x", Status.INCORRECT),
    "root, right": (r"\frac{{\sqrt{{{0}}}}}{{{0}}}", r"\frac{{1}}{{\sqrt{{{0}}}}}", Status.CORRECT),
}


@pytest.mark.parametrize("name", SCORINGS)
@pytest.mark.benchmark(group="answers: scorings, 1000")
def test_scorings(benchmark: Any, name: str) -> None:
    """Each time other answers, which no cache knows."""
    gold, answer, status = SCORINGS[name]
    # Odd numbers without a divisor of 7: fractions in lowest terms, roots that stay.
    numbers = (n for n in itertools.count(10**6 + 1, 2) if n % 7 and n % 3 and n % 5)
    judge_math("x + y", "x - y")

    def play() -> None:
        for number in itertools.islice(numbers, CALLS):
            judgement = judge_math(gold.format(number), answer.format(number))
            assert judgement.status == status, judgement

    benchmark.pedantic(play, rounds=3)
