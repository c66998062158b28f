"""`report.html`: one page that needs nothing else, with a viewer of transcripts and search trees.

What models wrote is hostile. Jinja2 escapes all of it, after `visible` has spelt out what cannot
be seen; the script builds its elements from text alone; and the page's own policy lets nothing
run or load but its one script and one style sheet, by their hashes. Without JavaScript the tables,
the charts and the first transcripts are there all the same.
"""

from __future__ import annotations

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from agents.search.tree import Branch
from benchmarks.behaviours import NOTE as BEHAVIOUR_NOTE
from benchmarks.charts import accuracy_at_budgets, accuracy_bars, training_panels
from benchmarks.pages import content_policy, templates
from benchmarks.report_content import (
    ACCURACY_NOTE,
    HOW_NOTE,
    PAIRED_NOTE,
    HowContent,
    SuiteContent,
)
from benchmarks.run_folder import TREES, Run
from benchmarks.search_trees import MOST_NODES, Shown, read_trees, show
from benchmarks.transcripts import Line, Transcript, choose_episodes, transcribe
from benchmarks.visible import visible
from reason_env.errors import require

TEMPLATES = Path(__file__).parent / "templates"
TRANSCRIPTS = 50
"""Episodes of each run that are shown unless another number is asked for."""
_STATIC = 3
"""Of these, how many are shown without JavaScript."""
_LINE_CHARS, _PROMPT_CHARS, _NODE_CHARS = 2000, 8000, 300


@dataclass(frozen=True, slots=True)
class RunTranscripts:
    """The episodes of one run that the page shows.

    Attributes:
        trees: of these episodes, by index.
        dropped: lines of `trees.jsonl` that are no trees.
    """

    run: Run
    suite: str
    transcripts: tuple[Transcript, ...]
    trees: Mapping[int, Shown]
    dropped: int

    @property
    def static(self) -> list[Transcript]:
        """One of each kind, as far as there are some: for readers without JavaScript."""
        kinds: dict[str, Transcript] = {}
        for one in self.transcripts:
            kinds.setdefault(outcome(one), one)
        rest = [one for one in self.transcripts if one not in kinds.values()]
        return [*kinds.values(), *rest][:_STATIC]


def write_page(
    path: Path,
    suites: Sequence[SuiteContent],
    how: HowContent,
    *,
    curves: Mapping[str, Path],
    keys: Sequence[str] | None,
    title: str,
    notes: str,
    transcripts: int,
) -> None:
    """Write the page; arguments as in `benchmarks.report.write_report`."""
    shown = [
        run_transcripts(run, suite.name, transcripts)
        for suite in suites
        for run in suite.runs
        if transcripts
    ]
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("report.css", "report.js")
    )
    charts = [(accuracy_at_budgets(s.runs), accuracy_bars(s.runs)) for s in suites]
    page = _environment().get_template("report.html").render(
        policy=content_policy(style, script),
        style=style,
        script=script,
        title=title,
        notes=notes,
        suites=list(zip(suites, charts)),
        panels=training_panels(curves, keys) if curves else (),
        curves=list(curves),
        how=how,
        shown=shown,
        data=embedded({"runs": [_run_data(one) for one in shown]}),
        accuracy_note=ACCURACY_NOTE,
        behaviour_note=BEHAVIOUR_NOTE,
        paired_note=PAIRED_NOTE,
        how_note=HOW_NOTE,
        trees_file=TREES,
        most_nodes=MOST_NODES,
    )  # fmt: skip
    path.write_text(page, encoding="utf-8")


def run_transcripts(run: Run, suite: str, most: int) -> RunTranscripts:
    """Replay a sample of a run's episodes, those with search trees before others."""
    trees, dropped = read_trees(run.folder)
    chosen = choose_episodes(run.episodes, most, trees)
    shown = {e.index: show(trees[e.index], e.actions) for e in chosen if e.index in trees}
    return RunTranscripts(run, suite, tuple(transcribe(run, chosen)), shown, dropped)


def outcome(transcript: Transcript) -> str:
    """How an episode ended, in the words of the viewer's filter."""
    if transcript.record.status == "error":
        return "error"
    return "solved" if transcript.solved else "not solved"


def embedded(value: Any) -> str:
    """JSON that stays inside its element: ASCII, and nothing that could end or comment it out."""
    text = json.dumps(value, separators=(",", ":"), allow_nan=False)
    for character in "<>&":
        text = text.replace(character, f"\\u{ord(character):04x}")
    return text


def _environment() -> Any:
    # Every text that a template prints, so that none can be forgotten.
    environment = templates(
        TEMPLATES, finalize=lambda value: visible(value) if type(value) is str else value
    )
    environment.filters["markdown"] = _markdown
    environment.filters["number"] = number
    environment.filters["signed"] = signed
    environment.filters["line"] = lambda text: visible(text, _LINE_CHARS)
    environment.filters["prompt"] = lambda text: visible(text, _PROMPT_CHARS)
    environment.filters["outcome"] = outcome
    return environment


def _markdown(text: str) -> Any:
    """Markdown without HTML or pictures in it."""
    markdown = require("markdown_it", "bench").MarkdownIt("js-default").disable("image")
    return require("markupsafe", "bench").Markup(markdown.render(visible(text)))


def number(value: float | None) -> str:
    """Three digits; nothing for None."""
    return "" if value is None else f"{value:.3g}"


def signed(value: float) -> str:
    """The same with its sign; a zero has none."""
    return "0" if value == 0 else f"{value:+.3g}"


def _run_data(shown: RunTranscripts) -> dict[str, Any]:
    """What the script is told of a run; every text in it is `visible`."""
    return {
        "name": visible(shown.run.name, _NODE_CHARS),
        "suite": visible(shown.suite, _NODE_CHARS),
        "of": len(shown.run.episodes),
        "episodes": [_episode_data(one, shown.trees) for one in shown.transcripts],
    }


def _episode_data(one: Transcript, trees: Mapping[int, Shown]) -> dict[str, Any]:
    record = one.record
    tree = trees.get(record.index)
    return {
        "index": record.index,
        "family": visible(one.family, _NODE_CHARS),
        "seed": str(record.seed),  # may be past what JavaScript counts exactly
        "outcome": outcome(one),
        "ended": one.ended,
        "error": None if record.error is None else visible(record.error, _LINE_CHARS),
        "mismatches": [visible(text, _LINE_CHARS) for text in one.mismatches],
        "prompt": visible(one.prompt, _PROMPT_CHARS),
        "lines": [_line_data(line) for line in one.lines],
        "more": one.more,
        "terms": [signed(value) for value in one.terms.to_json().values()],
        "weights": [number(value) for value in one.weights.to_json().values()],
        "reward": signed(one.reward),
        "tokens": one.tokens,
        "spent": str(record.ledger["generated_tokens"]),
        "tree": None if tree is None else _tree_data(tree),
    }


def _line_data(line: Line) -> dict[str, Any]:
    return {
        "text": visible(line.text, _LINE_CHARS),
        "kind": line.kind,
        "valid": line.valid,
        "reason": visible(line.reason, _LINE_CHARS),
        "terms": [signed(value) for value in line.terms.to_json().values()],
        "reward": signed(line.reward),
        "tokens": line.tokens,
        "before": number(line.before),
        "after": number(line.after),
        "feedback": visible(line.feedback.rstrip("\n"), _LINE_CHARS),
    }


def _tree_data(tree: Shown) -> dict[str, Any]:
    return {
        "of": tree.of,
        "finished": tree.finished,
        "way": dict(zip(tree.way.nodes, tree.way.lines)),
        "nodes": [_node_data(node) for node in tree.nodes],
    }


def _node_data(node: Branch) -> list[Any]:
    """A list, not an object: there are many."""
    return [
        node.parent,
        visible(node.line, _NODE_CHARS),
        node.visits,
        number(node.prior),
        number(node.mean),
        signed(node.reward),
        number(node.value),
        int(node.done),
        node.merged,
    ]
