"""Best of N: sample N whole solutions, keep the one that the guide values most."""

from __future__ import annotations

from agents.search.ledger import BudgetSpent
from agents.search.requests import Choice, Node, Search, evaluate, generate


def best_of_n(root: Node, n: int = 8, temperature: float = 1.0, parallel: int = 8) -> Search:
    """Sample up to `n` solutions, `parallel` at a time, and stop at one that is known to be right.

    Args:
        n: solutions to sample at most; the token budget may end it earlier.
        temperature: of the samples.
        parallel: solutions in one batch. Fewer in a batch can stop earlier, more run faster.

    Raises:
        ValueError: n or parallel below 1.
    """
    if n < 1 or parallel < 1:
        raise ValueError(f"n and parallel must be 1 or more, received {n} and {parallel}")
    best, best_value = root, float("-inf")
    try:
        for start in range(0, n, parallel):
            count = min(parallel, n - start)
            [solutions] = yield from generate([root], count, "solution", temperature)
            values = yield from evaluate(solutions)
            for node, value in zip(solutions, values):
                if value.total > best_value:
                    best, best_value = node, value.total
            if any(value.solved for value in values):
                break
    except BudgetSpent:
        pass
    return Choice(best)
