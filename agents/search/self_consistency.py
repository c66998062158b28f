"""Self-consistency: sample solutions, and let them vote on the answer."""

from __future__ import annotations

from collections import Counter
from collections.abc import Sequence

from agents.search.best_of_n import best_of_n
from agents.search.final import likeliest, majority
from agents.search.ledger import BudgetSpent
from agents.search.options import AT_ONCE, check_number, check_whole
from agents.search.requests import Choice, Node, Search, answers, generate
from reason_env.errors import choose

VOTES = ("majority", "weighted")


def self_consistency(
    root: Node, n: int = 8, vote: str = "majority", temperature: float = 1.0, parallel: int = 8
) -> Search:
    """Sample up to `n` solutions, and return one that gives the answer of most (Wang et al.,
    "Self-consistency improves chain of thought reasoning in language models", 2022).

    Who was cut or gave up does not vote. Departures from the paper:

    - equal answers in other forms are one (`Answers`);
    - `majority` stops after a batch when what is still to be sampled could not change the answer;
    - where nobody votes, it is the way of the highest log-probability per token (`weighted`: the
      most valued).

    Args:
        n: solutions to sample at most; the token budget may end it earlier.
        vote: `majority`: one vote each, and no guide is asked. `weighted`: each vote counts with
            the guide's value of the solution, as `best_of_n` does with `final="vote"`.
        temperature: of the samples.
        parallel: solutions in one batch. Fewer in a batch can stop earlier, more run faster: all
            in one never stop early.

    Raises:
        ValueError: an option out of its range.
    """
    check_whole(1, n=n)
    check_whole(1, AT_ONCE, parallel=parallel)
    check_number(0, temperature=temperature)
    if choose(vote, VOTES, "vote") == "weighted":
        return (yield from best_of_n(root, n, temperature, parallel, final="vote"))
    nodes: list[Node] = []
    found: list[str | None] = []
    try:
        for start in range(0, n, parallel):
            count = min(parallel, n - start)
            [drawn] = yield from generate([root], count, "solution", temperature)
            nodes += drawn
            found += yield from answers(drawn)
            if decided(found, n - len(found)):
                break
    except BudgetSpent:
        pass
    return Choice(majority(nodes, found) or likeliest(nodes) or root)


def decided(found: Sequence[str | None], left: int) -> bool:
    """Whether the answer of most stays so, whatever `left` more solutions answer.

    A tie goes to the answer that came first (`majority`), so that one which came later has to
    overtake the leader, and one which came earlier need only draw level.
    """
    # In the order of their first votes, and of equals `most_common` keeps that order.
    ranked = Counter(answer for answer in found if answer is not None).most_common()
    if not ranked:
        return False
    leader, votes = ranked[0]
    first = {answer: found.index(answer) for answer, _ in ranked}
    rivals = [(number, first[answer] < first[leader]) for answer, number in ranked[1:]]
    return left <= votes and all(
        number + left < votes + (not earlier) for number, earlier in rivals
    )
