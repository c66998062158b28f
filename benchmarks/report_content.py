"""What a report says, before it is Markdown or HTML: every number is worked out once, here."""

from __future__ import annotations

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from itertools import combinations

from benchmarks.behaviours import behaviour_cells
from benchmarks.compare import PAIRED, compare, judge, paired_cells
from benchmarks.metrics import families, summarise
from benchmarks.records import LEDGER
from benchmarks.run_folder import Run
from benchmarks.tables import Cells, p_value, percent

ACCURACY_NOTE = (
    "Tokens per problem are all generated tokens, those of discarded candidates included. "
    "Unfinished episodes and errors count as not solved."
)
PAIRED_NOTE = (
    "Paired on the problems. p is that of McNemar's exact test; Holm p, where a table has several, "
    "is corrected for all tests of the table."
)
HOW_NOTE = "A `+` after the commit: files differed from it. Seconds are wall time."


@dataclass(frozen=True, slots=True)
class Pairs:
    """Comparisons of runs, two by two.

    Attributes:
        title: what they are about.
        unequal: what makes some of them unequal, a sentence each.
    """

    title: str
    cells: Cells
    unequal: tuple[str, ...]


@dataclass(frozen=True, slots=True)
class SuiteContent:
    """Everything about the runs of one suite.

    Attributes:
        name: with its version.
        described: what it is, in its own words.
        asked: how many problems it asked.
        caption: of its picture.
        runs: in the order of the report.
        families: accuracy by family, where there is more than one.
        pairs: what training changed, and what search changed, where there are such runs.
    """

    name: str
    described: str
    asked: str
    caption: str
    runs: tuple[Run, ...]
    accuracy: Cells
    behaviours: Cells
    families: Cells | None
    pairs: tuple[Pairs, ...]


@dataclass(frozen=True, slots=True)
class HowContent:
    """What was run, and on what.

    Attributes:
        suites: names of suites with their hashes.
    """

    cells: Cells
    suites: tuple[tuple[str, str], ...]
    hardware: str
    software: str


def suite_contents(runs: Sequence[Run]) -> list[SuiteContent]:
    """The runs suite by suite, in the order in which the suites first appear."""
    hashes = dict.fromkeys(run.manifest.config["suite_hash"] for run in runs)
    return [
        _suite([run for run in runs if run.manifest.config["suite_hash"] == suite])
        for suite in hashes
    ]


def _suite(runs: Sequence[Run]) -> SuiteContent:
    config = runs[0].manifest.config
    suite, episodes = config["suite"], runs[0].manifest.episodes
    name = f"{suite['name']} v{suite['version']}"
    limited = f" (limited to {config['limit']} an entry)" if config["limit"] else ""
    names = list(families(runs[0].episodes))
    pairs = (
        _pairs("What training changed", _stage_pairs(runs)),
        _pairs("What search changed", _strategy_pairs(runs)),
    )
    return SuiteContent(
        name=name,
        described=suite["description"],
        asked=f"{episodes} problems{limited}; every run was asked the same.",
        caption=f"{name}{limited}: {episodes} problems",
        runs=tuple(runs),
        accuracy=accuracy_cells(runs),
        behaviours=behaviour_cells(runs),
        families=_family_cells(runs, names) if len(names) > 1 else None,
        pairs=tuple(one for one in pairs if one is not None),
    )


def accuracy_cells(runs: Iterable[Run]) -> Cells:
    """A row for each run."""
    header = ["stage", "strategy", "solved", "accuracy [95 % bootstrap]", "[95 % Wilson]"]
    header += ["unfinished", "errors", "tokens per problem", "budget", "division"]
    return Cells(header, [_row(run) for run in runs], left=2)


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


def _family_cells(runs: Sequence[Run], names: Sequence[str]) -> Cells:
    rows = []
    for run in runs:
        groups = families(run.episodes)
        accuracies = [percent(summarise(groups[name]).accuracy) for name in names]
        rows.append([run.stage, run.strategy, *accuracies])
    return Cells(["stage", "strategy", *names], rows, left=2)


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


def _pairs(title: str, pairs: Sequence[tuple[Run, Run]]) -> Pairs | None:
    found = judge([compare(first, second) for first, second in pairs])
    rows, notes = [], []
    for judged in found:
        one = judged.comparison
        mark = " [unequal]" if one.warnings else ""
        corrected = [p_value(judged.holm)] if len(found) > 1 else []
        names = [one.first.name, one.second.name + mark]
        rows.append([*names, *paired_cells(one.overall), *corrected])
        notes += [f"{one.second.name} against {one.first.name}: {w}." for w in one.warnings]
    header = ["from", "to", *PAIRED, *(["Holm p"] if len(found) > 1 else [])]
    return Pairs(title, Cells(header, rows, left=2), tuple(notes)) if rows else None


def how_content(runs: Sequence[Run]) -> HowContent:
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
        (run.manifest.config["suite"]["name"], run.manifest.config["suite_hash"]) for run in runs
    )
    hardware = ", ".join(f"{k}: {v}" for k, v in environment["hardware"].items() if v is not None)
    return HowContent(
        Cells(header, rows), tuple(hashes), hardware, f"Python {environment['python']}, {packages}"
    )
