"""What `beam` and `dvts` share: all beams go on by one line, and the best go on again.

Departures from the papers, since every generated token is charged:

- at temperature 1 the lines of a beam are drawn one after the other, without replacement, each
  draw for all beams at once: no token is spent on a line that the beam has drawn before, and a
  beam with fewer than `branch` possible lines is not asked for more. A line goes to the guide as
  soon as it is drawn, so that nothing is lost when the budget ends;
- at other temperatures all are drawn at once (one at temperature 0), and equal ones are one;
- a beam is never copied to fill a place: where fewer distinct ones are left, fewer go on. Two are
  the same where they stand at the same state, if the search may know that; lines that leave the
  state as it was (thoughts) tell them apart;
- a finished way takes no place. It has nothing to go on with, and what it is worth is known, while
  an unfinished one has but an expectation: the two are compared at the end, among the finished;
- a way that the guide knows to be right ends the search.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Hashable, Sequence
from dataclasses import dataclass, field

from agents.models.base import Completion
from agents.search.final import FINALS, Solution, choose_final, judge
from agents.search.options import AT_ONCE, check_number, check_whole
from agents.search.requests import Choice, Node, Request, Response, Value, generate
from agents.search.tree import Branch, Tree
from reason_env.errors import choose

_NOTHING = 1e-6
"""Less probability than this left for lines not yet drawn: there are none. Log-probabilities of
models are no more exact."""


@dataclass(slots=True)
class Beams:
    """A search by beams: how it goes, and what it has found.

    Attributes:
        root: where it starts.
        temperature: of the lines.
        final: how the answer is chosen, one of `agents.search.final.FINALS`.
        found: what is said of each node, finished or not, in the order they were found.
        solved: whether one of them is known to be right.
    """

    root: Node
    temperature: float
    final: str
    found: dict[Node, Solution] = field(default_factory=dict)
    solved: bool = False


def begin(root: Node, temperature: float, final: str, **counts: int) -> Beams:
    """A search that has found nothing yet.

    Raises:
        ValueError: a count below 1, a temperature below 0, or an unknown `final`.
    """
    check_whole(1, AT_ONCE, **counts)
    check_number(0, temperature=temperature)
    return Beams(root, temperature, choose(final, FINALS, "final"))


def advance(
    search: Beams, groups: Sequence[Sequence[Node]], width: int, branch: int
) -> Generator[Request, Response, list[list[Node]]]:
    """Continue all beams by one line, all groups in the same requests.

    Args:
        groups: beams that compete with each other, not with those of other groups.
        width: beams that go on in each group, at most.
        branch: lines to draw for each beam, at most.

    Returns:
        The beams of each group that go on, best first; none once a way is known to be right.
    """
    beams = [beam for group in groups for beam in group]
    known: dict[Node, tuple[Completion, ...]] = dict.fromkeys(beams, ())
    born: dict[Node, dict[str, Node]] = {beam: {} for beam in beams}
    for n in _draws(branch, search.temperature):
        without = [known[beam] for beam in beams] if search.temperature == 1 else ()
        drawn = yield from generate(beams, n, "line", search.temperature, without)
        fresh = []
        for beam, nodes in zip(beams, drawn):
            for node in nodes:
                # Without a line: it was cut off, or the budget ended before it was begun.
                if node.lines and node.line not in born[beam]:
                    born[beam][node.line] = node
                    fresh.append(node)
        if fresh:
            said = yield from judge(fresh, search.final)
            search.found.update(zip(fresh, said))
            search.solved = any(one.value.solved for one in said)
        if search.solved:
            return [[] for _ in groups]
        more = []
        for beam, nodes in zip(beams, drawn):
            new = [node.written for node in nodes if node.written is not None]
            if _is_more(known[beam], new):
                more.append(beam)
            known[beam] += tuple(new)
        beams = more
        if not beams:
            break
    return [
        _best(search, [node for beam in group for node in born[beam].values()], width)
        for group in groups
    ]


def choice(search: Beams) -> Choice:
    """The answer: a way known to be right, else a finished one by value or vote, else the
    unfinished one that the guide values most."""
    finished = [one for one in search.found.values() if one.node.done]
    node = choose_final(finished, search.final)
    if node is None and search.found:
        among = search.found.values()
        node = max(among, key=lambda one: (one.value.total, one.node.depth)).node
    return Choice(node or search.root, _tree(search))


def _draws(branch: int, temperature: float) -> list[int]:
    """How many lines each beam draws in each of the requests of a round."""
    if temperature == 1:
        return [1] * branch
    return [branch] if temperature else [1]


def _is_more(known: Sequence[Completion], new: Sequence[Completion]) -> bool:
    """Whether there may be lines that were not drawn yet, after `new` were."""
    if not new or new[0].tokens in [one.tokens for one in known]:
        return False  # a line is repeated only where there is no other
    drawn = math.fsum(math.exp(math.fsum(one.logprobs)) for one in (*known, *new))
    return 1 - drawn > _NOTHING


def _best(search: Beams, nodes: Sequence[Node], width: int) -> list[Node]:
    """The most valued distinct unfinished ones; on a tie the likelier, then the earlier."""
    ranked = sorted(
        (node for node in nodes if not node.done),
        key=lambda node: (search.found[node].value.total, node.logprob),
        reverse=True,
    )
    distinct: dict[Hashable, Node] = {}
    for node in ranked:
        distinct.setdefault(_place(node), node)
    return list(distinct.values())[:width]


def _place(node: Node) -> Hashable:
    """Equal for nodes from which it would be the same to go on."""
    assert node.parent is not None
    if node.key is None or node.key == node.parent.key:
        return node.parent, node.line
    return node.key


def _tree(search: Beams) -> Tree:
    """All nodes found. Each counts as a visit to itself and to all before it."""
    found = search.found
    nodes = [search.root, *found]
    places = {node: place for place, node in enumerate(nodes)}
    visits, returns = [0] * len(nodes), [0.0] * len(nodes)
    siblings: dict[Node | None, list[Node]] = {}
    for node in nodes:
        siblings.setdefault(node.parent, []).append(node)
    for node, solution in found.items():
        value = solution.value
        for passed in node.way:
            visits[places[passed]] += 1
            returns[places[passed]] += value.value if passed is node else value.total
    chances = {node: p for group in siblings.values() for node, p in zip(group, _priors(group))}
    branches = []
    for node, place in places.items():
        value = found[node].value if node in found else Value(0.0)
        branches.append(
            Branch(
                parent=-1 if node.parent is None else places[node.parent],
                line=node.line,
                prior=chances[node],
                reward=value.reward,
                value=value.value,
                visits=visits[place],
                mean=returns[place] / max(1, visits[place]),
                done=node.done,
            )
        )
    return Tree(tuple(branches))


def _priors(siblings: Sequence[Node]) -> list[float]:
    """The policy's probabilities of their lines, normalised among them."""
    highest = max(node.logprob for node in siblings)
    weights = [math.exp(node.logprob - highest) for node in siblings]
    total = sum(weights)
    return [weight / total for weight in weights]
