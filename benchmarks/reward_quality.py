"""How good is a reward model: its two heads against the exact potential, on fresh problems.

States are those that rollouts of a policy visit. The process reward is held against exact
reachability (potential above 0, the last line right), the value against the exact potential. Both
are read as a search's guide reads them, by `rewards` and `values` of the tokens up to the state.

The prompt itself is left out of the headline: its goal is always in reach. Every state counts as
often as it is visited. Intervals resample problems, whose states stand or fall together.
"""

from __future__ import annotations

import json
from collections.abc import Callable, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from agents.learning.rollout import rollout
from agents.learning.specs import EnvSpec
from agents.learning.step_labels import exact
from agents.models.base import LanguageModel, Tokens
from agents.models.hf import HFModel
from benchmarks.calibration import (
    Statistic,
    auc,
    average,
    calibrated_floor,
    calibration_error,
    cluster_bootstrap,
    equal_mass,
    pearson,
    spearman,
)
from benchmarks.environment import capture
from benchmarks.metrics import RESAMPLES, SEED, Estimate
from benchmarks.reward_report import markdown, reliability_picture
from benchmarks.suite import Suite, make_env, resolve
from reason_env.splits import stream_seed

NAME = "reward_quality"
BINS = 10
IN_REACH, MISTAKE, AFTER = "in reach", "the mistake", "after it"
_BLOCK = 256
"""Problems rolled out at once. The rollouts' streams are numbered within a block."""


@dataclass(frozen=True, slots=True)
class States:
    """States that were visited, N of them.

    Attributes:
        problem: number of the problem, (N,).
        depth: lines from the root (a line ended by giving up is one), (N,).
        reach: whether the goal is in reach and the last line right, (N,).
        worth: exact potential, in [0, 1]; where the episode is over, whether it was solved, (N,).
        fate: `IN_REACH`, `MISTAKE` where the last line lost the goal, or `AFTER` that, (N,).
        process: what the process reward head says, in [0, 1], (N,); None without such a head.
        value: what the value head says, (N,); None without such a head.
    """

    problem: NDArray[np.int64]
    depth: NDArray[np.int64]
    reach: NDArray[np.bool_]
    worth: NDArray[np.float64]
    fate: NDArray[np.str_]
    process: NDArray[np.float64] | None
    value: NDArray[np.float64] | None

    def __len__(self) -> int:
        return len(self.problem)

    def where(self, chosen: NDArray[np.bool_]) -> States:
        """Some of them."""
        return States(
            self.problem[chosen],
            self.depth[chosen],
            self.reach[chosen],
            self.worth[chosen],
            self.fate[chosen],
            None if self.process is None else self.process[chosen],
            None if self.value is None else self.value[chosen],
        )


def reward_quality(
    model: str | Path,
    env: str,
    out: str | Path,
    *,
    policy: str | Path | None = None,
    problems: int = 300,
    split: str = "test",
    samples: int = 4,
    temperature: float = 1.0,
    seed: int = 0,
) -> dict[str, Any]:
    """Score a reward model; writes `reward_quality.json`, `.md` and `.png` to a folder.

    Args:
        model: checkpoint with a process reward head, a value head, or both.
        env: `Countdown-v0:level=1,feedback=state`; its split is replaced.
        out: the folder; files of an earlier study there are replaced.
        policy: checkpoint that visits the states; None: the model itself.
        problems: distinct problems of the split.
        samples: rollouts of each.
        seed: of problems and rollouts.

    Returns:
        What the JSON file has.

    Raises:
        ValueError: a setting out of its range, a model without either head, or a task whose lines
            are not verified.
        FileNotFoundError: no such checkpoint.
    """
    if samples < 1:
        raise ValueError(f"samples must be 1 or more, received {samples}")
    if not 0 <= temperature < np.inf:
        raise ValueError(f"temperature must be 0 or more, received {temperature}")
    if problems < 1:
        raise ValueError(f"problems must be 1 or more, received {problems}")
    if seed < 0:
        raise ValueError(f"seed must be 0 or more, received {seed}")
    out = Path(out)
    if out.exists() and not out.is_dir():
        raise ValueError(f"{out} is no folder; choose a new one with --out")
    spec = EnvSpec.parse(env)
    kwargs = {**dict(spec.kwargs), "split": split}
    name = spec.id if "/" in spec.id else f"reason_env/{spec.id}"
    entry = {"env": name, "kwargs": kwargs, "episodes": problems}
    suite = Suite.from_json({"name": NAME, "version": 1, "seed": seed, "entries": [entry]})
    if not make_env(name, kwargs).task.has_steps:
        raise ValueError(f"Of {spec.id} only the answers are verified: no state of it is judged")
    judge = HFModel.load(str(model))
    writer = judge if policy is None else HFModel.load(str(policy))
    resolved = resolve(suite)
    states = visit(judge, writer, suite, samples, temperature)
    if not (states.depth > 0).any():
        raise ValueError(
            f"{policy or model} finished no line in {problems * samples} rollouts, so there is no "
            "step to judge; train it first (reason-train sft), or name another with --policy"
        )
    study = {
        "model": str(model),
        "model_digest": judge.digest,
        "policy": str(policy or model),
        "policy_digest": writer.digest,
        "env": name,
        "kwargs": kwargs,
        "suite_hash": resolved.hash,
        "problems": problems,
        "samples": samples,
        "temperature": temperature,
        "seed": seed,
        "bins": BINS,
        "bootstrap": {"seed": SEED, "resamples": RESAMPLES, "of": "problems"},
        "environment": capture(),
        **score(states),
    }
    out.mkdir(parents=True, exist_ok=True)
    picture = out / f"{NAME}.png"
    reliability_picture(study, picture)
    (out / f"{NAME}.md").write_text(markdown(study, picture.name), encoding="utf-8")
    text = json.dumps(study, indent=2, allow_nan=False)
    (out / f"{NAME}.json").write_text(text + "\n", encoding="utf-8")
    return study


def visit(
    judge: LanguageModel,
    policy: LanguageModel,
    suite: Suite,
    samples: int = 4,
    temperature: float = 1.0,
) -> States:
    """States that rollouts of a policy visit on a suite's problems, and what the judge says there.

    Raises:
        ValueError: the judge has neither head.
    """
    if not (judge.has_rewards or judge.has_values):
        raise ValueError(
            "The model has neither a process reward head nor a value head: train them "
            "(reason-train reward-model), or a value head alone (expert-iteration, ppo)"
        )
    items = resolve(suite).items
    rows: list[tuple[int, int, bool, float, str]] = []
    contexts: list[tuple[int, ...]] = []
    for start in range(0, len(items), _BLOCK):
        block = items[start : start + _BLOCK]
        envs = []
        for item in block:
            for _ in range(samples):
                envs.append(make_env(item.env, item.kwargs))
                envs[-1].reset(seed=item.seed)
        played = rollout(
            policy, envs, stream_seed(NAME, suite.seed, start), temperature, blind=True
        )
        for number, trajectory in enumerate(map(exact, played)):
            before = True
            for depth, state in enumerate(trajectory.visits):
                reach = trajectory.process[state.place] > 0
                fate = IN_REACH if reach else MISTAKE if before else AFTER
                worth = trajectory.potentials[state.place]
                rows.append((start + number // samples, depth, reach, worth, fate))
                contexts.append(trajectory.tokens[1 : state.place + 1])
                before = reach
    problem, depths, reached, worths, fates = map(np.array, zip(*rows))
    process = _say(judge.rewards, contexts) if judge.has_rewards else None
    value = _say(judge.values, contexts) if judge.has_values else None
    return States(problem, depths, reached, worths, fates, process, value)


def _say(
    ask: Callable[[Sequence[Tokens]], list[float]], contexts: Sequence[tuple[int, ...]]
) -> NDArray[np.float64]:
    """Each different context is asked about once; those of like length together, to pad less."""
    distinct = sorted(set(contexts), key=lambda context: (len(context), context))
    said = dict(zip(distinct, ask(distinct)))
    return np.array([said[context] for context in contexts])


# -- Scores --------------------------------------------------------------------------------------


def score(states: States) -> dict[str, Any]:
    """Every number of the study, estimates as `{"value", "low", "high"}` or None."""
    steps = states.where(states.depth > 0)
    last = int(states.depth.max())
    depths = {str(d): states.depth == d for d in range(min(3, last + 1))}
    if last >= 3:
        depths["3 or more"] = states.depth >= 3
    parts = {name: states.where(chosen) for name, chosen in depths.items()}
    fates = {name: steps.where(steps.fate == name) for name in (IN_REACH, MISTAKE, AFTER)}
    found: dict[str, Any] = {
        "states": len(states),
        "steps": len(steps),
        "prompts": len(states) - len(steps),
        "prm": None,
        "value": None,
    }
    for head, numbers, scores in (
        ("prm", states.process, process_scores),
        ("value", states.value, value_scores),
    ):
        if numbers is not None:
            found[head] = {
                "all": _entry(steps, scores),
                "by_depth": {name: _entry(part, scores) for name, part in parts.items()},
                "by_fate": {name: _entry(part, scores) for name, part in fates.items()},
                "finds_mistake": _json(_against(steps, head, MISTAKE)),
                "finds_after": _json(_against(steps, head, AFTER)),
                "reliability": _reliability(steps, head),
            }
    if steps.process is not None and len(steps):
        found["prm"]["calibrated_floor"] = calibrated_floor(steps.process, BINS)
    return found


def process_scores(states: States) -> dict[str, Statistic]:
    """Of the process reward: share in reach, accuracy at 1/2, Brier score, ECE and AUC."""
    said, true = states.process, states.reach
    assert said is not None
    return {
        "base_rate": average(true),
        "accuracy": average((said > 0.5) == true),
        "brier": average((said - true) ** 2),
        "ece": calibration_error(said, true, BINS),
        "auc": auc(said, true),
    }


def value_scores(states: States) -> dict[str, Statistic]:
    """Of the value: mean potential, mean absolute error, mean error (bias), that of each bin in
    absolute value, correlations with the potential, and AUC for whether the goal is in reach."""
    said, true = states.value, states.worth
    assert said is not None
    return {
        "mean_potential": average(true),
        "absolute_error": average(np.abs(said - true)),
        "bias": average(said - true),
        "bin_bias": calibration_error(said, true, BINS),
        "pearson": pearson(said, true),
        "spearman": spearman(said, true),
        "auc": auc(said, states.reach),
    }


def _entry(states: States, scores: Callable[[States], dict[str, Statistic]]) -> dict[str, Any]:
    if not len(states):
        return {"n": 0}
    found = cluster_bootstrap(scores(states), states.problem)
    return {"n": len(states), **{name: _json(estimate) for name, estimate in found.items()}}


def _against(steps: States, head: str, fate: str) -> Estimate | None:
    """AUC of telling states in reach from those of one fate."""
    chosen = steps.where((steps.fate == IN_REACH) | (steps.fate == fate))
    if not len(chosen):
        return None
    said = chosen.process if head == "prm" else chosen.value
    assert said is not None
    return cluster_bootstrap({"auc": auc(said, chosen.reach)}, chosen.problem)["auc"]


def _reliability(steps: States, head: str) -> list[dict[str, Any]]:
    """The bins of the calibration error: how many states, mean prediction, mean outcome."""
    said, true = (steps.process, steps.reach) if head == "prm" else (steps.value, steps.worth)
    assert said is not None
    place = equal_mass(said, BINS)
    rows = []
    for number in range(BINS):
        inside = place == number
        if inside.any():
            mean = cluster_bootstrap({"mean": average(true[inside])}, steps.problem[inside])
            rows.append(
                {
                    "n": int(inside.sum()),
                    "predicted": float(said[inside].mean()),
                    "observed": _json(mean["mean"]),
                }
            )
    return rows


def _json(estimate: Estimate | None) -> dict[str, float] | None:
    return None if estimate is None else asdict(estimate)
