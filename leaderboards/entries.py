"""Entries of the board: verified bundles in a folder of their own, never overwritten.

    entries/<id>/entry.json      id, date, and what was verified when it was added
    entries/<id>/bundle.tar.gz   the bundle, written anew from what was read

`entry.json` is a receipt for people who review the change; the board verifies the bundle again
and believes nothing else.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import tempfile
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboards import strict
from leaderboards.bundle import ARCHIVE
from leaderboards.files import members, write_archive
from leaderboards.strict import Refused
from leaderboards.verify import Result, verify

ENTRIES = Path(__file__).parent / "entries"
ENTRY, BUNDLE = "entry.json", f"bundle{ARCHIVE}"
FORMAT = 1
_ID = re.compile(r"[a-z0-9]+(-[a-z0-9]+)*-[0-9a-f]{8}")
_MOST_CHARS = 100


@dataclass(frozen=True, slots=True)
class Entry:
    """One row of the board.

    Attributes:
        id: safe as a file name and in an address; never used again for another bundle.
        added: day, as YYYY-MM-DD.
        result: of verifying its bundle just now.
        bundle: where the bundle lies.
    """

    id: str
    added: str
    result: Result
    bundle: Path


class NotAccepted(ValueError):
    """A bundle that cannot become an entry; `result` says why."""

    def __init__(self, message: str, result: Result) -> None:
        super().__init__(message)
        self.result = result


def add_entry(
    bundle: str | Path,
    entries: str | Path = ENTRIES,
    *,
    added: str | None = None,
    partial: bool = False,
) -> Path:
    """Verify a bundle and add it to the entries.

    Args:
        bundle: directory or `.tar.gz`.
        entries: folder of the entries.
        added: day as YYYY-MM-DD; None: today.
        partial: accept a run of the first few problems of a suite too (it gets a table of its
            own).

    Returns:
        The new folder, `entries/<id>`.

    Raises:
        NotAccepted: verification found something, the run is partial, or its actions are those
            of an entry that is there.
        FileExistsError: the entry is there.
    """
    entries = Path(entries)
    day = added or datetime.date.today().isoformat()
    datetime.date.fromisoformat(day)
    with tempfile.TemporaryDirectory() as scratch:
        # Verify the very bytes that will be kept: the original might change meanwhile.
        copy = Path(scratch) / BUNDLE
        try:
            write_archive(copy, {file.name: file.whole() for file in members(Path(bundle))})
        except Refused:
            result = verify(bundle)
        else:
            result = verify(copy)
        if not result.accepted:
            first = result.discrepancies[0] if result.discrepancies else "it changed while read"
            raise NotAccepted(f"The bundle is refused: {first}", result)
        if ", first " in result.suite and not partial:
            raise NotAccepted(f"Not the whole suite but {result.suite!r}", result)
        identity = entry_id(result)
        folder = entries / identity
        if folder.exists():
            raise FileExistsError(f"{folder} exists already: this bundle is on the board")
        for other in _receipts(entries):
            if other.get("actions") == result.actions:
                raise NotAccepted(
                    f"Its actions are, one by one, those of the entry {other.get('id')!r}", result
                )
        entries.mkdir(parents=True, exist_ok=True)
        folder.mkdir()
        try:
            shutil.copyfile(copy, folder / BUNDLE)
            receipt = json.dumps(_receipt(identity, day, result), indent=2)
            (folder / ENTRY).write_text(receipt + "\n", encoding="utf-8")
        except BaseException:
            shutil.rmtree(folder)
            raise
    return folder


def entry_id(result: Result) -> str:
    """Suite, player and strategy for people, and the bundle's hash to tell entries apart."""
    words = re.findall(
        "[a-z0-9]+", f"{result.suite} {result.player} {result.strategy}".lower().replace(",", "")
    )
    text = "-".join(words)[: _MOST_CHARS - 9].strip("-")
    return f"{text}-{result.bundle[:8]}"


def load_entries(entries: str | Path = ENTRIES) -> tuple[Entry, ...]:
    """All entries, verified again.

    Raises:
        ValueError: a folder that is not an entry, or whose bundle does not pass or is not the
            one that was added.
    """
    found = []
    for folder in sorted(Path(entries).iterdir()) if Path(entries).is_dir() else []:
        if folder.name.startswith((".", "_")) or not folder.is_dir():
            continue
        receipt = _read(folder)
        result = verify(folder / BUNDLE)
        if not result.accepted:
            raise ValueError(f"{folder} does not pass: {result.discrepancies[0]}")
        expected = _receipt(folder.name, receipt["added"], result)
        if receipt != expected or entry_id(result) != folder.name:
            wrong = [key for key in expected if receipt.get(key) != expected[key]] or ["id"]
            raise ValueError(
                f"{folder / ENTRY}: {wrong[0]} is {strict.shown(receipt.get(wrong[0]))}, but the "
                f"bundle there gives {strict.shown(expected[wrong[0]])}"
            )
        found.append(Entry(folder.name, receipt["added"], result, folder / BUNDLE))
    return tuple(found)


def _receipt(identity: str, added: str, result: Result) -> dict[str, Any]:
    assert result.score is not None
    return {
        "format": FORMAT,
        "id": identity,
        "added": added,
        "suite": result.suite,
        "division": result.division,
        "tier": result.tier,
        "episodes": result.score.episodes,
        "solved": result.score.solved,
        "bundle": result.bundle,
        "actions": result.actions,
    }


def _read(folder: Path) -> dict[str, Any]:
    """An entry's receipt, checked as far as its shape goes."""
    if not _ID.fullmatch(folder.name) or len(folder.name) > _MOST_CHARS:
        raise ValueError(f"{folder} is not an entry: its name is not an id")
    path = folder / ENTRY
    if not path.is_file() or path.stat().st_size > 2**16:
        raise ValueError(f"{folder} is not an entry: it has no {ENTRY}")
    value = strict.loads(path.read_bytes(), str(path))
    if not isinstance(value, dict) or not isinstance(value.get("added"), str):
        raise ValueError(f"{path} has no day of addition")
    try:
        datetime.date.fromisoformat(value["added"])
    except ValueError as error:
        raise ValueError(f"{path}: {error}") from None
    return value


def _receipts(entries: Path) -> list[dict[str, Any]]:
    if not entries.is_dir():
        return []
    return [_read(path.parent) for path in sorted(entries.glob(f"*/{ENTRY}"))]
