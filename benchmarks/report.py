"""A report of several runs, in one folder: `report.md` and its pictures, and `report.html`."""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from benchmarks.behaviours import NOTE as BEHAVIOUR_NOTE
from benchmarks.html_report import TRANSCRIPTS, write_page
from benchmarks.pictures import accuracy_picture, curves_picture
from benchmarks.report_content import (
    ACCURACY_NOTE,
    HOW_NOTE,
    PAIRED_NOTE,
    HowContent,
    SuiteContent,
    accuracy_cells,
    how_content,
    suite_contents,
)
from benchmarks.run_folder import Run, load_run
from benchmarks.tables import cell

REPORT, PAGE = "report.md", "report.html"


def write_report(
    runs: Sequence[str | Path],
    out: str | Path,
    *,
    curves: Mapping[str, str | Path] | None = None,
    keys: Sequence[str] | None = None,
    title: str = "Report",
    notes: str = "",
    transcripts: int = TRANSCRIPTS,
) -> Path:
    """Write a report of finished runs.

    Args:
        runs: run folders, in the order in which their stages shall appear.
        out: folder for `report.md`, pictures and `report.html`; those of an earlier report are
            replaced.
        curves: name of a training run -> its folder or `metrics.jsonl`.
        keys: metrics to draw; None: six that the runs have.
        notes: Markdown, put below the title.
        transcripts: at most so many episodes of each run that `report.html` shows line by line.

    Returns:
        The path of `report.md`; the page lies beside it.
    """
    if not runs:
        raise ValueError("A report needs at least one run folder")
    if transcripts < 0:
        raise ValueError(f"transcripts must be 0 or more, received {transcripts}")
    loaded = [load_run(folder) for folder in runs]
    logs = {name: Path(path) for name, path in (curves or {}).items()}
    suites, how = suite_contents(loaded), how_content(loaded)
    out = Path(out)
    out.mkdir(parents=True, exist_ok=True)
    parts = [f"# {title}", *([notes.strip()] if notes.strip() else [])]
    for number, suite in enumerate(suites):
        picture = out / ("accuracy.png" if number == 0 else f"accuracy-{number + 1}.png")
        accuracy_picture(suite.runs, picture, suite.caption)
        parts += _suite(suite, picture)
    if logs:
        picture = out / "training.png"
        curves_picture(logs, picture, keys=keys)
        parts += ["## Training", f"![Training curves]({picture.name})"]
    parts += _how(how)
    report = out / REPORT
    report.write_text("\n\n".join(part.strip() for part in parts) + "\n", encoding="utf-8")
    write_page(
        out / PAGE,
        suites,
        how,
        curves=logs,
        keys=keys,
        title=title,
        notes=notes,
        transcripts=transcripts,
    )
    return report


def accuracy_table(runs: Iterable[Run]) -> str:
    """A Markdown table with a row for each run."""
    return accuracy_cells(runs).markdown()


def _suite(suite: SuiteContent, picture: Path) -> list[str]:
    """Everything about one suite."""
    parts = [
        f"## {cell(suite.name)}",
        f"{cell(suite.described)} {suite.asked}",
        f"![Accuracy by stage and strategy]({picture.name})",
        suite.accuracy.markdown(),
        ACCURACY_NOTE,
    ]
    parts += ["### Behaviours", suite.behaviours.markdown(), BEHAVIOUR_NOTE]
    if suite.families:
        parts += ["### By family", suite.families.markdown()]
    for pairs in suite.pairs:
        listed = "".join(f"\n- {cell(note)}" for note in pairs.unequal)
        unequal = f"\nUnequal:\n{listed}\n" if listed else ""
        parts += [f"### {pairs.title}", PAIRED_NOTE, pairs.cells.markdown() + unequal]
    return parts


def _how(how: HowContent) -> list[str]:
    """What was run, and on what."""
    hashes = ", ".join(f"{name} `{digest}`" for name, digest in how.suites)
    return [
        "## How it was run",
        how.cells.markdown(),
        HOW_NOTE,
        f"- Suite hash: {hashes}\n- Hardware: {how.hardware}\n- Software: {how.software}",
    ]
