"""Is this pull request one new entry and nothing else? Two checkouts are compared as data.

    base   the branch that is asked to take it
    head   the same with the submission

Nothing in `head` is imported, run or followed: names, kinds and bytes are all that is read. What is
new is then verified as `reason-board add` would verify it.
"""

from __future__ import annotations

import datetime
import os
import stat
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path, PurePosixPath

from leaderboards.decisions import DECISIONS, read_log
from leaderboards.entries import BUNDLE, ENTRY, Entry, check_copy, check_new, load_entry
from leaderboards.strict import Refused, shown

FOLDER = "leaderboards/entries"
"""Where entries lie in a checkout."""
_CHUNK = 2**20


def check_submission(base: str | Path, head: str | Path) -> Entry:
    """Compare two checkouts and verify the entry that is new.

    Args:
        base, head: folders; `.git` at their top is left out.

    Returns:
        The new entry. Its result's notes say so if most of it is another entry's.

    Raises:
        Refused: names the rule and the path that breaks it: something outside of one new entry's
            folder was added, changed or deleted, or the folder holds something else than an entry.
        NotAccepted, FileExistsError: the bundle is refused, or is on the board already.
        NotADirectoryError: one of the two is no folder.
    """
    base, head = Path(base), Path(head)
    for folder in (base, head):
        if not folder.is_dir():
            raise NotADirectoryError(f"{folder} is no checkout: not a folder")
    name = new_folder(base, head)
    folder, entries = head / FOLDER / name, base / FOLDER
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


def new_folder(base: Path, head: Path) -> str:
    """Name of the one folder of entries that `head` has and `base` does not.

    Raises:
        Refused: anything else differs.
    """
    before, after = _listing(base), _listing(head)
    for path in sorted(before.keys() - after.keys()):
        raise Refused("deleted", f"{shown(path)} is deleted")
    for path in sorted(before):
        _unchanged(path, base, head, before, after)
    added = {path: after[path] for path in sorted(after.keys() - before.keys())}
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
