"""Entries of the board: verified bundles in a folder of their own, never overwritten.

    entries/<id>/entry.json      id, date, and what was verified when it was added
    entries/<id>/bundle.tar.gz   the bundle, written anew from what was read
    entries/decisions.jsonl      removals, reinstatements, tiers (see `leaderboards.decisions`)
    rounds/                      the sealed rounds, beside the entries (see `leaderboards.rounds`)

`entry.json` is a receipt for people who review the change; the board verifies the bundle again
and believes nothing else. A removed entry keeps its folder, so that neither its id nor its actions
can come back; it is not replayed, since that it no longer passes may be why it was removed.
"""

from __future__ import annotations

import datetime
import json
import re
import shutil
import tempfile
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from leaderboards import strict
from leaderboards.bundle import ARCHIVE
from leaderboards.copies import Overlap, closest
from leaderboards.decisions import Decision, Log, read_log, tier_of
from leaderboards.files import members, write_archive
from leaderboards.rounds import ROUNDS
from leaderboards.strict import Refused
from leaderboards.verify import Result, verify
from reason_env.errors import choose

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
        decisions: what was decided on it; none says that it is removed now.
    """

    id: str
    added: str
    result: Result
    bundle: Path
    decisions: tuple[Decision, ...] = ()

    @property
    def tier(self) -> str:
        """How far it was checked."""
        return tier_of(self.decisions)


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
            of an entry that is there, white space aside.
        FileExistsError: the entry is there, or was: ids are never used again.
        Refused: the log of decisions is damaged.
    """
    entries = Path(entries)
    day = strict.day(added or _today(), "added")
    with tempfile.TemporaryDirectory() as scratch:
        # Verify the very bytes that will be kept: the original might change meanwhile.
        copy = Path(scratch) / BUNDLE
        try:
            write_archive(copy, {file.name: file.whole() for file in members(Path(bundle))})
        except Refused:
            result = verify(bundle, rounds_beside(entries))
        else:
            result = verify(copy, rounds_beside(entries))
        if not result.accepted:
            first = result.discrepancies[0] if result.discrepancies else "it changed while read"
            raise NotAccepted(f"The bundle is refused: {first}", result)
        check_new(result, entries, partial=partial)
        check_copy(result, copy, entries)
        identity = entry_id(result)
        folder = entries / identity
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


def check_new(result: Result, entries: str | Path, *, partial: bool = False) -> None:
    """Whether an accepted bundle may become a new entry.

    Raises:
        NotAccepted, FileExistsError, Refused: as `add_entry` does.
    """
    entries = Path(entries)
    if ", first " in result.suite and not partial:
        raise NotAccepted(f"Not the whole suite but {result.suite!r}", result)
    identity = entry_id(result)
    if past := read_log(entries).of(identity):
        raise FileExistsError(
            f"The id {identity} is taken by an entry that a decision of {past[-1].date} is about "
            f"({past[-1].action}); ids are never used again"
        )
    if (entries / identity).exists():
        raise FileExistsError(f"{entries / identity} exists already: this bundle is on the board")
    for other in _receipts(entries):
        if other.get("actions") == result.actions:
            raise NotAccepted(
                f"Its actions are, one by one, those of the entry {other.get('id')!r}", result
            )


def check_copy(result: Result, bundle: Path, entries: str | Path) -> Overlap | None:
    """The entry that an accepted bundle shares at least half of its episodes with, or None.

    Raises:
        NotAccepted: it shares all of them, white space aside.
    """
    shared = closest(bundle, _bundles(Path(entries), result.suite))
    if shared is not None and shared.equal:
        raise NotAccepted(
            f"Its actions are, but for white space, those of the entry {shared.entry!r}", result
        )
    return shared


def overlap(folder: Path) -> Overlap | None:
    """The entry that an entry shares at least half of its episodes with, or None."""
    others = _bundles(folder.parent, _read(folder)["suite"])
    del others[folder.name]
    return closest(folder / BUNDLE, others)


def _bundles(entries: Path, suite: str) -> dict[str, Path]:
    """All entries of a suite, removed ones too."""
    return {
        folder.name: folder / BUNDLE
        for folder in _folders(entries)
        if _read(folder).get("suite") == suite
    }


def decide(
    entry: str, action: str, reason: str, entries: str | Path = ENTRIES, *, date: str | None = None
) -> Decision:
    """Remove an entry from the board, reinstate it or raise its tier; the log of decisions gets one
    more line.

    Args:
        entry: its id.
        action: `remove`, `reinstate`, or the new tier.
        reason: for the public, at most 500 characters.
        entries: folder of the entries.
        date: day as YYYY-MM-DD; None: today.

    Raises:
        ValueError: there is no such entry.
        Refused: the decision breaks a rule (nothing is written), or the log is damaged.
    """
    log = read_log(entries)
    folder_of(entry, entries)
    return log.decide(entry, action, reason, date or _today())


def rounds_beside(entries: str | Path) -> Path:
    """Where the sealed rounds of a board lie: beside its entries."""
    return Path(entries).absolute().parent / ROUNDS.name


def folder_of(entry: str, entries: str | Path = ENTRIES) -> Path:
    """The folder of an entry.

    Raises:
        ValueError: there is no such entry; names the nearest.
    """
    return Path(entries) / choose(entry, [folder.name for folder in _folders(entries)], "entry")


def entry_id(result: Result) -> str:
    """Suite, player and strategy for people, and the bundle's hash to tell entries apart."""
    words = re.findall(
        "[a-z0-9]+", f"{result.suite} {result.player} {result.strategy}".lower().replace(",", "")
    )
    text = "-".join(words)[: _MOST_CHARS - 9].strip("-")
    return f"{text}-{result.bundle[:8]}"


def load_entries(entries: str | Path = ENTRIES) -> tuple[Entry, ...]:
    """All entries that are not removed, verified again.

    Raises:
        ValueError: a folder that is not an entry, or whose bundle does not pass or is not the
            one that was added; a log of decisions that is damaged or names an unknown entry.
    """
    log = read_log(entries)
    folders = _folders(entries)
    _check_known(log, folders)
    found = []
    for folder in folders:
        if folder.name in log.removed:
            _read(folder)
        else:
            found.append(load_entry(folder, log))
    return tuple(found)


def load_entry(folder: Path, log: Log) -> Entry:
    """One entry, verified again.

    Raises:
        ValueError: it is not an entry, its bundle does not pass, or it is not the one that was
            added.
    """
    receipt = _read(folder)
    # Those of the log: a submitted entry lies elsewhere, and brings no rounds of its own.
    result = verify(folder / BUNDLE, rounds_beside(log.path.parent))
    if not result.accepted:
        raise ValueError(f"{folder} does not pass: {result.discrepancies[0]}")
    expected = _receipt(folder.name, receipt["added"], result)
    for key in {**expected, **receipt}:
        # As text: 1 == True == 1.0 in Python, but not in JSON.
        if json.dumps(receipt.get(key)) != json.dumps(expected.get(key)):
            raise ValueError(
                f"{folder / ENTRY}: {strict.shown(key)} is {strict.shown(receipt.get(key))}, but "
                f"the bundle there gives {strict.shown(expected.get(key))}"
            )
    if entry_id(result) != folder.name:
        raise ValueError(f"{folder}: the bundle there gives the id {entry_id(result)!r}")
    return Entry(folder.name, receipt["added"], result, folder / BUNDLE, log.of(folder.name))


def _folders(entries: str | Path) -> list[Path]:
    if not Path(entries).is_dir():
        return []
    return [
        folder
        for folder in sorted(Path(entries).iterdir())
        if folder.is_dir() and not folder.name.startswith((".", "_"))
    ]


def _check_known(log: Log, folders: Sequence[Path]) -> None:
    names = [folder.name for folder in folders]
    for decision in log.lines:
        try:
            choose(decision.entry, names, "entry")
        except ValueError as error:
            raise Refused("unknown-entry", f"{log.where(decision.number)}: {error}") from None


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
        where = strict.shown(str(folder), 400)  # a name that nobody has checked
        raise ValueError(f"{where} is not an entry: its name is not an id")
    path = folder / ENTRY
    if any(part.is_symlink() for part in (folder, path, folder / BUNDLE)):
        raise ValueError(f"{folder} is not an entry: it is, or has, a symbolic link")
    if not path.is_file() or path.stat().st_size > 2**16:
        raise ValueError(f"{folder} is not an entry: it has no {ENTRY}")
    value = strict.loads(path.read_bytes(), str(path))
    if not isinstance(value, dict):
        raise ValueError(f"{path}: expected an object, received {strict.shown(value)}")
    strict.day(value.get("added"), f"{path}: added")
    return value


def _receipts(entries: Path) -> list[dict[str, Any]]:
    return [_read(folder) for folder in _folders(entries)]


def _today() -> str:
    return datetime.date.today().isoformat()
