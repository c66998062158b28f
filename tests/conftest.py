"""What all tests share."""

import time
from collections.abc import Callable
from typing import Any

import pytest

TRIES = 5


@pytest.fixture(scope="session")
def soon() -> Callable[..., Any]:
    """A guard against hangs: `soon(seconds, function, *args)` gives what the function returns.

    It asks for one quick call of five, since another program may have had the processor: a
    regular expression that backtracks is slow each time. How fast things are is measured in
    `benchmarks/perf`, and is no test.
    """

    def call(limit: float, function: Callable[..., Any], *args: Any) -> Any:
        seconds = []
        for _ in range(TRIES):
            start = time.perf_counter()
            result = function(*args)
            seconds.append(time.perf_counter() - start)
            if seconds[-1] < limit:
                return result
        raise AssertionError(
            f"{function.__name__}{args!r:.80} took {min(seconds):.2f} s, not {limit:g}"
        )

    return call
