"""What is written of a sweep: `sweep.json` (the data), `sweep.md` (tables), `sweep.png`."""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from benchmarks.compare import Comparison, compare
from benchmarks.metrics import Summary, summarise
from benchmarks.records import LEDGER
from benchmarks.regret import LOSSES, show_regret
from benchmarks.significance import holm
from benchmarks.sweep_pictures import sweep_picture
from benchmarks.tables import cell, interval, p_value, percent, points, table

if TYPE_CHECKING:
    from benchmarks.sweep import Point, Sweep

DATA, REPORT, PICTURE = "sweep.json", "sweep.md", "sweep.png"
FORMAT = 1
BASELINE = "best_of_n"
"""What every strategy is compared with, at the same budget."""


@dataclass(frozen=True, slots=True)
class Against:
    """A strategy against the baseline at one budget.

    Attributes:
        holm: McNemar's p after Holm's correction for all comparisons of the sweep.
    """

    point: Point
    comparison: Comparison
    holm: float


def write_sweep(swept: Sweep, out: Path) -> None:
    """Write the three files; only `sweep.json` has anything of time in it."""
    against = comparisons(swept.points)
    data = json.dumps(to_json(swept, against), indent=2, allow_nan=False)
    (out / DATA).write_text(data + "\n", encoding="utf-8")
    sweep_picture(swept, out / PICTURE, _title(swept))
    (out / REPORT).write_text(to_markdown(swept, against), encoding="utf-8")


def comparisons(all_points: Sequence[Point]) -> list[Against]:
    """Every strategy against the baseline, where both have a point of the same multiple."""
    base = {point.multiple: point for point in all_points if point.strategy == BASELINE}
    others = [p for p in all_points if p.strategy != BASELINE and p.multiple in base]
    found = [compare(base[point.multiple].run, point.run) for point in others]
    corrected = holm([comparison.overall.p for comparison in found])
    return [Against(*three) for three in zip(others, found, corrected)]


def to_json(swept: Sweep, against: Sequence[Against]) -> dict[str, Any]:
    """`sweep.json`; everything per problem is a mean over all problems of the suite."""
    config = swept.greedy.run.manifest.config
    greedy = summarise(swept.greedy.run.episodes)
    return {
        "format": FORMAT,
        "suite": {"name": swept.suite.name, "version": swept.suite.version},
        "suite_hash": config["suite_hash"],
        "limit": swept.limit,
        "episodes": greedy.episodes,
        "model": swept.model,
        "model_digest": config["model_digest"],
        "reward_model": swept.reward_model,
        "guide": swept.guide,
        "seed": swept.seed,
        "unit": {"tokens": swept.unit, "mean": greedy.tokens, "unfinished": greedy.unfinished},
        "skipped": [
            {"multiple": multiple, "budget": multiple * swept.unit, "reason": reason}
            for multiple, reason in swept.skipped.items()
        ],
        "points": [_point_json(point) for point in swept.points],
        "comparisons": [
            {
                "strategy": one.point.strategy,
                "against": BASELINE,
                "multiple": one.point.multiple,
                "budget": one.point.budget,
                "difference": asdict(one.comparison.overall.difference),
                "gained": one.comparison.overall.gained,
                "lost": one.comparison.overall.lost,
                "p": one.comparison.overall.p,
                "p_holm": one.holm,
                "warnings": list(one.comparison.warnings),
            }
            for one in against
        ],
    }


def _point_json(point: Point) -> dict[str, Any]:
    summary, manifest = summarise(point.run.episodes), point.run.manifest
    return {
        "strategy": point.strategy,
        "multiple": point.multiple,
        "budget": point.budget,
        "options": dict(point.options),
        "defaults": dict(manifest.defaults),
        "folder": point.run.folder.name,
        "division": point.run.division,
        "solved": summary.solved,
        "unfinished": summary.unfinished,
        "errors": summary.errors,
        "accuracy": asdict(summary.accuracy),
        "wilson": asdict(summary.wilson),
        "per_problem": per_problem(point),
        "seconds": manifest.seconds,
        "regret": None if point.regret is None else point.regret.to_json(),
    }


def per_problem(point: Point) -> dict[str, float]:
    """What a point has spent on a problem, on average (`LEDGER`)."""
    manifest = point.run.manifest
    return {key: manifest.ledger[key] / manifest.episodes for key in LEDGER}


def to_markdown(swept: Sweep, against: Sequence[Against]) -> str:
    """`sweep.md`."""
    greedy = summarise(swept.greedy.run.episodes)
    config = swept.greedy.run.manifest.config
    model = swept.model or "a loaded model"
    guided = f"guide `{swept.guide}`" if swept.guide else "the best open guide of each problem"
    if swept.reward_model:
        guided += f", reward model `{swept.reward_model}`"
    parts = [
        f"# Accuracy against generated tokens: {cell(_title(swept))}",
        f"Model `{model}` ({(config['model_digest'] or '')[:12]}), {guided}, seed {swept.seed}, "
        f"suite hash `{config['suite_hash'][:12]}`. The unit is a greedy answer: {swept.unit} "
        f"generated tokens (mean {greedy.tokens:.2f}, rounded up).",
        f"![Accuracy against generated tokens per problem]({PICTURE})",
        "## Accuracy",
        _accuracy(swept.points),
        f"## Against {BASELINE} at the same budget",
        _against(against),
        "## What it took",
        _cost(swept.points),
        "## How to read it",
        "\n".join(f"- {note}" for note in _notes(swept, greedy, against)),
    ]
    return "\n\n".join(part.strip() for part in parts) + "\n"


def _accuracy(all_points: Sequence[Point]) -> str:
    header = ["strategy", "budget", "tokens", "accuracy [95 % bootstrap]", "[95 % Wilson]"]
    header += ["tokens used", "of budget", "regret [95 % bootstrap]", "division"]
    rows = []
    for point in all_points:
        summary = summarise(point.run.episodes)
        used = "" if point.budget is None else f"{summary.tokens / point.budget:.0%}"
        rows.append(
            [
                point.strategy,
                "suite's" if point.multiple is None else f"{point.multiple}x",
                "no limit" if point.budget is None else str(point.budget),
                percent(summary.accuracy),
                f"[{100 * summary.wilson.low:.1f}, {100 * summary.wilson.high:.1f}]",
                f"{summary.tokens:.1f}",
                used,
                "none" if point.regret is None else show_regret(point.regret.regret),
                point.run.division,
            ]
        )
    return table(header, rows)


def _against(against: Sequence[Against]) -> str:
    if not against:
        return f"Not compared: it takes points of {BASELINE} and of others at the same budgets."
    header = ["strategy", "budget", "difference (points)", "95 % interval", "gained", "lost"]
    header += ["McNemar p", "Holm p"]
    rows = []
    for one in against:
        paired = one.comparison.overall
        mark = " [unequal]" if one.comparison.warnings else ""
        rows.append(
            [
                one.point.strategy + mark,
                f"{one.point.multiple}x",
                points(paired.difference.value),
                interval(paired.difference),
                str(paired.gained),
                str(paired.lost),
                p_value(paired.p),
                p_value(one.holm),
            ]
        )
    warnings = dict.fromkeys(warning for one in against for warning in one.comparison.warnings)
    return table(header, rows) + "".join(f"\nUnequal: {cell(text)}.\n" for text in warnings)


def _cost(all_points: Sequence[Point]) -> str:
    header = ["point", "settings", *(key.replace("_", " ") for key in LEDGER)]
    header += ["unfinished", "errors"]
    rows = []
    for point in all_points:
        spent, manifest = per_problem(point), point.run.manifest
        rows.append(
            [
                point.name,
                _settings(point.options),
                *(f"{spent[key]:.1f}" for key in LEDGER),
                str(manifest.unfinished),
                str(manifest.errors),
            ]
        )
    return (
        table(header, rows, left=2) + "\nPer problem, but for unfinished and errors (problems).\n"
    )


def _notes(swept: Sweep, greedy: Summary, against: Sequence[Against]) -> list[str]:
    notes = [
        "Equal budget: at a multiple, every strategy may generate the same number of tokens on "
        "each problem, those of discarded candidates included; none can pass it. Tokens that a "
        "model reads, and what guides are asked, are not in it: see the table of what it took.",
        "Tokens used stay below the budget where a strategy stops early: the guide knows that a "
        "solution is right (with a public verifier), nothing is left to try, or the settings end "
        "it (beam and dvts plan ahead for answers as long as the greedy ones). The "
        "picture has what was used, the comparisons what was allowed.",
        "Settings follow from the multiple by a rule that was fixed beforehand "
        "(`benchmarks.sweep.SETTINGS`); nothing was tuned on these problems. All other options "
        "are the strategies' defaults.",
        "Greedy and sample write one answer, whatever the budget; theirs is the suite's.",
        "Differences are paired on the problems. McNemar's p is for one comparison; Holm's is "
        f"corrected for all {len(against)}. Points of a strategy at several budgets are not "
        "independent of each other.",
    ]
    division = {point.run.division for point in swept.points if point.strategy != "greedy"}
    reads = "the verifier or the exact potential was read: not comparable with the open division"
    notes += [f"Oracle division: {reads}."] if "oracle" in division else ["All points are open."]
    if swept.greedy.regret:
        left_out = ", ".join(swept.greedy.regret.left_out)
        notes.append(
            "Regret is the share of the exact optimal value (0.9 to the lines needed) that the "
            f"chosen lines lost (`benchmarks.regret`): by {', '.join(LOSSES)}. "
            + (f"Left out, for only the answer is verified: {left_out}." if left_out else "")
        )
    else:
        notes.append("No regret: only the answers of these families are verified.")
    if greedy.unfinished:
        notes.append(
            f"{greedy.unfinished} of {greedy.episodes} greedy answers were not finished within "
            "the suite's budget: the unit is what they wrote until then."
        )
    notes += [f"{n}x was skipped: {cell(why)}." for n, why in swept.skipped.items()]
    return [note.strip() for note in notes]


def _settings(options: Mapping[str, Any]) -> str:
    return ", ".join(f"{key}={value}" for key, value in options.items()) or "defaults"


def _title(swept: Sweep) -> str:
    limited = f", limited to {swept.limit} an entry" if swept.limit else ""
    name = f"{swept.suite.name} v{swept.suite.version}"
    return f"{name}{limited}: {swept.greedy.run.manifest.episodes} problems"
