"""What `reason-bench compare` shows: tables for people, JSON for programs."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from math import isfinite
from typing import Any

from benchmarks.compare import Comparison, Judged, count, paired_cells
from benchmarks.intervals import ALPHA
from benchmarks.metrics import RESAMPLES, SEED, Estimate
from benchmarks.paired import TEMPLATES, Paired
from benchmarks.power import POWER
from benchmarks.sides import Side
from benchmarks.tables import interval, p_value, points
from benchmarks.thresholds import Verdict

FORMAT = 1
METHODS = {"bootstrap": "over problems", "t": "over problems and training seeds"}
TESTS = {"McNemar": "exact McNemar", "sign flip": "exact sign flip", "t": "t"}


@dataclass(frozen=True, slots=True)
class Table:
    """Cells to be drawn, the first column text and the others numbers."""

    title: str
    header: tuple[str, ...]
    rows: list[list[str]]


def tables(judged: Sequence[Judged]) -> list[Table]:
    """One table of all challengers, and one of families for each of them."""
    comparisons = [one.comparison for one in judged]
    names = [one.second.name for one in comparisons]
    base = comparisons[0].first
    title = f"{names[0]} against {base.name}" if len(names) == 1 else f"Against {base.name}"
    header = ("", "" if len(names) == 1 else names[0], *names[1:])
    lines: dict[str, list[str]] = {}
    for place, one in enumerate(judged):
        for label, text in _facts(one, len(judged)):
            lines.setdefault(label, [""] * len(judged))[place] = text
    found = [Table(title, header, [[label, *texts] for label, texts in lines.items()])]
    return found + [_families(one, len(judged)) for one in judged if one.families]


def _facts(judged: Judged, tests: int) -> list[tuple[str, str]]:
    """Everything about a comparison, line by line."""
    one = judged.comparison
    paired, templates = one.overall, one.overall.templates
    corrected = f", Holm of {tests}"
    facts = [
        ("problems", str(paired.episodes)),
        ("accuracy, first", f"{100 * one.first.accuracy:.1f} %"),
        ("accuracy, second", f"{100 * one.second.accuracy:.1f} %"),
        ("difference (points)", points(paired.difference.value)),
        (f"  95 % {METHODS[paired.method]}, {paired.method}", interval(paired.difference)),
    ]
    if paired.score:
        facts.append(("  95 % over problems, Tango's score", interval(paired.score)))
    if templates:
        facts.append(
            (f"  95 % over {templates.templates} templates, t", interval(templates.difference))
        )
    if paired.error is not None:
        facts.append((f"standard error {METHODS[paired.method]}", f"{100 * paired.error:.2f}"))
    if templates:
        facts.append(("standard error over templates", f"{100 * templates.error:.2f}"))
    facts += [("gained / lost", f"{count(paired.gained)} / {count(paired.lost)}")]
    if len(one.first.runs) == len(one.second.runs) == 1:
        facts.append(("odds gained : lost", _odds(paired.odds)))
    facts.append((f"p, {TESTS[paired.test]}", _p(paired.p)))
    if tests > 1:
        facts.append((f"  p{corrected}", _p(judged.holm)))
    if templates:
        facts.append((f"p over templates, {TESTS[templates.test]}", _p(templates.p)))
        if tests > 1 and judged.templates is not None:
            facts.append((f"  p over templates{corrected}", _p(judged.templates)))
    facts.append(("detectable with 80 % power (points)", _detectable(paired.detectable)))
    if templates:
        facts.append(("  ... over templates", _detectable(templates.detectable)))
    wanted = "no number" if paired.needed is None else f"{paired.needed:,}"
    facts += [
        ("problems to show this difference", wanted),
        ("tokens per problem", _tokens(one)),
        ("errors", f"{one.first.errors:g} to {one.second.errors:g}"),
    ]
    return facts


def _odds(odds: Estimate | None) -> str:
    if odds is None:
        return "none"
    value, low, high = (f"{x:.2f}" if isfinite(x) else "infinite" for x in _ends(odds))
    return f"{value} [{low}, {high}]"


def _ends(estimate: Estimate) -> tuple[float, float, float]:
    return estimate.value, estimate.low, estimate.high


def _detectable(difference: float | None) -> str:
    return "none" if difference is None else f"{100 * difference:.1f}"


def _tokens(one: Comparison) -> str:
    shown = f"{one.first.tokens:.1f} to {one.second.tokens:.1f}"
    if not isfinite(one.tokens.value):
        return shown
    value, low, high = (f"{100 * x:+.1f}" for x in _ends(one.tokens))
    return f"{shown} ({value} % [{low}, {high}])"


def _families(judged: Judged, challengers: int) -> Table:
    """Short headers: it is to fit a terminal."""
    one = judged.comparison
    tests = {paired.test for paired in one.families.values()}
    name = f": {one.second.name}" if challengers > 1 else ""
    title = f"By family{name} (p: {', '.join(TESTS[test] for test in sorted(tests))})"
    header = ("", "n", "points", "95 % interval", "gained", "lost", "p", "Holm p")
    rows = []
    for family, paired in one.families.items():
        # Families are small, and some all solved: only Tango's interval has a width there.
        shown = interval(paired.score or paired.difference)
        n, value, _, gained, lost, _ = paired_cells(paired)
        ps = [_p(p) for p in (paired.p, judged.families[family])]
        rows.append([family, n, value, shown, gained, lost, *ps])
    return Table(title, header, rows)


def _p(p: float) -> str:
    return p_value(p).replace("under ", "<")


def notes(judged: Sequence[Judged]) -> list[str]:
    """What to know before believing the tables."""
    found = [note for one in judged for note in (*one.comparison.warnings, *one.comparison.notes)]
    if all(one.comparison.overall.templates is None for one in judged):
        found.append(
            f"nothing is said of other templates: that takes {TEMPLATES} entries in the suite"
        )
    return list(dict.fromkeys(found))


def to_json(judged: Sequence[Judged], verdicts: Sequence[Sequence[Verdict]]) -> dict[str, Any]:
    """Everything, as JSON; differences and accuracies from 0 to 1, null where there is no number.

    In `odds` and `tokens` null is infinity: `odds` itself is null where nothing was gained or
    lost, and `tokens` is never null.

    Args:
        verdicts: of the thresholds, for each comparison.
    """
    return {
        "format": FORMAT,
        "alpha": ALPHA,
        "power": POWER,
        "bootstrap": {"seed": SEED, "resamples": RESAMPLES},
        "first": _side(judged[0].comparison.first),
        "comparisons": [
            {
                "second": _side(one.comparison.second),
                "overall": {
                    **_paired(one.comparison.overall, one.holm),
                    "templates": _templates(one),
                },
                "families": {
                    name: _paired(paired, one.families[name])
                    for name, paired in one.comparison.families.items()
                },
                "tokens": _finite(one.comparison.tokens),
                "warnings": list(one.comparison.warnings),
                "notes": list(one.comparison.notes),
                "thresholds": [
                    {
                        "metric": verdict.threshold.metric,
                        "change": verdict.threshold.change,
                        "measured": _finite(verdict.measured),
                        "failed": verdict.failed,
                    }
                    for verdict in mine
                ],
            }
            for one, mine in zip(judged, verdicts)
        ],
        "failed": any(verdict.failed for mine in verdicts for verdict in mine),
    }


def _side(side: Side) -> dict[str, Any]:
    config = side.runs[0].manifest.config
    return {
        "name": side.name,
        "folders": [str(run.folder) for run in side.runs],
        "suite_hash": config["suite_hash"],
        "seeds": [run.manifest.config["seed"] for run in side.runs],
        "models": [run.manifest.config["model_digest"] for run in side.runs],
        "division": side.division,
        "accuracy": side.accuracy,
        "tokens": side.tokens,
        "errors": side.errors,
    }


def _paired(paired: Paired, corrected: float) -> dict[str, Any]:
    value = asdict(paired)
    value.pop("templates")
    value["odds"] = None if paired.odds is None else _finite(paired.odds)
    return {**value, "p_holm": corrected}


def _templates(judged: Judged) -> dict[str, Any] | None:
    templates = judged.comparison.overall.templates
    return None if templates is None else {**asdict(templates), "p_holm": judged.templates}


def _finite(estimate: Estimate) -> dict[str, float | None]:
    return {name: number if isfinite(number) else None for name, number in asdict(estimate).items()}
