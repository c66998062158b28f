"""Copies with trivial changes: white space makes no new submission, and the rest is counted."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from leaderboards.bundle import Submitter, pack
from leaderboards.copies import closest
from leaderboards.entries import BUNDLE, NotAccepted, add_entry, check_copy, decide, overlap
from leaderboards.verify import verify
from reason_env.tokenizer import TOKENIZER


@pytest.fixture
def entries(bundles, tmp_path):
    add_entry(bundles["random"], tmp_path / "entries")
    return tmp_path / "entries"


@pytest.fixture
def entry(entries):
    return next(entries.iterdir()).name


@pytest.fixture
def copy(runs, tmp_path):
    """A copy of the entry whose episodes a function changes."""

    def change(how, agent="random"):
        folder = pack(runs[agent], tmp_path / "copy", Submitter("Mallory"))
        episodes = [
            json.loads(line) for line in (folder / "episodes.jsonl").read_text().splitlines()
        ]
        for number, episode in enumerate(episodes):
            how(number, episode)
            episode["tokens"] = [TOKENIZER.encode(line + "\n") for line in episode["actions"]]
            episode["ledger"]["generated_tokens"] = 1000
        run = json.loads((folder / "run.json").read_text())
        run["ledger"] = {key: sum(e["ledger"][key] for e in episodes) for key in run["ledger"]}
        (folder / "run.json").write_text(json.dumps(run))
        text = "".join(json.dumps(episode) + "\n" for episode in episodes)
        (folder / "episodes.jsonl").write_text(text)
        manifest = json.loads((folder / "manifest.json").read_text())
        for name, seen in manifest["files"].items():
            data = (folder / name).read_bytes()
            seen |= {"bytes": len(data), "sha256": hashlib.sha256(data).hexdigest()}
        (folder / "manifest.json").write_text(json.dumps(manifest))
        result = verify(folder)
        assert result.accepted, result.discrepancies
        return folder

    return change


def spaced(number, episode):
    episode["actions"] = ["", *(line.replace(" ", "  ") + " " for line in episode["actions"])]


def thinking(number, episode):
    episode["actions"].insert(0, "so")


def one_thinks(number, episode):
    if number == 0:
        thinking(number, episode)


def test_white_space_makes_no_new_submission(entries, copy):
    with pytest.raises(NotAccepted, match="but for white space, those of the entry 'smoke-v1-ran"):
        add_entry(copy(spaced), entries)


def test_nor_once_the_entry_is_removed(entries, entry, copy):
    decide(entry, "remove", "why not", entries)
    with pytest.raises(NotAccepted, match="but for white space"):
        add_entry(copy(spaced), entries)


@pytest.mark.parametrize("how", [thinking, one_thinks])
def test_added_lines_are_counted(entries, entry, copy, how):
    bundle = copy(how)
    shared = check_copy(verify(bundle), bundle, entries)
    assert (shared.entry, shared.same, shared.episodes, shared.equal) == (entry, 8, 8, False)
    assert shared.mistakes == 8 - verify(bundle).score.solved
    assert f"8 of 8 episodes have the lines of {entry}" in str(shared)
    # It is for people to decide.
    assert overlap(add_entry(bundle, entries)) == shared


def test_taken_away_lines_are_counted(entries, entry, copy, bundles):
    add = add_entry(copy(thinking), entries.parent / "others")
    shared = closest(bundles["random"], {"thinker": add / BUNDLE})
    assert (shared.same, shared.equal) == (8, False)


def test_another_run_is_no_copy(entries, copy):
    bundle = copy(lambda number, episode: None, agent="expert")
    assert check_copy(verify(bundle), bundle, entries) is None


def test_another_suite_is_not_compared(entries, copy):
    bundle = copy(thinking)
    receipt = next(entries.glob("*/entry.json"))
    receipt.write_text(receipt.read_text().replace('"suite": "smoke v1"', '"suite": "other"'))
    assert check_copy(verify(bundle), bundle, entries) is None


def test_entry_that_cannot_be_read(entries, entry, copy):
    (entries / entry / BUNDLE).write_bytes(b"no longer")
    bundle = copy(thinking)
    assert check_copy(verify(bundle), bundle, entries) is None
    shutil.rmtree(entries / entry)
    assert check_copy(verify(bundle), bundle, entries) is None
