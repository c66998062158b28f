"""Best of N under a learned reward model, and where picking harder by it makes answers worse.

    study = overoptimization("quickstart", "runs/study", model=..., reward_model=...)

More samples to pick from raise the reward model's score of what is picked for ever, but whether it
is right only as long as the model ranks what it is asked to rank: past some N the best-scored
sample is one that the model is wrong about (Gao, Schulman and Hilton, "Scaling laws for reward
model overoptimization", 2022). Here what is right is known exactly, by replay in the environment,
and the guide never reads it.
"""

from __future__ import annotations

import json
from collections.abc import Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np

from agents.search.guides import Guide
from benchmarks.best_of import Array, best_of_kl, expected_best, powers_up_to, rank_chances
from benchmarks.environment import capture
from benchmarks.metrics import SEED, Estimate, bootstrap, wilson
from benchmarks.overoptimization_report import counting, write_study
from benchmarks.peaks import Peak, find_peak
from benchmarks.players import load_writer, source_of
from benchmarks.records import total
from benchmarks.solution_samples import Sampled, draw_samples
from benchmarks.suite import Item, Resolved, Suite, load_suite, make_env, resolve

if TYPE_CHECKING:
    from agents.models import LanguageModel

ROWS = 4096
"""Samples drawn at once, of as many problems as that makes."""


@dataclass(frozen=True, slots=True)
class Point:
    """What the best-scored of `n` samples is worth, on average over the problems.

    Attributes:
        kl: of best-of-n from the policy, in nats (`best_of_kl`).
        accuracy: share of problems of which the picked sample is a solution.
        score: of the picked sample, by the guide, on problems without an error; None: there are
            none.
        coverage: share of problems of which any of the `n` samples is a solution (pass@n): what a
            perfect reward model would reach.
    """

    n: int
    kl: float
    accuracy: Estimate
    score: Estimate | None
    coverage: Estimate


@dataclass(frozen=True, slots=True)
class Study:
    """A study's outcome.

    Attributes:
        config: what decides it (suite, digests, guide, samples, seed).
        models: where policy and reward model were loaded from.
        sampled: every problem's samples.
        points: at N = 1, 2, 4, ... samples.
        peak: of the accuracies; its places are those of `points`.
    """

    config: dict[str, Any]
    models: dict[str, str | None]
    sampled: tuple[Sampled, ...]
    points: tuple[Point, ...]
    peak: Peak

    @property
    def best(self) -> Point:
        return self.points[self.peak.place]

    @property
    def errors(self) -> list[Sampled]:
        return [one for one in self.sampled if one.error is not None]

    @property
    def verdict(self) -> str:
        """What the intervals show, and no more."""
        last, best, peak = self.points[-1], self.best, self.peak
        head = (
            f"True accuracy is highest at N = {best.n} ({100 * best.accuracy.value:.1f} %) and "
            f"{100 * last.accuracy.value:.1f} % at N = {last.n}"
        )
        fall = (
            f"{100 * peak.fall.value:+.1f} points, simultaneous 95 % interval "
            f"{100 * peak.fall.low:+.1f} to {100 * peak.fall.high:+.1f}"
        )
        if not peak.enough:
            return f"{head}: {len(self.sampled)} problems are too few to show a fall."
        if peak.above:
            ns = [self.points[place].n for place in peak.above]
            among = _listed([self.points[place].n for place in peak.possible])
            return (
                f"Over-optimisation is shown. {head} ({fall}); it is shown to be above that at "
                f"N = {_listed(ns)}{'' if peak.place in peak.above else ', if not at the highest'}."
                f" Of the N tried, the true peak is in {{{among}}} (95 %)."
            )
        if peak.place == len(self.points) - 1:
            return f"No over-optimisation is seen up to N = {last.n}: {head[0].lower()}{head[1:]}."
        return f"No over-optimisation is shown up to N = {last.n}. {head} ({fall})."

    def to_json(self) -> dict[str, Any]:
        """What `overoptimization.json` has: everything but the samples."""
        points, peak = self.points, self.peak
        return {
            "format": 1,
            "config": self.config,
            "models": self.models,
            "problems": len(self.sampled),
            "errors": len(self.errors),
            "points": [asdict(point) for point in points],
            "peak": {
                "n": self.best.n,
                "possible": [points[place].n for place in peak.possible],
                "fall": asdict(peak.fall),
                "above_last": [points[place].n for place in peak.above],
                "enough_problems": peak.enough,
            },
            "verdict": self.verdict,
            "bootstrap_seed": SEED,
            "ledger": total(one.ledger for one in self.sampled),
            "environment": capture(),
        }


def overoptimization(
    suite: str | Path | Suite,
    out: str | Path,
    *,
    model: str | Path | LanguageModel,
    reward_model: str | Path | LanguageModel | None = None,
    guide: str = "prm",
    samples: int = 256,
    limit: int | None = None,
    seed: int = 0,
    title: str = "Best of N under a learned reward model",
    progress: bool = True,
) -> Study:
    """Draw samples of a suite's problems, score them, and write the study to a folder.

    Args:
        suite: name, path of a JSON file, or a `Suite`.
        out: folder: new, empty, or of the same study (which then goes on).
        model: the policy; directory or hub id, or a model loaded already.
        reward_model: serves the `prm` and `value` guides; None: the policy's own heads.
        guide: scores the samples: `prm`, `value`, `policy` or a weighted sum of them.
        samples: whole solutions drawn of each problem, at temperature 1; the largest N.
        limit: at most so many problems of each of the suite's entries.
        seed: of the samples; the problems follow from the suite alone.
        title: of report and picture.
        progress: show a progress bar.

    Raises:
        ValueError: a bad argument, a guide that reads the verifier or cannot serve, or a folder
            that holds something else.
    """
    if samples < 2:
        raise ValueError(f"samples must be 2 or more, received {samples}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, received {seed}")
    parsed = Guide.parse(guide)
    problems = resolve(suite if isinstance(suite, Suite) else load_suite(suite), limit)
    refuse_verifier(parsed, problems.items)
    if reward_model is not None and not parsed.learned:
        raise ValueError(f"The guide {guide!r} reads no reward model: use prm, or give none")
    policy = load_writer(model)
    critic = None if reward_model is None else load_writer(reward_model)
    for item in _distinct(problems.items):
        parsed.check(critic or policy, make_env(item.env, item.kwargs))
    config = _config(problems, policy, critic or policy, guide, samples, seed)
    with counting(problems.suite.name, len(problems.items), progress) as advance:
        sampled = draw_samples(problems.items, Path(out), config, policy, critic, advance)
    models = {"policy": source_of(model), "reward_model": source_of(reward_model)}
    study = analyse(config, models, sampled)
    write_study(study, problems.items, Path(out), title)
    return study


def analyse(
    config: dict[str, Any], models: dict[str, str | None], sampled: Sequence[Sampled]
) -> Study:
    """The curves of samples, with intervals over the problems; a problem with an error counts as
    never solved."""
    numbers = powers_up_to(config["samples"])
    chances = np.array([rank_chances(config["samples"], n) for n in numbers])
    nothing = np.zeros(len(numbers))
    accuracy, coverage = [], []
    scores: list[Array] = []
    for one in sampled:
        if one.error is not None:
            accuracy.append(nothing)
            coverage.append(nothing)
            continue
        accuracy.append(expected_best(one.scores, one.solved, chances))
        coverage.append(expected_best(one.solved, one.solved, chances))
        scores.append(expected_best(one.scores, one.scores, chances))
    points = tuple(
        Point(
            n,
            best_of_kl(n),
            _share([curve[place] for curve in accuracy]),
            bootstrap([curve[place] for curve in scores]) if scores else None,
            _share([curve[place] for curve in coverage]),
        )
        for place, n in enumerate(numbers)
    )
    return Study(config, models, tuple(sampled), points, find_peak(np.array(accuracy)))


def _share(of_each: Sequence[float]) -> Estimate:
    """Share of problems: by bootstrap, and at least Wilson's interval where all are alike (as at
    the largest N, if nothing is solved), since resampling equal numbers gives one of no width."""
    if len(set(of_each)) == 1:
        return wilson(sum(of_each), len(of_each))
    return bootstrap(of_each)


def refuse_verifier(guide: Guide, items: Sequence[Item]) -> None:
    """Refuse a guide that reads the verifier: what it says is no learned score.

    Raises:
        ValueError: `public`, `oracle`, or `value` where the verifier is public.
    """
    for name in ("public", "oracle"):
        if name in guide.names:
            raise ValueError(
                f"The guide {name!r} reads the verifier, which is not to be over-optimised: use "
                "prm, value, policy, or a sum such as 0.5*prm+0.5*policy"
            )
    if "value" in guide.names:
        for item in _distinct(items):
            task = make_env(item.env, item.kwargs).task
            if task.public_verifier:
                raise ValueError(
                    f"The guide 'value' reads the verifier at the end of {task.name}'s episodes, "
                    "since it is public there, and so is no learned score: use 'prm'"
                )


def _distinct(items: Sequence[Item]) -> list[Item]:
    """One item for each setting of an environment."""
    kinds = {(item.env, json.dumps(dict(item.kwargs), sort_keys=True)): item for item in items}
    return list(kinds.values())


def _config(
    problems: Resolved,
    policy: LanguageModel,
    critic: LanguageModel,
    guide: str,
    samples: int,
    seed: int,
) -> dict[str, Any]:
    return {
        "suite": problems.suite.to_json(),
        "limit": problems.limit,
        "suite_hash": problems.hash,
        "model_digest": policy.digest,
        "reward_model_digest": critic.digest,
        "guide": guide,
        "samples": samples,
        "seed": seed,
        "chunk": max(1, ROWS // samples),
    }


def _listed(numbers: Sequence[int]) -> str:
    return ", ".join(map(str, numbers))
