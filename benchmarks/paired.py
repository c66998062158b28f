"""Two sides on the same problems: how far apart, how sure, and what could have been seen.

The difference of a problem is the mean outcome of the second side's runs less that of the first's.
What is drawn anew in thought decides what an interval covers, so each says it:

- **over problems**: other problems from the same mixture of templates. Single runs: percentile
  bootstrap, Tango's score interval, McNemar's exact test. Several seeds of sampling: the bootstrap
  again, since the luck of sampling is drawn anew on each problem and so is in the spread of the
  differences already, and the exact sign-flip test.
- **over problems and training seeds**, where a side has several models: the variance of problems
  plus, for each such side, that of its models' accuracies over their number, and Student's t with
  Satterthwaite's (1946) degrees of freedom, rounded down. (Of true differences between three seeds
  and three, far apart, a bootstrap covered 86 % in a simulation, this 95.) What seeds and problems
  share is counted in both, which errs on the safe side. Where both sides have the same models, as
  when one search is compared with another, the variance is that of the models' differences; other
  seeds are not paired, for nothing but their number says that two of them belong together.
- **over templates**: other templates too. Problems made from one template are alike, and a side
  may be better on some templates by its nature, which the interval over problems takes as given. A
  template is an entry of the suite: one environment with its settings (records have no finer
  template, and levels of one environment count as several). Cluster-robust standard error (Liang
  and Zeger, 1986; for evals Miller, 2024, arXiv 2411.00640), with the factor G / (G - 1) for few
  clusters and Student's t with G - 1 degrees of freedom (Cameron and Miller, 2015), G being the
  effective number of templates of unequal size. Problems within a template are not drawn again:
  their spread is in that of templates already. The test flips the signs of whole templates.

Swapping the sides turns every difference's sign; the order of episodes changes nothing.
"""

from __future__ import annotations

import json
from collections import Counter
from collections.abc import Hashable, Mapping, Sequence
from dataclasses import dataclass
from fractions import Fraction
from math import lcm, sqrt

import numpy as np
from numpy.typing import NDArray

from benchmarks.intervals import Spread, odds_ratio, score_interval
from benchmarks.metrics import Estimate, bootstrap
from benchmarks.power import detectable, needed
from benchmarks.records import EpisodeRecord
from benchmarks.sides import Side
from benchmarks.significance import mcnemar, sign_flip

TEMPLATES = 7
"""Fewest templates of an interval over templates. With 5, no p-value of signs is below 0.06, and
with 6 only one is below 0.05: the test would hardly find what is there."""
Episodes = Sequence[EpisodeRecord]


@dataclass(frozen=True, slots=True)
class OverTemplates:
    """The same difference, for other templates than these too.

    Attributes:
        templates: how many there are.
        error: cluster-robust standard error.
        difference: with its interval over templates.
        p: two-sided, and `test`, by what.
        detectable: smallest true difference found with 80 % power; None: none would be.
    """

    templates: int
    error: float
    difference: Estimate
    p: float
    test: str
    detectable: float | None


@dataclass(frozen=True, slots=True)
class Paired:
    """Two sides on the same problems.

    Attributes:
        episodes: problems.
        difference: accuracy of the second side minus that of the first, with its interval over
            problems (and training seeds).
        method: what this interval is: `bootstrap`, or `t` over problems and training seeds.
        score: Tango's interval of the same; None if a side has several runs.
        error: standard error of the difference; None with one problem.
        gained, lost: problems that only the second, or only the first, solved; of several seeds
            the mean over all pairs of runs.
        odds: `gained` for each `lost`; its interval is exact. None if there is neither, or if a
            side has several runs.
        p: two-sided, and `test`, by what: `McNemar`, `sign flip` (both exact) or `t`.
        moved: problems with a difference.
        detectable: smallest true difference found with 80 % power; None: none would be.
        needed: problems that show a difference as large as this with 80 % power; None: no number.
        templates: None with fewer than `TEMPLATES`.
    """

    episodes: int
    difference: Estimate
    method: str
    score: Estimate | None
    error: float | None
    gained: float
    lost: float
    odds: Estimate | None
    p: float
    test: str
    moved: int
    detectable: float | None
    needed: int | None
    templates: OverTemplates | None


def pair(first: Episodes, second: Episodes) -> Paired:
    """Compare two runs on the same problems; problems are matched by content.

    Raises:
        ValueError: the problems are not the same.
    """
    return _paired([first], [second], [None], [None])


def pair_sides(first: Side, second: Side) -> Paired:
    """Compare two sides.

    Raises:
        ValueError: the problems are not the same.
    """
    return _paired(first.episodes, second.episodes, first.models, second.models)


def pair_families(first: Side, second: Side) -> dict[str, Paired]:
    """Compare two sides family by family; their problems must be the same."""
    before, after = first.families(), second.families()
    return {
        name: _paired(before[name], after[name], first.models, second.models) for name in before
    }


@dataclass(frozen=True, slots=True)
class _Outcomes:
    """What a side's runs solved, (runs, problems), and the models of the runs."""

    solved: NDArray[np.int64]
    models: Sequence[Hashable]

    @property
    def weights(self) -> list[Fraction]:
        """Of each run: every model counts alike, and so does every run of a model."""
        runs = Counter(self.models)
        return [Fraction(1, len(runs) * runs[model]) for model in self.models]

    def mean(self, unit: int) -> NDArray[np.int64]:
        """Mean outcome of each problem, as a multiple of 1 / unit."""
        return np.array([int(weight * unit) for weight in self.weights]) @ self.solved

    def accuracies(self) -> dict[Hashable, float]:
        """Of each model."""
        return {
            model: float(self.solved[[one == model for one in self.models]].mean())
            for model in dict.fromkeys(self.models)
        }


def _seeds(before: _Outcomes, after: _Outcomes) -> list[tuple[float, int]]:
    """Variances of training seeds, to be added up, each with its degrees of freedom."""
    first, second = before.accuracies(), after.accuracies()
    samples = [list(side.values()) for side in (first, second)]
    if first.keys() == second.keys():
        samples = [[second[model] - first[model] for model in first]]
    return [
        (float(np.var(sample, ddof=1)) / len(sample), len(sample) - 1)
        for sample in samples
        if len(sample) > 1
    ]


def _paired(
    first: Sequence[Episodes],
    second: Sequence[Episodes],
    first_models: Sequence[Hashable],
    second_models: Sequence[Hashable],
) -> Paired:
    runs = [{episode.problem: episode for episode in run} for run in (*first, *second)]
    problems = _shared(runs)
    solved = np.array([[int(run[problem].solved) for problem in problems] for run in runs])
    before = _Outcomes(solved[: len(first)], first_models)
    after = _Outcomes(solved[len(first) :], second_models)
    # In whole multiples of 1 / unit, so that tests can count.
    unit = lcm(*(weight.denominator for weight in (*before.weights, *after.weights)))
    a, b = before.mean(unit), after.mean(unit)
    whole, values, n = b - a, (b - a) / unit, len(problems)
    labels = [_template(runs[0][problem]) for problem in problems]
    seeds = _seeds(before, after)
    single = len(first) == len(second) == 1
    value, square = float(values.mean()), float((values**2).mean())
    error = float(values.std(ddof=1)) / sqrt(n) if n > 1 else None
    # Over all pairs of runs, one of each side; of single runs the plain counts.
    gained, lost = (float((x * (unit - y)).sum()) / unit**2 for x, y in ((b, a), (a, b)))
    score = odds = freedom = None
    if seeds:
        spread = Spread.of([((error or 0.0) ** 2, max(1, n - 1)), *seeds])
        error, freedom = spread.error, spread.freedom
        difference, method = spread.around(value), "t"
        # Never less than what the test gives that takes the models as they are.
        p, test = max(spread.p(value), sign_flip(whole)), "t"
    else:
        difference, method = bootstrap(values), "bootstrap"
        p, test = sign_flip(whole), "sign flip"
    if single:
        gained, lost = round(gained), round(lost)
        score, odds = score_interval(gained, lost, n), odds_ratio(gained, lost)
        p, test = mcnemar(gained, lost), "McNemar"
    fixed = sum(variance for variance, _ in seeds)
    return Paired(
        episodes=n,
        difference=difference,
        method=method,
        score=score,
        error=error,
        gained=gained,
        lost=lost,
        odds=odds,
        p=p,
        test=test,
        moved=int((whole != 0).sum()),
        detectable=detectable(square, n, fixed, freedom),
        needed=needed(value, square, fixed, freedom),
        templates=_over_templates(whole, unit, labels, seeds),
    )


def _over_templates(
    whole: NDArray[np.int64], unit: int, labels: Sequence[str], seeds: Sequence[tuple[float, int]]
) -> OverTemplates | None:
    """The difference over templates, if there are enough of them.

    Args:
        whole: differences of problems, in multiples of 1 / unit.
        labels: the template of each problem.
        seeds: variance of each side with training seeds, and its degrees of freedom.
    """
    names = {label: number for number, label in enumerate(dict.fromkeys(labels))}
    if len(names) < TEMPLATES:
        return None
    places = np.array([names[label] for label in labels])
    n, g = len(labels), len(names)
    value = float(whole.sum()) / unit / n
    sums = np.bincount(places, whole - value * unit) / unit
    sizes = np.bincount(places)
    # As many templates of equal size would have the weights' sum of squares (Kish, 1965).
    effective = int(n**2 / int((sizes**2).sum()) + 1e-9)
    variance = g / (g - 1) * float((sums**2).sum()) / n**2
    spread = Spread.of([(variance, max(1, effective - 1)), *seeds])
    p = sign_flip(np.rint(np.bincount(places, whole)))  # sums of whole numbers
    return OverTemplates(
        templates=g,
        error=spread.error,
        difference=spread.around(value),
        p=max(spread.p(value), p) if seeds else p,
        test="t" if seeds else "sign flip",
        detectable=detectable(variance * n, n, spread.variance - variance, spread.freedom),
    )


def _shared(runs: Sequence[Mapping[str, EpisodeRecord]]) -> list[str]:
    """The problems, in an order that depends on neither side.

    Raises:
        ValueError: they are not the same in all runs.
    """
    first = runs[0]
    for other in runs[1:]:
        if other.keys() != first.keys():
            shared = len(other.keys() & first.keys())
            raise ValueError(
                f"The runs are about different problems ({len(first)} and {len(other)}, {shared} "
                "shared): only runs of one suite, with the same limit, can be compared"
            )
    return sorted(first, key=lambda problem: (sorted({r[problem].index for r in runs}), problem))


def _template(episode: EpisodeRecord) -> str:
    """The entry of the suite that a problem is from."""
    return json.dumps([episode.env, dict(episode.kwargs)], sort_keys=True)
