"""A report of several runs: `report.md` and its pictures, in one folder."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from itertools import combinations
from pathlib import Path

from benchmarks.behaviours import NOTE as BEHAVIOUR_NOTE
from benchmarks.behaviours import behaviour_table
from benchmarks.compare import PAIRED, compare, judge, paired_cells
from benchmarks.metrics import families, summarise
from benchmarks.pictures import accuracy_picture, curves_picture
from benchmarks.records import LEDGER
from benchmarks.run_folder import Run, load_run
from benchmarks.tables import cell, p_value, percent, table

REPORT = "report.md"
PAIRED_NOTE = (
    "Paired on the problems. p is that of McNemar's exact test; Holm p, where a table has several, "
    "is corrected for all tests of the table."
)


def write_report(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    curves: Mapping[str, str | Path] | None = None,
    keys: Sequence[str] | None = None,
    title: str = "Report",
    notes: str = "",
) -> Path:
    """Write a report of finished runs.

    Args:
        runs: run folders, in the order in which their stages shall appear.
        out: folder for `report.md` and pictures; those of an earlier report are replaced.
        curves: name of a training run -> its folder or `metrics.jsonl`.
        keys: metrics to draw; None: six that the runs have.
        notes: Markdown, put below the title.

    Returns:
        The path of `report.md`.
    """
    if not runs:
        raise ValueError("A report needs at least one run folder")
    loaded = [load_run(folder) for folder in runs]
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    parts = [f"# {title}", *([notes.strip()] if notes.strip() else [])]
    suites = list(dict.fromkeys(run.manifest.config["suite_hash"] for run in loaded))
    for number, suite in enumerate(suites):
        mine = [run for run in loaded if run.manifest.config["suite_hash"] == suite]
        picture = out / ("accuracy.png" if number == 0 else f"accuracy-{number + 1}.png")
        parts += _suite(mine, picture)
    if curves:
        picture = out / "training.png"
        curves_picture({name: Path(path) for name, path in curves.items()}, picture, keys=keys)
        parts += ["## Training", f"![Training curves]({picture.name})"]
    parts += _how(loaded)
    report = out / REPORT
    report.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")
    return report


def accuracy_table(runs: Iterable[Run]) -> str:
    """A Markdown table with a row for each run."""
    header = ["stage", "strategy", "solved", "accuracy [95 % bootstrap]", "[95 % Wilson]"]
    header += ["unfinished", "errors", "tokens per problem", "budget", "division"]
    return table(header, map(_row, runs), left=2)


def _row(run: Run) -> list[str]:
    summary = summarise(run.episodes)
    config = run.manifest.config
    return [
        run.stage,
        run.strategy,
        f"{summary.solved} of {summary.episodes}",
        percent(summary.accuracy),
        f"[{100 * summary.wilson.low:.1f}, {100 * summary.wilson.high:.1f}]",
        str(summary.unfinished),
        str(summary.errors),
        f"{summary.tokens:.1f}",
        "none" if config["budget_tokens"] is None else str(config["budget_tokens"]),
        run.division,
    ]


def _suite(runs: Sequence[Run], picture: Path) -> list[str]:
    """Everything about one suite."""
    config = runs[0].manifest.config
    suite, episodes = config["suite"], runs[0].manifest.episodes
    name = f"{suite['name']} v{suite['version']}"
    limited = f" (limited to {config['limit']} an entry)" if config["limit"] else ""
    accuracy_picture(runs, picture, f"{name}{limited}: {episodes} problems")
    parts = [
        f"## {cell(name)}",
        f"{cell(suite['description'])} {episodes} problems{limited}; every run was asked the same.",
        f"![Accuracy by stage and strategy]({picture.name})",
        accuracy_table(runs),
        "Tokens per problem are all generated tokens, those of discarded candidates included. "
        "Unfinished episodes and errors count as not solved.",
    ]
    parts += ["### Behaviours", behaviour_table(runs), BEHAVIOUR_NOTE]
    names = list(families(runs[0].episodes))
    if len(names) > 1:
        parts += ["### By family", _family_table(runs, names)]
    stages, strategies = _stage_pairs(runs), _strategy_pairs(runs)
    if stages:
        parts += ["### What training changed", PAIRED_NOTE, _pairs(stages)]
    if strategies:
        parts += ["### What search changed", PAIRED_NOTE, _pairs(strategies)]
    return parts


def _family_table(runs: Sequence[Run], names: Sequence[str]) -> str:
    rows = []
    for run in runs:
        groups = families(run.episodes)
        accuracies = [percent(summarise(groups[name]).accuracy) for name in names]
        rows.append([run.stage, run.strategy, *accuracies])
    return table(["stage", "strategy", *names], rows, left=2)


def _stage_pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """Each strategy's first stage against its later ones."""
    first: dict[str, Run] = {}
    pairs = []
    for run in runs:
        before = first.setdefault(run.strategy, run)
        if before is not run:
            pairs.append((before, run))
    return pairs


def _strategy_pairs(runs: Sequence[Run]) -> list[tuple[Run, Run]]:
    """All strategies of a stage against each other."""
    return [(a, b) for a, b in combinations(runs, 2) if a.stage == b.stage]


def _pairs(pairs: Iterable[tuple[Run, Run]]) -> str:
    found = judge([compare(first, second) for first, second in pairs])
    rows, notes = [], []
    for judged in found:
        one = judged.comparison
        mark = " [unequal]" if one.warnings else ""
        corrected = [p_value(judged.holm)] if len(found) > 1 else []
        names = [one.first.name, one.second.name + mark]
        rows.append([*names, *paired_cells(one.overall), *corrected])
        notes += [f"{one.second.name} against {one.first.name}: {w}." for w in one.warnings]
    listed = "".join(f"\n- {cell(note)}" for note in notes)
    header = ["from", "to", *PAIRED, *(["Holm p"] if len(found) > 1 else [])]
    return table(header, rows, left=2) + (f"\nUnequal:\n{listed}\n" if notes else "")


def _how(runs: Sequence[Run]) -> list[str]:
    """What was run, and on what."""
    header = ["run", "model", "seed", "commit", "seconds", *(k.replace("_", " ") for k in LEDGER)]
    rows = []
    for run in runs:
        manifest = run.manifest
        commit = manifest.environment["commit"]
        rows.append(
            [
                run.name,
                (manifest.config["model_digest"] or "none")[:12],
                str(manifest.config["seed"]),
                "none" if commit is None else commit[:12] + "+" * manifest.environment["dirty"],
                f"{manifest.seconds:.1f}",
                *(str(manifest.ledger[key]) for key in LEDGER),
            ]
        )
    environment = runs[0].manifest.environment
    packages = ", ".join(f"{n} {v}" for n, v in environment["packages"].items() if v)
    hashes = dict.fromkeys(
        f"{run.manifest.config['suite']['name']} `{run.manifest.config['suite_hash']}`"
        for run in runs
    )
    hardware = ", ".join(f"{k}: {v}" for k, v in environment["hardware"].items() if v is not None)
    return [
        "## How it was run",
        table(header, rows),
        "A `+` after the commit: files differed from it. Seconds are wall time.",
        f"- Suite hash: {', '.join(hashes)}\n- Hardware: {hardware}\n"
        f"- Software: Python {environment['python']}, {packages}",
    ]
