"""The board: static pages, made from nothing but bundles that were verified just now.

Everything that comes from a bundle is escaped by Jinja2, and the pages forbid themselves scripts,
images, frames, forms and foreign styles (Content-Security-Policy), so that an injection that got
through would still do nothing. They read from a disk as well as from a server, without JavaScript.
"""

from __future__ import annotations

import base64
import hashlib
import shutil
from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboards.bundle import ARCHIVE
from leaderboards.entries import ENTRIES, Entry, load_entries
from reason_env.errors import require

TEMPLATES = Path(__file__).parent / "templates"
GENERATOR = "reason-board"
NOTE = (
    "Replay proves that the recorded actions earn the score. It does not prove that the agent "
    "chose them."
)


@dataclass(frozen=True, slots=True)
class Row:
    """An entry and its place; entries with equal accuracy share a rank, and the next rank counts
    them all (1, 1, 3)."""

    rank: int
    entry: Entry


@dataclass(frozen=True, slots=True)
class Table:
    """Entries that may be compared: one suite, one division."""

    suite: str
    division: str
    rows: tuple[Row, ...]


def rank(entries: Sequence[Entry]) -> tuple[Table, ...]:
    """Tables by suite and division, rows by accuracy and then by tokens spent."""
    groups: dict[tuple[str, str, str], list[Entry]] = defaultdict(list)
    for entry in entries:
        result = entry.result
        # A suite whose problems changed is another suite, whatever it is called.
        groups[result.suite, result.suite_hash, result.division].append(entry)
    tables = []
    # By name; the open division, which is what the board is about, before the oracle's.
    for (suite, _, division), group in sorted(groups.items(), key=_place):
        group.sort(key=lambda e: (-_accuracy(e), _tokens(e), e.id))
        scores = [_accuracy(entry) for entry in group]
        rows = tuple(Row(1 + scores.index(_accuracy(entry)), entry) for entry in group)
        tables.append(Table(suite, division, rows))
    return tuple(tables)


def _place(group: tuple[tuple[str, str, str], list[Entry]]) -> tuple[str, str, bool]:
    suite, digest, division = group[0]
    return suite, digest, division == "oracle"


def render(entries: str | Path = ENTRIES, out: str | Path = "build/board") -> Path:
    """Verify all entries and write the pages.

    Args:
        entries: folder of the entries (see `leaderboards.entries`).
        out: folder for the pages: new, empty, or of an earlier board, which is replaced.

    Returns:
        The start page, `out/index.html`.

    Raises:
        ValueError: an entry does not pass, or `out` holds something else.
    """
    out = Path(out)
    loaded = load_entries(entries)
    _clear(out)
    pages = _environment()
    style = (TEMPLATES / "style.css").read_text(encoding="utf-8")
    common = {"style": style, "policy": _policy(style), "generator": GENERATOR, "note": NOTE}
    tables = rank(loaded)
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
    index.write_text(
        pages.get_template("index.html").render(**common, tables=tables, entries=len(loaded)),
        encoding="utf-8",
    )
    return index


def _environment() -> Any:
    jinja = require("jinja2", "bench")
    environment = jinja.Environment(
        loader=jinja.FileSystemLoader(TEMPLATES),
        autoescape=True,
        undefined=jinja.StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["percent"] = lambda value: f"{100 * value:.1f}"
    environment.filters["tokens"] = lambda value: f"{value:,.0f}"
    return environment


def _policy(style: str) -> str:
    """Nothing but this one style sheet, by its hash (browsers normalise line ends first)."""
    digest = base64.b64encode(hashlib.sha256(style.encode()).digest()).decode()
    return f"default-src 'none'; style-src 'sha256-{digest}'; base-uri 'none'; form-action 'none'"


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


def _accuracy(entry: Entry) -> float:
    assert entry.result.score is not None
    return entry.result.score.accuracy.value


def _tokens(entry: Entry) -> float:
    assert entry.result.score is not None
    return entry.result.score.tokens
