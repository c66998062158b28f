"""Is this pull request one new entry, or one commitment, and nothing else? Two checkouts are
compared as data.

    base   the branch that is asked to take it
    head   the same with the submission

Nothing in `head` is imported, run or followed: names, kinds and bytes are all that is read. A new
entry is then verified as `reason-board add` would verify it; a commitment to a player of a sealed
round is one more line of the round's log (`leaderboards.rounds`).
"""

from __future__ import annotations

import datetime
import os
import re
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from leaderboards.commitments import Commitment
from leaderboards.decisions import DECISIONS, read_log
from leaderboards.entries import BUNDLE, ENTRY, Entry, check_copy, check_new, load_entry
from leaderboards.rounds import COMMITMENTS, ROUNDS, load_round
from leaderboards.strict import Refused, shown

FOLDER = "leaderboards/entries"
"""Where entries lie in a checkout."""
_LOG = re.compile(f"leaderboards/{ROUNDS.name}/[^/]+/{re.escape(COMMITMENTS)}")
_MOST_OF_A_LINE = 2**10
_CHUNK = 2**20


def check_submission(base: str | Path, head: str | Path) -> Entry | Commitment:
    """Compare two checkouts and verify what is new.

    Args:
        base, head: folders; `.git` at their top is left out.

    Returns:
        The new entry, whose result's notes say so if most of it is another entry's; or the
        commitment.

    Raises:
        Refused: names the rule and the path that breaks it: something outside of one new entry's
            folder, or besides one line of a round's log, was added, changed or deleted, or the
            folder holds something else than an entry.
        NotAccepted, FileExistsError: the bundle is refused, or is on the board already.
        NotADirectoryError: one of the two is no folder.
    """
    base, head = Path(base), Path(head)
    for folder in (base, head):
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no checkout: not a folder")
    before, after = _listing(base), _listing(head)
    logs = [
        path
        for path in sorted(before.keys() & after.keys())
        if _LOG.fullmatch(path)
        and stat.S_ISREG(before[path])
        and stat.S_ISREG(after[path])
        and not _same(base / path, head / path)
    ]
    for path in sorted(before.keys() - after.keys()):
        raise Refused("deleted", f"{shown(path)} is deleted")
    for path in sorted(before.keys() - set(logs[:1])):
        _unchanged(path, base, head, before, after)
    added = {path: after[path] for path in sorted(after.keys() - before.keys())}
    return _commitment(logs[0], base, head, added) if logs else _entry(base, head, before, added)


def _entry(base: Path, head: Path, before: Mapping[str, int], added: Mapping[str, int]) -> Entry:
    folder, entries = head / FOLDER / _new_folder(before, added), base / FOLDER
    try:
        entry = load_entry(folder, read_log(entries))
    except Refused:
        raise
    except ValueError as error:
        raise Refused("not-an-entry", str(error)) from None
    # By the clock of whoever is furthest ahead.
    tomorrow = (datetime.date.today() + datetime.timedelta(days=1)).isoformat()
    if entry.added > tomorrow:
        raise Refused("wrong-date", f"added is {entry.added}, which is after {tomorrow}")
    check_new(entry.result, entries)
    shared = check_copy(entry.result, entry.bundle, entries)
    if shared is None:
        return entry
    return replace(entry, result=replace(entry.result, notes=(*entry.result.notes, str(shared))))


def _commitment(path: str, base: Path, head: Path, added: Mapping[str, int]) -> Commitment:
    """The line that a round's log has more."""
    for other in added:
        raise Refused("outside", f"{shown(other)} is added beside a commitment")
    old = (base / path).read_bytes()
    if (head / path).stat().st_size > len(old) + _MOST_OF_A_LINE:
        raise Refused("too-long", f"{path}: more than one line is added")
    new = (head / path).read_bytes()
    if not new.startswith(old):
        raise Refused("changed", f"{path}: a line that was there is changed")
    round = load_round(PurePosixPath(path).parent.name, base / PurePosixPath(path).parents[1])
    if round.key is not None:
        raise Refused("revealed", f"round {round.name}: its key was published {round.revealed}")
    lines = round.commitments.extended(new[len(old) :]).lines[len(round.commitments.lines) :]
    if len(lines) != 1:
        raise Refused("several-entries", f"{path}: {len(lines)} lines are added; one at a time")
    return lines[0]


def _new_folder(before: Mapping[str, int], added: Mapping[str, int]) -> str:
    """Name of the one folder of entries that is added."""
    added = dict(added)
    for parent in PurePosixPath(FOLDER, "x").parents:
        # Of the very first entry.
        if stat.S_ISDIR(added.get(str(parent), 0)):
            del added[str(parent)]
    names = sorted({_name(path, before) for path in added})
    if not names:
        raise Refused("no-entry", "nothing is added: the two are equal")
    if len(names) > 1:
        raise Refused("several-entries", f"{', '.join(map(shown, names))}: one at a time")
    _exactly(names[0], added)
    return names[0]


def _name(path: str, before: Mapping[str, int]) -> str:
    """The folder of entries that something new is in."""
    if not path.startswith(f"{FOLDER}/"):
        raise Refused("outside", f"{shown(path)} is added, which is not under {FOLDER}/")
    if path == f"{FOLDER}/{DECISIONS}":
        raise Refused("decisions", f"{path} is added; decisions are not for submitters")
    name = path.removeprefix(f"{FOLDER}/").split("/")[0]
    if f"{FOLDER}/{name}" in before:
        raise Refused("other-entry", f"{shown(path)} is added to an entry that is there")
    return name


def _exactly(name: str, added: Mapping[str, int]) -> None:
    """Refuse anything but a folder with the two files of an entry."""
    folder = f"{FOLDER}/{name}"
    kinds = {folder: stat.S_IFDIR}
    kinds |= {f"{folder}/{file}": stat.S_IFREG for file in (ENTRY, BUNDLE)}
    for path, mode in added.items():
        if stat.S_ISLNK(mode):
            raise Refused("symlink", f"{shown(path)} is a symbolic link")
        if path not in kinds:
            raise Refused("extra-file", f"{shown(path)} does not belong in an entry")
        if stat.S_IFMT(mode) != kinds[path]:
            what = "folder" if path == folder else "plain file"
            raise Refused("not-a-file", f"{shown(path)} is no {what}")
        if stat.S_ISREG(mode) and mode & 0o111:
            raise Refused("executable", f"{shown(path)} is executable")
    for path in kinds:
        if path not in added:
            raise Refused("missing-file", f"{shown(path)} is missing")


def _unchanged(
    path: str, base: Path, head: Path, before: Mapping[str, int], after: Mapping[str, int]
) -> None:
    if path == f"{FOLDER}/{DECISIONS}":
        code = "decisions"
    elif path.startswith(f"{FOLDER}/"):
        code = "other-entry"
    else:
        code = "outside"
    kind = stat.S_IFMT(before[path])
    if kind != stat.S_IFMT(after[path]):
        raise Refused(code, f"{shown(path)} is another kind of file")
    if kind == stat.S_IFREG:
        if (before[path] ^ after[path]) & 0o100:
            raise Refused(code, f"{shown(path)} is executable in one of the two only")
        if not _same(base / path, head / path):
            raise Refused(code, f"{shown(path)} is changed")
    elif kind == stat.S_IFLNK and os.readlink(base / path) != os.readlink(head / path):
        raise Refused(code, f"{shown(path)} points elsewhere")


def _same(one: Path, other: Path) -> bool:
    if one.stat().st_size != other.stat().st_size:
        return False
    with one.open("rb") as first, other.open("rb") as second:
        while block := first.read(_CHUNK):
            if block != second.read(_CHUNK):
                return False
    return True


def _listing(root: Path) -> dict[str, int]:
    """Mode of everything below a folder, by path; folders too, since an empty one may be a
    submodule."""
    found: dict[str, int] = {}
    todo = [""]
    while todo:
        parent = todo.pop()
        with os.scandir(root / parent) as entries:
            for entry in entries:
                path = f"{parent}{entry.name}"
                if path == ".git":
                    continue
                found[path] = entry.stat(follow_symlinks=False).st_mode
                if stat.S_ISDIR(found[path]):
                    todo.append(f"{path}/")
    return found
