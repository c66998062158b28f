"""Bundles changed at random: none crashes the verifier, keeps it for 10 seconds, makes it write or
run anything, or earns what replay does not give."""

from __future__ import annotations

import copy
import gzip
import io
import json
import shutil
import tarfile
import tempfile
from collections.abc import Callable
from functools import lru_cache
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.replay import ReplayError, replay
from benchmarks.suite import Resolved, load_suite, resolve
from leaderboards.files import EPISODES, MANIFEST, RUN
from leaderboards.verify import Result
from reason_env import lines
from reason_env.tokenizer import TOKENIZER

FILES = (MANIFEST, RUN, EPISODES)
VALUES = st.one_of(
    st.none(),
    st.booleans(),
    st.integers(-3, 10),
    st.integers(),
    st.floats(),
    st.text(max_size=20),
    st.lists(st.one_of(st.integers(), st.text(max_size=3)), max_size=3),
    st.dictionaries(st.text(max_size=3), st.integers(), max_size=2),
)


def examples(count: int) -> settings:
    return settings(
        max_examples=count,
        deadline=None,
        suppress_health_check=[HealthCheck.function_scoped_fixture, HealthCheck.too_slow],
    )


# -- What a bundle is worth ----------------------------------------------------------------------


@lru_cache(maxsize=8)
def resolved(suite: str, limit: int | None) -> Resolved:
    return resolve(load_suite(suite), limit)


def earned(run: bytes, episodes: bytes) -> int:
    """How many of the suite's episodes the recorded lines really solve."""
    config = json.loads(run)["config"]
    items = resolved(config["suite"]["name"], config["limit"]).items
    solved = set()
    for line in episodes.decode(errors="replace").split("\n"):
        try:
            record = json.loads(line)
            item = items[record["index"]]
            if replay(item.env, item.kwargs, item.seed, record["actions"]).solved:
                solved.add(item.index)
        except (ReplayError, ValueError, TypeError, KeyError, IndexError):
            continue
    return len(solved)


def check(result: Result, run: bytes, episodes: bytes) -> None:
    assert all(str(discrepancy).isprintable() for discrepancy in result.discrepancies)
    if result.score is None:
        assert not result.accepted
        return
    config = json.loads(run)["config"]
    assert result.score.episodes == len(resolved(config["suite"]["name"], config["limit"]).items)
    assert result.score.solved <= earned(run, episodes)
    if result.accepted:
        assert result.score.solved == earned(run, episodes)
        check_truth(json.loads(run), [json.loads(line) for line in episodes.splitlines()])


def check_truth(run: dict[str, Any], told: list[dict[str, Any]]) -> None:
    """What is accepted says nothing that is not so, whether or not a score comes from it."""
    items = resolved(run["config"]["suite"]["name"], run["config"]["limit"]).items
    assert sorted(one["index"] for one in told) == list(range(len(items)))
    assert run["episodes"] == len(items)
    assert run["solved"] == sum(one["solved"] for one in told)
    for key, number in run["ledger"].items():
        assert number == sum(one["ledger"][key] for one in told)
    for one in told:
        item = items[one["index"]]
        assert {name: one[name] for name in item.identity()} == item.identity()
        outcome = replay(item.env, item.kwargs, item.seed, one["actions"])
        assert (one["solved"], one["reward"]) == (outcome.solved, pytest.approx(outcome.reward))
        assert one["terms"] == pytest.approx(outcome.terms.to_json())
        assert (one["status"] == "ok") == (outcome.ended != "unfinished")
        for line, ids in zip(one["actions"], one["tokens"], strict=True):
            text = TOKENIZER.decode(ids).removesuffix("\n")
            assert text in (lines.normalise(line).replace(lines.OUTSIDE, "?"), "")
        assert sum(map(len, one["tokens"])) <= one["ledger"]["generated_tokens"]


def check_folder(result: Result, folder: Path) -> None:
    check(result, (folder / RUN).read_bytes(), (folder / EPISODES).read_bytes())


# -- Values and bytes ----------------------------------------------------------------------------


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to every value inside."""
    found = [here] if here else []
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += paths(value[key], (*here, key))
    return found


def change_a_value(forge: Any, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from([forge.manifest, forge.run, *forge.episodes]))
    *way, last = data.draw(st.sampled_from(paths(part)))
    for key in way:
        part = part[key]
    if data.draw(st.booleans()):
        part[last] = data.draw(VALUES)
    else:
        del part[last]


def changed_values(honest: Path, make_forge: Any, guard: Any, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        forge = make_forge(Path(shutil.copytree(honest, Path(scratch) / "bundle")))
        for _ in range(data.draw(st.integers(1, 3))):
            change_a_value(forge, data)
        try:
            folder = forge.save()
        except (TypeError, KeyError, IndexError, ValueError):
            folder = forge.folder  # what is left of it is not even a bundle's shape
        check_folder(guard.verify(folder), folder)


def changed_bytes(honest: Path, make_forge: Any, guard: Any, data: st.DataObject) -> None:
    name = data.draw(st.sampled_from(FILES))
    with tempfile.TemporaryDirectory() as scratch:
        forge = make_forge(Path(shutil.copytree(honest, Path(scratch) / "bundle")))
        new = with_bytes_changed((forge.folder / name).read_bytes(), data)
        (forge.folder / name).write_bytes(new)
        if name != MANIFEST and data.draw(st.booleans()):
            forge.hash()
        result = guard.verify(forge.folder)
        assert result.score is not None or not result.accepted
        if result.score is not None:
            check_folder(result, forge.folder)


def with_bytes_changed(old: bytes, data: st.DataObject) -> bytes:
    at = data.draw(st.integers(0, len(old)))
    cut = data.draw(st.one_of(st.integers(0, 2), st.integers(0, 40)))
    signs = st.text('0123456789.eE+-,:"[]{}\\utrufalsn \n', max_size=4)
    return (
        old[:at]
        + data.draw(st.one_of(signs.map(str.encode), st.binary(max_size=8)))
        + (old[at + cut :])
    )


# -- Archives ------------------------------------------------------------------------------------

Members = list[tuple[bytes, bytes]]
"""Header and padded content."""


def split(archive: bytes) -> Members:
    found = []
    with tarfile.open(fileobj=io.BytesIO(archive)) as tar:
        for member in tar:
            end = member.offset_data + -(-member.size // 512) * 512
            header = archive[member.offset : member.offset_data]
            found.append((header, archive[member.offset_data : end]))
    return found


def change_a_header(items: Members, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(items) - 1))
    header, content = bytearray(items[number][0]), items[number][1]
    # Name, mode, owners, size, time, type, link, magic, names, devices, prefix.
    at = data.draw(st.sampled_from([0, 99, 100, 108, 116, 124, 136, 156, 157, 257, 265, 297, 345]))
    put = data.draw(
        st.one_of(
            st.binary(min_size=1, max_size=12),
            st.sampled_from([b"../x", b"/etc/x\0", b"\x80" + bytes(10) + b"\7", b"\xff" * 12]),
            st.sampled_from([b"0", b"1", b"2", b"3", b"5", b"6", b"7", b"x", b"g", b"L", b"S"]),
            st.sampled_from([b"manifest.json\0", b"run.json\0", b"77777777777\0"]),
        )
    )
    header[at : at + len(put)] = put
    if data.draw(st.booleans()):
        header[148:156] = b"%06o\0 " % (256 + sum(header[:148]) + sum(header[156:512]))
    items[number] = (bytes(header), content)


def move_a_member(items: Members, data: st.DataObject) -> None:
    item = items.pop(data.draw(st.integers(0, len(items) - 1)))
    for _ in range(data.draw(st.integers(0, 2))):
        items.insert(data.draw(st.integers(0, len(items))), item)


def change_a_content(items: Members, data: st.DataObject) -> None:
    number = data.draw(st.integers(0, len(items) - 1))
    items[number] = (items[number][0], with_bytes_changed(items[number][1], data))


def archive_changed(honest: bytes, data: st.DataObject) -> bytes:
    items = split(honest)
    changes: list[Callable[[Members, st.DataObject], None]] = [
        change_a_header,
        move_a_member,
        change_a_content,
    ]
    for change in data.draw(st.lists(st.sampled_from(changes), max_size=2)):
        if items:
            change(items, data)
    archive = b"".join(header + content for header, content in items)
    archive += bytes(512 * data.draw(st.sampled_from([2, 2, 2, 0, 1, 3, 20, 100])))
    # Each hides what was done before, so it is done to few.
    last = data.draw(st.sampled_from(["", "", "", "cut", "two streams", "joined", "bytes"]))
    at = data.draw(st.integers(0, len(archive)))
    if last == "cut":
        archive = archive[:at]
    if last == "two streams":
        return gzip.compress(archive[:at], 1) + gzip.compress(archive[at:], 1)
    zipped = gzip.compress(archive, 1, mtime=0)
    if last == "joined":
        return zipped + gzip.compress(honest, 1)
    return with_bytes_changed(zipped, data) if last == "bytes" else zipped


def changed_archive(honest: Path, guard: Any, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        plain = io.BytesIO()
        with tarfile.open(fileobj=plain, mode="w", format=tarfile.USTAR_FORMAT) as tar:
            for name in FILES:
                header = tarfile.TarInfo(name)
                header.size = (honest / name).stat().st_size
                tar.addfile(header, io.BytesIO((honest / name).read_bytes()))
        path = Path(scratch) / "attack.tar.gz"
        path.write_bytes(archive_changed(plain.getvalue(), data))
        result = guard.verify(path)
        assert all(str(discrepancy).isprintable() for discrepancy in result.discrepancies)
        if result.score is None:
            assert not result.accepted
            return
        # Another reader finds the same in it, and nothing else.
        with tarfile.open(path) as tar:
            assert tuple(member.name for member in tar) == FILES or not result.accepted
            run, episodes = (tar.extractfile(name).read() for name in (RUN, EPISODES))
        check(result, run, episodes)


# -- Lies in good form ---------------------------------------------------------------------------


def episode(forge: Any, data: st.DataObject) -> dict[str, Any]:
    return data.draw(st.sampled_from(forge.episodes))


def other(forge: Any, data: st.DataObject) -> dict[str, Any]:
    return copy.deepcopy(episode(forge, data))


def swap(forge: Any, data: st.DataObject) -> None:
    one, two = episode(forge, data), episode(forge, data)
    for key in data.draw(st.sets(st.sampled_from(["index", "seed", "problem"]), min_size=1)):
        one[key], two[key] = two[key], one[key]


def take_lines(forge: Any, data: st.DataObject) -> None:
    one, two = episode(forge, data), other(forge, data)
    for key in ("actions", "tokens", *data.draw(st.sets(st.sampled_from(["terms", "reward"])))):
        one[key] = two[key]


def flip_solved(forge: Any, data: st.DataObject) -> None:
    one = episode(forge, data)
    one["solved"] = not one["solved"]
    if data.draw(st.booleans()):
        one["terms"]["outcome"] = one["reward"] = float(one["solved"])


def other_total(forge: Any, data: st.DataObject) -> None:
    key = data.draw(st.sampled_from(["episodes", "solved", "unfinished", "errors"]))
    forge.run[key] = data.draw(st.integers(0, 9))


def cut_tokens(forge: Any, data: st.DataObject) -> None:
    one = episode(forge, data)
    if one["tokens"]:
        ids = data.draw(st.sampled_from(one["tokens"]))
        del ids[data.draw(st.integers(0, max(0, len(ids) - 1))) :]


def lower_ledger(forge: Any, data: st.DataObject) -> None:
    ledger = episode(forge, data)["ledger"]
    key = data.draw(st.sampled_from(sorted(ledger)))
    ledger[key] = data.draw(st.integers(0, ledger[key]))


def other_suite(forge: Any, data: st.DataObject) -> None:
    config = forge.run["config"]
    name = data.draw(st.sampled_from(["quickstart", "roadmap", "smoke"]))
    limit = data.draw(st.sampled_from([None, 1, 2]))
    if data.draw(st.booleans()):
        config["suite"] = load_suite(name).to_json()
    if data.draw(st.booleans()):
        config["limit"] = limit
    if data.draw(st.booleans()):
        config["suite_hash"] = resolved(config["suite"]["name"], config["limit"]).hash
    if data.draw(st.booleans()):
        items = resolved(config["suite"]["name"], config["limit"]).items
        by_problem = {one["problem"]: one for one in forge.episodes}
        kept = [(item, by_problem[item.problem]) for item in items if item.problem in by_problem]
        forge.episodes[:] = [one | {"index": item.index} for item, one in kept]


LINES = st.one_of(
    st.text(max_size=20).map(lambda text: text.replace("\n", " ")),
    st.sampled_from(["undo", "check: open", "check: dead", "answer: 1", "1 + 1 = 2", "", "so"]),
    st.sampled_from(["1 + 1 = 3", "\u00d7", "9**9**9", "(" * 500, "\ud800", "e" + "\u0301" * 99]),
)


def change_lines(forge: Any, data: st.DataObject) -> None:
    one = episode(forge, data)
    at = data.draw(st.integers(0, len(one["actions"])))
    cut = data.draw(st.integers(0, 1))
    pool = [action for each in forge.episodes for action in each["actions"]] or [""]
    line = data.draw(st.one_of(LINES, st.sampled_from(pool)))
    put = [line] * data.draw(st.integers(0, 2))
    ids = TOKENIZER.encode(lines.normalise(line).replace(lines.OUTSIDE, "?") + "\n")
    one["actions"][at : at + cut] = put
    one["tokens"][at : at + cut] = [list(ids) for _ in put]


def drop_or_double(forge: Any, data: st.DataObject) -> None:
    one = episode(forge, data)
    if data.draw(st.booleans()):
        forge.episodes.remove(one)
    else:
        forge.episodes.insert(data.draw(st.integers(0, len(forge.episodes))), copy.deepcopy(one))


def status(forge: Any, data: st.DataObject) -> None:
    one = episode(forge, data)
    one["status"] = data.draw(st.sampled_from(["ok", "unfinished", "error"]))
    one["error"] = data.draw(st.sampled_from([None, "ValueError: x", ""]))
    if data.draw(st.booleans()):
        one |= {"actions": [], "tokens": []}


def division(forge: Any, data: st.DataObject) -> None:
    episode(forge, data)["division"] = data.draw(st.sampled_from(["open", "oracle"]))
    forge.run["config"]["agent"] = data.draw(st.sampled_from(["expert", "random", "mine"]))


def tell_the_truth(forge: Any, data: st.DataObject) -> None:
    """Make a record what a run of its lines would have written, as far as there can be one."""
    one = episode(forge, data)
    item = resolved("smoke", None).items[one["index"] % 8]
    try:
        outcome = replay(item.env, item.kwargs, item.seed, one["actions"])
    except ReplayError:
        return
    one |= {
        "solved": outcome.solved,
        "terms": outcome.terms.to_json(),
        "reward": outcome.reward,
        "status": "unfinished" if outcome.ended == "unfinished" else "ok",
        "error": None,
    }
    own = sum(map(len, one["tokens"]))
    one["ledger"]["generated_tokens"] = max(own, one["ledger"]["generated_tokens"])


CHANGES = [
    swap,
    take_lines,
    flip_solved,
    cut_tokens,
    lower_ledger,
    other_suite,
    change_lines,
    change_lines,
    drop_or_double,
    status,
    division,
    tell_the_truth,
]


def add_up(forge: Any) -> None:
    """Make the totals those of the episodes."""
    each = forge.episodes
    forge.run |= {
        "episodes": len(each),
        "solved": sum(one["solved"] for one in each),
        "unfinished": sum(one["status"] == "unfinished" for one in each),
        "errors": sum(one["status"] == "error" for one in each),
        "ledger": {key: sum(one["ledger"][key] for one in each) for key in forge.run["ledger"]},
    }


def told_otherwise(honest: Path, make_forge: Any, guard: Any, data: st.DataObject) -> bool:
    """Whether it was accepted."""
    with tempfile.TemporaryDirectory() as scratch:
        forge = make_forge(Path(shutil.copytree(honest, Path(scratch) / "bundle")))
        for change in data.draw(st.lists(st.sampled_from(CHANGES), min_size=1, max_size=4)):
            if forge.episodes:
                change(forge, data)
        if data.draw(st.integers(0, 3)):
            add_up(forge)
        if not data.draw(st.integers(0, 9)):
            other_total(forge, data)
        folder = forge.save()
        result = guard.verify(folder)
        check_folder(result, folder)
        return result.accepted


# -- The tests -----------------------------------------------------------------------------------


@given(data=st.data())
@examples(40)
def test_changed_values(honest, make_forge, guard, data):
    changed_values(honest, make_forge, guard, data)


@given(data=st.data())
@examples(60)
def test_changed_bytes(honest, make_forge, guard, data):
    changed_bytes(honest, make_forge, guard, data)


@given(data=st.data())
@examples(60)
def test_changed_archives(honest, guard, data):
    changed_archive(honest, guard, data)


@given(data=st.data())
@examples(60)
def test_lies_in_good_form(honest, make_forge, guard, data):
    told_otherwise(honest, make_forge, guard, data)


@pytest.mark.slow
@given(data=st.data())
@examples(1000)
def test_a_thousand_changed_values(honest, make_forge, guard, data):
    changed_values(honest, make_forge, guard, data)


@pytest.mark.slow
@given(data=st.data())
@examples(1000)
def test_a_thousand_changed_bytes(honest, make_forge, guard, data):
    changed_bytes(honest, make_forge, guard, data)


@pytest.mark.slow
@given(data=st.data())
@examples(1000)
def test_a_thousand_changed_archives(honest, guard, data):
    changed_archive(honest, guard, data)


@pytest.mark.slow
def test_a_thousand_lies_in_good_form(honest, make_forge, guard):
    accepted = []

    @given(data=st.data())
    @examples(1000)
    def tell(data):
        accepted.append(told_otherwise(honest, make_forge, guard, data))

    tell()
    # Some are harmless, such as one more thought: else nothing but refusals would be tested.
    assert 20 < sum(accepted) < len(accepted) / 2
