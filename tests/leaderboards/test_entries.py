"""Entries: verified first, never overwritten, never believed."""

from __future__ import annotations

import hashlib
import json
import re

import pytest

from benchmarks.runner import run_suite
from benchmarks.suite import load_suite
from leaderboards.bundle import Submitter, pack
from leaderboards.entries import BUNDLE, ENTRY, NotAccepted, add_entry, load_entries
from leaderboards.verify import verify


def test_add_and_load(bundles, tmp_path):
    folder = add_entry(bundles["random"], tmp_path, added="2026-01-02")
    assert re.fullmatch(r"smoke-v1-random-[0-9a-f]{8}", folder.name)
    assert sorted(path.name for path in folder.iterdir()) == [BUNDLE, ENTRY]
    (entry,) = load_entries(tmp_path)
    assert (entry.id, entry.added) == (folder.name, "2026-01-02")
    assert entry.result == verify(bundles["random"])


def test_added_twice(bundles, tmp_path):
    add_entry(bundles["random"], tmp_path)
    with pytest.raises(FileExistsError, match="on the board"):
        add_entry(bundles["random"], tmp_path)


def test_copy_under_another_name(bundles, runs, tmp_path):
    add_entry(bundles["random"], tmp_path / "entries")
    copy = pack(runs["random"], tmp_path / "copy", Submitter("Mallory"))
    with pytest.raises(NotAccepted, match="those of the entry 'smoke-v1-random-"):
        add_entry(copy, tmp_path / "entries")


def test_refused_bundle_leaves_nothing(bundles, runs, tmp_path):
    forged = pack(runs["random"], tmp_path / "forged", Submitter("Mallory"))
    text = (forged / "episodes.jsonl").read_text()
    (forged / "episodes.jsonl").write_text(text.replace('"solved":false', '"solved":true'))
    with pytest.raises(NotAccepted, match="forged-score") as error:
        add_entry(forged, tmp_path / "entries")
    assert not error.value.result.accepted
    assert not (tmp_path / "entries").exists()


def test_hostile_names_become_safe_ids(runs, tmp_path):
    bundle = pack(runs["random"], tmp_path / "b", Submitter("../../etc"))
    run = json.loads((bundle / "run.json").read_text())
    run["config"] |= {"agent": "../..//<b>\u00c9:CON"}
    (bundle / "run.json").write_text(json.dumps(run))
    manifest = json.loads((bundle / "manifest.json").read_text())
    manifest["files"]["run.json"] = seen(bundle / "run.json")
    (bundle / "manifest.json").write_text(json.dumps(manifest))
    folder = add_entry(bundle, tmp_path / "entries")
    assert folder.parent == tmp_path / "entries"
    assert re.fullmatch(r"[a-z0-9-]+", folder.name)


def seen(path):
    data = path.read_bytes()
    return {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("solved", -1),
        ("solved", 0.0),
        ("solved", False),
        ("format", True),
        ("tier", "rerun"),
        ("division", "open"),
        ("verified", True),
        ("id", "x"),
        ("suite", "core-v1"),
        ("actions", "0" * 64),
        ("added", "2026-02-30"),
        ("added", 20260102),
    ],
)
def test_forged_receipt(bundles, tmp_path, key, value):
    folder = add_entry(bundles["random"], tmp_path)
    receipt = json.loads((folder / ENTRY).read_text())
    (folder / ENTRY).write_text(json.dumps(receipt | {key: value}))
    with pytest.raises(ValueError, match=str(folder)):
        load_entries(tmp_path)


@pytest.mark.parametrize("name", [ENTRY, BUNDLE, ""])
def test_links_are_not_followed(bundles, tmp_path, name):
    folder = add_entry(bundles["random"], tmp_path / "entries")
    (folder / name).rename(tmp_path / "elsewhere")
    (folder / name).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(ValueError, match="symbolic link"):
        load_entries(tmp_path / "entries")


def test_exchanged_bundle(bundles, tmp_path):
    folder = add_entry(bundles["random"], tmp_path)
    (folder / BUNDLE).write_bytes(bundles["expert"].read_bytes())
    with pytest.raises(ValueError, match="but the bundle there gives"):
        load_entries(tmp_path)


def test_folder_that_is_no_entry(tmp_path):
    (tmp_path / "my-model").mkdir()
    with pytest.raises(ValueError, match="not an entry"):
        load_entries(tmp_path)


def test_no_entries(tmp_path):
    assert load_entries(tmp_path) == load_entries(tmp_path / "none") == ()


def test_part_of_a_suite_needs_a_word(tmp_path):
    run_suite("smoke", tmp_path / "run", agent="expert", limit=3, progress=False)
    bundle = pack(tmp_path / "run", tmp_path / "bundle", Submitter("Ada"))
    with pytest.raises(NotAccepted, match="Not the whole suite"):
        add_entry(bundle, tmp_path / "entries")
    folder = add_entry(bundle, tmp_path / "entries", partial=True)
    assert folder.name.startswith("smoke-v1-first-3-expert-")
    score = load_entries(tmp_path / "entries")[0].result.score
    assert score.episodes == score.solved == 3 * len(load_suite("smoke").entries)
