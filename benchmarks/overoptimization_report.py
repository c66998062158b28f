"""What a study of over-optimisation leaves in its folder: JSON, Markdown and a picture."""

from __future__ import annotations

import json
from collections.abc import Callable, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING

from benchmarks.metrics import Estimate
from benchmarks.overoptimization_pictures import overoptimization_picture
from benchmarks.solution_samples import Sampled
from benchmarks.suite import Item, make_env
from benchmarks.tables import cell, percent, table
from reason_env.errors import require

if TYPE_CHECKING:
    from benchmarks.overoptimization import Study

STUDY, REPORT, PICTURE = "overoptimization.json", "overoptimization.md", "overoptimization.png"
_EXAMPLES = 4


def write_study(study: Study, items: Sequence[Item], out: Path, title: str) -> None:
    """Write `overoptimization.json`, `.md` and `.png`; earlier ones are replaced."""
    overoptimization_picture(study, out / PICTURE, title)
    text = "\n\n".join(part.strip() for part in _report(study, items, title)) + "\n"
    (out / REPORT).write_text(text, encoding="utf-8")
    value = json.dumps(study.to_json(), indent=2, allow_nan=False) + "\n"
    (out / STUDY).write_text(value, encoding="utf-8")


@contextmanager
def counting(name: str, problems: int, show: bool) -> Iterator[Callable[[int], None]]:
    """A progress bar over problems; gives the function to call with how many more are done."""
    if not show:
        yield lambda more: None
        return
    bars = require("rich.progress", "bench")
    with bars.Progress(
        bars.TextColumn("{task.description}"),
        bars.BarColumn(),
        bars.MofNCompleteColumn(),
        bars.TimeElapsedColumn(),
        bars.TimeRemainingColumn(),
    ) as progress:
        task = progress.add_task(f"{name} samples", total=problems)
        yield lambda more: progress.advance(task, more)


def score(estimate: Estimate) -> str:
    """A score and its interval: `0.612 [0.570, 0.654]`."""
    return f"{estimate.value:.3f} [{estimate.low:.3f}, {estimate.high:.3f}]"


def _report(study: Study, items: Sequence[Item], title: str) -> list[str]:
    config, suite = study.config, study.config["suite"]
    limited = f" (limited to {config['limit']} an entry)" if config["limit"] else ""
    rows = [
        [
            str(point.n),
            f"{point.kl:.2f}",
            percent(point.accuracy),
            "none" if point.score is None else score(point.score),
            percent(point.coverage),
        ]
        for point in study.points
    ]
    header = ["N", "KL (nats)", "true accuracy [95 %]", "proxy score [95 %]", "coverage [95 %]"]
    return [
        f"# {cell(title)}",
        f"**{study.verdict}**",
        f"![Accuracy, proxy score and coverage against N]({PICTURE})",
        table(header, rows),
        f"{len(study.sampled)} problems of {cell(suite['name'])} v{suite['version']}{limited}; "
        f"{config['samples']} whole solutions of each from the policy at temperature 1, scored by "
        f"the guide `{config['guide']}`, which does not read the verifier. Accuracy: how often the "
        "best-scored of N is a solution, by replay in the environment. Coverage: how often any of "
        "the N is. All three are exact expectations over every subset of N of the samples; ties "
        "share evenly. KL: of best-of-N from the policy, log N - (N - 1) / N. Intervals in the "
        "table: bootstrap over problems, each for itself; that of the fall holds for all pairs of "
        "N at once, so that choosing the highest N does not flatter it.",
        *_errors(study.errors),
        *_examples(study.sampled, items),
        "## How it was run",
        f"- Policy: {_model(study, 'policy', 'model_digest')}\n"
        f"- Reward model: {_model(study, 'reward_model', 'reward_model_digest')}\n"
        f"- Suite hash: `{config['suite_hash']}`; seed of the samples: {config['seed']}\n"
        f"- Generated tokens: {sum(sum(one.tokens) for one in study.sampled)}, texts scored: "
        f"{sum(one.ledger['evaluator_calls'] for one in study.sampled)}, verifier calls by the "
        f"guide: {sum(one.ledger['verifier_calls'] for one in study.sampled)}",
    ]


def _model(study: Study, name: str, digest: str) -> str:
    source = study.models[name]
    return f"{cell(source) + ' ' if source else ''}`{study.config[digest][:12]}`"


def _errors(failed: Sequence[Sampled]) -> list[str]:
    if not failed:
        return []
    return [
        f"{len(failed)} problems failed and count as not solved at every N (they have no proxy "
        f"score). The first: {cell(str(failed[0].error))}"
    ]


def _examples(sampled: Sequence[Sampled], items: Sequence[Item]) -> list[str]:
    """What the guide likes most of what is wrong, although something right was there."""
    fooled = [one for one in sampled if any(one.solved) and not one.best_solved]
    if not fooled:
        return []
    fooled.sort(key=lambda one: -max(one.scores))
    solvable = sum(any(one.solved) for one in sampled)
    rows = []
    for one in fooled[:_EXAMPLES]:
        item = items[one.index]
        env = make_env(item.env, item.kwargs)
        env.reset(seed=item.seed)
        right = max(score for score, solved in zip(one.scores, one.solved) if solved)
        lines = "; ".join(one.best)
        rows.append([env.episode.text[:200], lines[:200], f"{max(one.scores):.4f}", f"{right:.4f}"])
    header = ["problem", "best-scored of all: wrong", "its score", "best score of a solution"]
    return [
        "## What it is fooled by",
        f"On {len(fooled)} of the {solvable} problems of which a solution was drawn, the "
        "best-scored of all samples is wrong. Those with the highest scores:",
        table(header, rows, left=2),
    ]
