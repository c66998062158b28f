"""Bundles changed at random: none crashes the verifier or earns what replay does not give."""

from __future__ import annotations

import json
import shutil
import tempfile
from pathlib import Path
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from benchmarks.replay import ReplayError, replay
from benchmarks.suite import load_suite, resolve
from leaderboards.verify import Result, verify

FILES = ("manifest.json", "run.json", "episodes.jsonl")
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


def earned(folder: Path) -> int:
    """How many of the suite's episodes the recorded lines really solve."""
    items = resolve(load_suite("smoke")).items
    solved = set()
    for line in (folder / "episodes.jsonl").read_text().splitlines():
        try:
            record = json.loads(line)
            item = items[record["index"]]
            if replay(item.env, item.kwargs, item.seed, record["actions"]).solved:
                solved.add(item.index)
        except (ReplayError, ValueError, TypeError, KeyError, IndexError):
            continue
    return len(solved)


def paths(value: Any, here: tuple[Any, ...] = ()) -> list[tuple[Any, ...]]:
    """Ways to every value inside."""
    found = [here] if here else []
    keys = (
        value if isinstance(value, dict) else range(len(value)) if isinstance(value, list) else ()
    )
    for key in keys:
        found += paths(value[key], (*here, key))
    return found


def check(result: Result, folder: Path) -> None:
    if result.score is not None:
        assert result.score.episodes == len(resolve(load_suite("smoke")).items)
        assert result.score.solved <= earned(folder)
    assert all(str(discrepancy).isprintable() for discrepancy in result.discrepancies)


def change_a_value(forge: Any, data: st.DataObject) -> None:
    part = data.draw(st.sampled_from([forge.manifest, forge.run, *forge.episodes]))
    *way, last = data.draw(st.sampled_from(paths(part)))
    for key in way:
        part = part[key]
    if data.draw(st.booleans()):
        part[last] = data.draw(VALUES)
    else:
        del part[last]


@given(data=st.data())
@examples(40)
def test_changed_values(honest, make_forge, data):
    changed_values(honest, make_forge, data)


@pytest.mark.slow
@given(data=st.data())
@examples(1000)
def test_a_thousand_changed_values(honest, make_forge, data):
    changed_values(honest, make_forge, data)


def changed_values(honest: Path, make_forge: Any, data: st.DataObject) -> None:
    with tempfile.TemporaryDirectory() as scratch:
        forge = make_forge(Path(shutil.copytree(honest, Path(scratch) / "bundle")))
        for _ in range(data.draw(st.integers(1, 3))):
            change_a_value(forge, data)
        try:
            folder = forge.save()
        except (TypeError, KeyError, IndexError, ValueError):
            folder = forge.folder  # what is left of it is not even a bundle's shape
        check(verify(folder), folder)


@given(
    name=st.sampled_from(FILES),
    place=st.floats(0, 1),
    cut=st.integers(0, 40),
    put=st.binary(max_size=8),
)
@examples(60)
def test_changed_bytes(honest, name, place, cut, put):
    with tempfile.TemporaryDirectory() as scratch:
        folder = Path(shutil.copytree(honest, Path(scratch) / "bundle"))
        old = (folder / name).read_bytes()
        at = int(place * len(old))
        new = old[:at] + put + old[at + cut :]
        (folder / name).write_bytes(new)
        result = verify(folder)
        # The manifest's own free texts may change; nothing else passes.
        assert name == "manifest.json" or old == new or not result.accepted
        assert all(str(discrepancy).isprintable() for discrepancy in result.discrepancies)
