"""What a tree search does at its root alone: Dirichlet noise, or Gumbel with sequential halving."""

from __future__ import annotations

import math
from collections.abc import Collection, Iterator, Sequence

import numpy as np

from agents.search.vertex import Edge, Graph, Vertex, softmax
from reason_env.splits import stream_seed

_NOTHING = 1e-6
"""Less probability than this left for lines not yet drawn: there are none. Log-probabilities of
models are no more exact."""


class Dirichlet:
    """Noise on the root's priors (Silver et al., "Mastering the game of Go without human
    knowledge", 2017).

    The lines are found one after the other: each gets a gamma variate when it is found, and those
    of all lines, normalised, are a sample of the Dirichlet distribution over as many as there are.

    Args:
        share: of the noise in the priors, in [0, 1].
        alpha: of the distribution, above 0; the smaller, the more is put on a single line.
        seed: of this search.
    """

    def __init__(self, share: float, alpha: float, seed: int) -> None:
        self._share = share
        self._alpha = alpha
        self._rng = np.random.default_rng(stream_seed("dirichlet", seed))
        self._logs: list[float] = []

    def mix(self, edges: Sequence[Edge]) -> None:
        """Mix noise into priors of the root's lines, of which those known before come first."""
        while len(self._logs) < len(edges):
            # In logarithms, since for a small alpha most of the variates are below any float:
            # gamma(alpha) is gamma(alpha + 1) * uniform ** (1 / alpha).
            gamma = math.log(self._rng.gamma(self._alpha + 1))
            self._logs.append(gamma + math.log(1 - self._rng.random()) / self._alpha)
        for edge, noise in zip(edges, softmax(self._logs)):
            edge.prior = (1 - self._share) * edge.prior + self._share * noise


class Gumbel:
    """A root by Gumbel with sequential halving (Danihelka et al., "Policy improvement by planning
    with Gumbel", 2022; the root as in mctx's `gumbel_muzero_policy`).

    The paper adds a Gumbel variate to the log-probability of every action and considers those with
    the highest sums, which are a sample without replacement. Lines cannot be listed, so it is done
    the other way round: candidates are drawn from the policy without replacement, one after the
    other, and their sums are drawn given that order. The k-th highest sum is -log of the k-th
    arrival time of a race in which each line arrives at a rate that is its probability (Maddison
    et al., "A* sampling", 2014), so this is the same distribution exactly.

    Departures:

    - a candidate is valued when it is drawn, so drawing it is its first visit, a simulation like
      any other, and there is no candidate without a Q for the paper's mixed value to complete;
    - Q is the average return that PUCT has, and the best return where all below is known: what is
      closed costs no simulation any more. When that leaves none of those still considered, those
      passed over are taken up again, and one more is drawn;
    - below the root it is PUCT (the paper's Gumbel MuZero, not its Full Gumbel MuZero);
    - since nobody plans again after the first line, the choice is among the candidates below which
      there is a finished way, if any.

    Args:
        simulations: number that the halving is laid out for.
        considered: candidates at most.
        c_visit: with `c_scale`, weight of Q against the policy: Q is rescaled to [0, 1] among the
            candidates and counts `(c_visit + most visits of any) * c_scale`.
    """

    def __init__(
        self, graph: Graph, simulations: int, considered: int, c_visit: float, c_scale: float
    ) -> None:
        self._graph = graph
        self._root = graph.root
        self._simulations = simulations
        self._considered = min(considered, simulations)
        self._c_visit = c_visit
        self._c_scale = c_scale
        self._rng = np.random.default_rng(stream_seed("gumbel", graph.root.node.seed))
        self._time = 0.0
        self._left = 1.0
        self._seen = 0
        self._candidates: tuple[Edge, ...] = ()
        self._sums: list[float] = []
        self._counts: list[int] = []
        self._schedule = self._halve()

    def path(self) -> list[Edge]:
        """Where the next simulation begins, as long as the root is not closed: at a candidate, or
        at the root to draw one more."""
        candidate = next(self._schedule)
        return [self._graph.top] if candidate is None else [self._graph.top, candidate]

    def note(self) -> None:
        """Take note of what was drawn at the root, of which nothing is left out."""
        root = self._root
        for completion in root.drawn[self._seen :]:
            self._time += self._rng.exponential() / self._left
            self._left -= math.exp(sum(completion.logprobs))
            if self._left < _NOTHING:
                root.dry = True
                self._graph.close(root)
        self._seen = len(root.drawn)
        # What was drawn last may be cut, and so no line.
        if len(root.edges) > len(self._candidates):
            self._candidates = root.edges
            self._sums.append(-math.log(self._time))
            self._counts.append(1)

    def _halve(self) -> Iterator[Edge | None]:
        """The candidates in the order of their visits; None to draw one."""
        while len(self._candidates) < self._considered and not self._root.dry:
            yield None
        number = len(self._candidates)
        rounds = math.ceil(math.log2(number)) if number > 1 else 1
        alive, drawn = list(range(number)), 1
        while True:
            if all(self._candidates[i].child.closed for i in alive):
                if not self._root.dry:
                    yield None
                alive = list(range(len(self._candidates)))
            visits = max(1, self._simulations // (rounds * max(1, len(alive))))
            for _ in range(visits - drawn):
                waiting = list(alive)
                while waiting:
                    scores = self.scores()
                    best = max(waiting, key=lambda i: scores[i])
                    waiting.remove(best)
                    self._counts[best] += 1
                    if not self._candidates[best].child.closed:
                        yield self._candidates[best]
            drawn = 0
            scores = self.scores()
            alive = sorted(alive, key=lambda i: -scores[i])[: max(2, len(alive) // 2)]

    def scores(self) -> list[float]:
        """Perturbed log-probability and transformed Q of each candidate."""
        worths = [self._graph.worth(edge) for edge in self._candidates]
        if not worths:
            return []
        low = min(worths)
        spread = max(max(worths) - low, 1e-8)
        scale = (self._c_visit + max(self._counts)) * self._c_scale / spread
        return [total + scale * (worth - low) for total, worth in zip(self._sums, worths)]

    def choice(self, among: Collection[Vertex]) -> Edge | None:
        """The candidate with the highest score, of those visited most, of those that lead to one
        of `among` (None where none does)."""
        self.note()
        scores = self.scores()
        able = [i for i, edge in enumerate(self._candidates) if edge.child in among]
        if not able:
            return None
        return self._candidates[max(able, key=lambda i: (self._counts[i], scores[i]))]
