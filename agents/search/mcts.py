"""Monte Carlo tree search with PUCT.

One simulation: descend by PUCT (Rosin, 2011; Silver et al., "Mastering the game of Go without
human knowledge", 2017, eq. 2 of its methods) to a node whose lines are not all drawn yet, draw
more lines there from the policy, value the new ones, and pass the return up, edge rewards and
discount included. Departures, since lines cannot be listed as moves can:

- a node's lines are drawn from the policy, without replacement: no token is spent on a line that
  is known there. A child's prior is the policy's probability of its line among its siblings;
- a node may be widened again when it has been visited often enough: it has drawn at most
  `branch * ceil(visits ** widening)` lines (progressive widening, Couetoux et al., 2011), or else
  there is nothing left to find below those;
- a finished node, and one below which all is finished, is not visited again: it has nothing more
  to tell;
- all new children are valued at once, which costs no generated tokens; what goes up is the best
  of them, and a child not yet visited counts with what the guide said of it;
- a solution that the guide knows to be right ends the search.

What the root may do otherwise is in `roots.py`, how equal states are merged in `vertex.py`, and
which of the ways is the answer in `mcts_final.py`.
"""

from __future__ import annotations

import math
from collections.abc import Generator, Sequence

from agents.search.final import judge
from agents.search.ledger import BudgetSpent
from agents.search.mcts_final import RULES, choose
from agents.search.options import AT_ONCE, check_number, check_whole
from agents.search.requests import (
    Choice,
    Node,
    Request,
    Response,
    Search,
    generate,
)
from agents.search.roots import Dirichlet, Gumbel
from agents.search.vertex import Edge, Graph, Vertex, softmax
from reason_env.errors import choose as choose_name

ROOTS = ("puct", "gumbel")


def mcts(
    start: Node,
    /,
    simulations: int = 64,
    branch: int = 1,
    c_puct: float = 1.0,
    discount: float = 1.0,
    widening: float = 0.5,
    root: str = "puct",
    considered: int = 16,
    c_visit: float = 50.0,
    c_scale: float = 1.0,
    noise: float = 0.0,
    noise_alpha: float = 0.3,
    transpositions: bool = False,
    rollout: float = 0.0,
    final: str = "value",
) -> Search:
    """Search a tree of lines and return the best way found.

    Args:
        start: where the search begins (`root` says how to search there).
        simulations: at most; the token budget may end it earlier.
        branch: lines drawn from the policy each time a node is widened.
        c_puct: weight of the exploration term.
        discount: of the return, per line, in (0, 1].
        widening: exponent in [0, 1] of how the number of lines grows with visits; 0: only once.
        root: `puct`, or `gumbel` with sequential halving, which takes few simulations well.
        considered: most lines that a Gumbel root draws to choose from.
        c_visit: weight of values against the policy at a Gumbel root: see `roots.Gumbel`.
        c_scale: likewise.
        noise: share of Dirichlet noise in the priors at a PUCT root, in [0, 1].
        noise_alpha: its concentration, above 0.
        transpositions: whether equal states are searched once, however they are reached.
        rollout: weight in [0, 1] of the return of a greedy solution written on from each new node,
            against the guide's value of the node.
        final: the answer: `value` (the finished way worth most), `visits` (where the search went
            most) or `vote` (of the finished ways, weighted by their worth).

    Raises:
        ValueError: an option out of its range.
    """
    check_whole(1, simulations=simulations, considered=considered)
    check_whole(1, AT_ONCE, branch=branch)
    check_number(0, c_puct=c_puct, c_visit=c_visit, c_scale=c_scale)
    check_number(0, 1, widening=widening, noise=noise, rollout=rollout)
    check_number(0, 1, above=True, discount=discount)
    check_number(0, above=True, noise_alpha=noise_alpha)
    if not isinstance(transpositions, bool):
        raise ValueError(f"transpositions must be true or false, received {transpositions!r}")
    choose_name(root, ROOTS, "root")
    choose_name(final, RULES, "final")
    if noise and root == "gumbel":
        raise ValueError(
            f"noise={noise} is for a PUCT root, and a Gumbel root draws its own: leave out one"
        )
    if start.done:
        return Choice(start)
    graph = Graph(start, discount, transpositions)
    gumbel = dirichlet = None
    if root == "gumbel":
        gumbel = Gumbel(graph, simulations, considered, c_visit, c_scale)
    elif noise:
        dirichlet = Dirichlet(noise, noise_alpha, start.seed)
    try:
        for _ in range(simulations):
            if graph.root.closed:
                break
            path = gumbel.path() if gumbel else [graph.top]
            _descend(path, c_puct, discount)
            leaf = path[-1].child
            if gumbel and leaf is graph.root:
                new = yield from _widen(graph, leaf, 1, final)
                gumbel.note()
            else:
                new = yield from _widen(graph, leaf, branch, final)
                leaf.due = _next_due(leaf, widening)
            if new:
                _set_priors(leaf, dirichlet if leaf is graph.root else None)
            if rollout and graph.solution is None:
                yield from _roll_out(graph, new, rollout, discount, final)
            if graph.solution is not None:
                break
            _back_up(path, discount)
    except BudgetSpent:
        pass
    return Choice(choose(graph, final, gumbel), graph.freeze())


def _descend(path: list[Edge], c_puct: float, discount: float) -> None:
    """Go on from the end of a path, which is not closed, to a vertex that is due for more lines."""
    vertex = path[-1].child
    while vertex.visits < vertex.due and vertex.open:
        scale = c_puct * math.sqrt(vertex.visits)
        best, highest = vertex.open[0], -math.inf
        for edge in vertex.open:
            worth = edge.reward + discount * edge.child.mean
            score = worth + scale * edge.prior / (1 + edge.visits)
            if score > highest:
                highest, best = score, edge
        path.append(best)
        vertex = best.child


def _widen(
    graph: Graph, leaf: Vertex, lines: int, final: str
) -> Generator[Request, Response, list[Edge]]:
    """Draw new lines at a leaf, add them as edges, and value what they lead to."""
    [drawn] = yield from generate([leaf.node], lines, without=[leaf.drawn])
    before = len(leaf.drawn)
    known = {edge.line for edge in leaf.edges}
    fresh: dict[str, Node] = {}
    for node in drawn:
        written = node.written
        if written is None:
            continue  # the budget ended before this one was begun
        if written.tokens not in [other.tokens for other in leaf.drawn]:
            leaf.drawn += (written,)
        # Lines drawn at the same time may still be equal. One that was cut off is no line.
        if node.lines and node.line not in known:
            fresh.setdefault(node.line, node)
    leaf.rounds += 1
    # Drawing without replacement repeats a line only where there is no other.
    leaf.dry = len(leaf.drawn) == before
    found = (yield from judge(list(fresh.values()), final)) if fresh else []
    new = [graph.add(leaf, one) for one in found]
    if not leaf.open:
        graph.close(leaf)
    return new


def _next_due(vertex: Vertex, widening: float) -> float:
    """The number of visits at which a vertex is widened again: where `visits ** widening` is above
    the number of times that it has been."""
    try:
        return math.inf if vertex.dry else math.floor(vertex.rounds ** (1 / widening)) + 1
    except (ZeroDivisionError, OverflowError):
        return math.inf


def _set_priors(vertex: Vertex, noise: Dirichlet | None) -> None:
    """The policy's probabilities of the lines that were drawn, normalised among them."""
    for edge, prior in zip(vertex.edges, softmax([edge.logprob for edge in vertex.edges])):
        edge.prior = prior
    if noise is not None:
        noise.mix(vertex.edges)


def _roll_out(
    graph: Graph, new: Sequence[Edge], share: float, discount: float, final: str
) -> Generator[Request, Response, None]:
    """Mix the return of a greedy solution from each new vertex into its value."""
    first = [edge for edge in new if graph.edges[edge.child.index] is edge]
    begun = [edge for edge in first if not edge.child.closed]
    if not begun:
        return
    groups = yield from generate([edge.child.node for edge in begun], 1, "solution", 0.0)
    found = yield from judge([node for [node] in groups], final)
    for edge, end in zip(begun, found):
        child = edge.child
        if end.finished:  # else its last line was cut: it ends nowhere
            graph.end(child, end)
        steps = len(end.node.way) - len(child.node.way)
        child.value = (1 - share) * child.value + share * discount ** (steps - 1) * end.value.total
        child.mean = child.value
    for edge in new:
        edge.value = edge.child.mean


def _back_up(path: Sequence[Edge], discount: float) -> None:
    """Pass the return of a simulation up the path that it walked, to the root, which counts too."""
    leaf = path[-1].child
    value = leaf.value
    if leaf.edges:
        value = max([edge.reward + discount * edge.value for edge in leaf.edges])
    for edge in reversed(path):
        vertex = edge.child
        edge.visits += 1
        vertex.visits += 1
        vertex.returns += value
        vertex.mean = vertex.returns / vertex.visits
        value = edge.reward + discount * value
