"""The board: static pages, made from nothing but bundles that were verified just now.

Everything that comes from a bundle is escaped by Jinja2, and the pages forbid themselves everything
but one style sheet and one script, by their hashes (Content-Security-Policy), so that an injection
that got through would still do nothing. They read from a disk as well as from a server, and
without JavaScript: the script sorts tables, nothing else.
"""

from __future__ import annotations

import shutil
from collections import defaultdict
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from benchmarks.pages import content_policy, templates
from leaderboards.bundle import ARCHIVE
from leaderboards.charts import Chart, Point, chart
from leaderboards.decisions import REPLAYED, RERUN, SPOT_REGENERATED, Log, read_log
from leaderboards.entries import ENTRIES, Entry, load_entries, rounds_beside
from leaderboards.ranking import Table, rank, score
from leaderboards.rounds import Round, load_round, round_names

TEMPLATES = Path(__file__).parent / "templates"
GENERATOR = "reason-board"
NOTE = (
    "Replay proves that the recorded actions earn the score. It does not prove that the agent "
    "chose them."
)
TIERS = {
    REPLAYED: "every recorded action was played again and earns the score; who chose the actions "
    "is not proved.",
    SPOT_REGENERATED: "besides, episodes drawn at random were generated again from the published "
    "weights, token by token, and are what was recorded but for a few that rounding explains.",
    RERUN: "besides, all episodes were generated again, likewise.",
}
"""How far an entry was checked, from the least to the most."""


def render(entries: str | Path = ENTRIES, out: str | Path = "build/board") -> Path:
    """Verify all entries and write the pages.

    Args:
        entries: folder of the entries (see `leaderboards.entries`).
        out: folder for the pages: new, empty, or of an earlier board, which is replaced.

    Returns:
        The start page, `out/index.html`.

    Raises:
        ValueError: an entry does not pass, the log of decisions is damaged, or `out` holds
            something else.
    """
    folder = rounds_beside(entries)
    rounds = [load_round(name, folder) for name in round_names(folder)]
    return write(load_entries(entries), read_log(entries), out, rounds)


def write(
    entries: Sequence[Entry], log: Log, out: str | Path, rounds: Sequence[Round] = ()
) -> Path:
    """Write the pages of entries that were verified just now.

    Args:
        entries: those that are not removed.
        log: the decisions, for what is removed.
        out: as for `render`.
        rounds: the sealed rounds, with all commitments.

    Returns:
        The start page.

    Raises:
        ValueError: `out` holds something other than a board.
    """
    out = Path(out)
    _clear(out)
    pages = _environment()
    common = _common()
    tables = rank(entries)
    folder = out / "entries"
    folder.mkdir(parents=True)
    for table in tables:
        for row in table.rows:
            page = pages.get_template("entry.html").render(
                **common, row=row, entry=row.entry, result=row.entry.result, of=len(table.rows)
            )
            (folder / f"{row.entry.id}.html").write_text(page, encoding="utf-8")
            shutil.copyfile(row.entry.bundle, folder / f"{row.entry.id}{ARCHIVE}")
    index = out / "index.html"
    page = pages.get_template("index.html").render(
        **common,
        tables=[(table, picture(table)) for table in tables],
        log=log,
        rounds=rounds,
        played=_played(entries),
        tiers=TIERS,
    )
    index.write_text(page, encoding="utf-8")
    return index


def picture(table: Table) -> Chart:
    """Accuracy at budget of all entries of a table."""
    return chart(
        [
            Point(
                row.rank,
                short_name(row.entry),
                score(row.entry).tokens,
                score(row.entry).accuracy,
                row.entry.result.budget_tokens,
            )
            for row in table.rows
        ]
    )


def _played(entries: Sequence[Entry]) -> Mapping[tuple[str, str, str], list[Entry]]:
    """The entries of sealed rounds, by what was committed to."""
    found: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        result = entry.result
        found[result.round, result.commitment, result.submitter.name].append(entry)
    return found


def short_name(entry: Entry) -> str:
    """The player without its folder or owner, and how it searched."""
    result = entry.result
    name = result.player.rstrip("/").rpartition("/")[2] or result.player
    return ", ".join(filter(None, [name, result.strategy]))


def _common() -> dict[str, str]:
    """What every page needs."""
    style, script = (
        (TEMPLATES / name).read_text(encoding="utf-8") for name in ("style.css", "sort.js")
    )
    return {
        "style": style,
        "script": script,
        "policy": content_policy(style, script),
        "generator": GENERATOR,
        "note": NOTE,
    }


def _environment() -> Any:
    environment = templates(TEMPLATES)
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["tokens"] = lambda value: f"{value:,.0f}"
    environment.filters["place"] = lambda value: f"{value:.1f}"
    environment.filters["name"] = short_name
    return environment


def _clear(out: Path) -> None:
    """Remove an earlier board; anything else is left alone."""
    if not out.exists():
        return
    index = out / "index.html"
    if not out.is_dir() or (any(out.iterdir()) and not _ours(index)):
        raise ValueError(f"{out} holds something other than a board; choose another folder")
    shutil.rmtree(out / "entries", ignore_errors=True)
    index.unlink(missing_ok=True)


def _ours(index: Path) -> bool:
    mark = f'<meta name="generator" content="{GENERATOR}">'
    return index.is_file() and mark in index.read_text(encoding="utf-8", errors="replace")
