"""Best of N: sample N whole solutions, keep the one that the guide values most."""

from __future__ import annotations

from agents.search.final import FINALS, Solution, choose_final, judge
from agents.search.ledger import BudgetSpent
from agents.search.options import AT_ONCE, check_number, check_whole
from agents.search.requests import Choice, Node, Search, generate
from reason_env.errors import choose


def best_of_n(
    root: Node, n: int = 8, temperature: float = 1.0, parallel: int = 8, final: str = "value"
) -> Search:
    """Sample up to `n` solutions, `parallel` at a time, and stop at one that is known to be right.

    Args:
        n: solutions to sample at most; the token budget may end it earlier.
        temperature: of the samples.
        parallel: solutions in one batch. Fewer in a batch can stop earlier, more run faster.
        final: `value`: the most valued solution. `vote`: the answer with the largest sum of values
            over the solutions that give it (best-of-N weighted: Li et al., "Making language models
            better reasoners with step-aware verifier", 2023).

    Raises:
        ValueError: an option out of its range.
    """
    check_whole(1, n=n)
    check_whole(1, AT_ONCE, parallel=parallel)
    check_number(0, temperature=temperature)
    choose(final, FINALS, "final")
    solutions: list[Solution] = []
    try:
        for start in range(0, n, parallel):
            count = min(parallel, n - start)
            [nodes] = yield from generate([root], count, "solution", temperature)
            solutions += yield from judge(nodes, final)
            if any(solution.value.solved for solution in solutions):
                break
    except BudgetSpent:
        pass
    return Choice(choose_final(solutions, final) or root)
