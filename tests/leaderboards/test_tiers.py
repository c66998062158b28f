"""Tiers: how far an entry was checked, from the operator's command to the board."""

from __future__ import annotations

import hashlib
import json
import re
import shutil

import pytest

from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks.runner import run_suite
from leaderboards import regenerate as module
from leaderboards.board import TIERS as MEANINGS
from leaderboards.board import render
from leaderboards.bundle import Submitter, pack
from leaderboards.decisions import (
    DECISIONS,
    REPLAYED,
    RERUN,
    SPOT_REGENERATED,
    TIERS,
    Decision,
    read_log,
    tier_of,
)
from leaderboards.entries import BUNDLE, ENTRY, NotAccepted, add_entry, decide, load_entries
from leaderboards.generation import Source
from leaderboards.regenerate import raise_tier
from leaderboards.strict import Refused
from leaderboards.submission import FOLDER, check_submission

EXPERT, RANDOM = Source(agent="expert"), Source(agent="random")
DRAWN = {"sample": 3, "seed": 5}


def tiers(entries):
    return {entry.id: entry.tier for entry in load_entries(entries)}


def logged(entries):
    log = entries / DECISIONS
    return [json.loads(line) for line in log.read_text().splitlines()] if log.exists() else []


@pytest.fixture
def no_work(monkeypatch):
    """Refused before anything is replayed or generated."""
    monkeypatch.setattr(module, "regenerate", lambda *a, **k: pytest.fail("work was done"))


# One step up.


def test_the_note_becomes_the_reason(entries, expert):
    result, decision = raise_tier(expert, EXPERT, entries, **DRAWN)
    reason = (
        "3 of 8 episodes were generated again, and nothing differs: agent expert; they were drawn "
        "with seed 5"
    )
    assert (result.tier, result.notes[-1]) == (SPOT_REGENERATED, reason)
    (line,) = logged(entries)
    assert (line["entry"], line["action"], line["reason"]) == (expert, "spot-regenerated", reason)
    assert (line["number"], line["previous"]) == (1, "0" * 64)
    assert (decision,) == read_log(entries).lines


def test_board_shows_the_tier(entries, expert, random):
    raise_tier(expert, EXPERT, entries, **DRAWN)
    assert tiers(entries) == {expert: SPOT_REGENERATED, random: REPLAYED}
    page = render(entries, entries.parent / "site").read_text()
    rows = {
        entry: re.search(rf"<tr[^>]*>(?:(?!</tr>).)*{entry}\.html.*?</tr>", page, re.DOTALL).group()
        for entry in (expert, random)
    }
    cell = '<td role="cell" data-label="Tier">{}</td>'
    assert cell.format("spot-regenerated") in rows[expert]
    assert cell.format("replayed") in rows[random]
    assert read_log(entries).head[:16] in page
    page = (entries.parent / "site" / "entries" / f"{expert}.html").read_text()
    assert "oracle, spot-regenerated</dd>" in page
    assert "spot-regenerated: <bdi>3 of 8 episodes were generated again" in page


def test_every_tier_is_explained(entries):
    page = render(entries, entries.parent / "site").read_text()
    assert tuple(MEANINGS) == TIERS
    for tier, meaning in MEANINGS.items():
        assert f"<dt>Tier <em>{tier}</em></dt><dd>{meaning[0].upper()}" in page


def test_receipt_and_bundle_stay_as_they_are(entries, expert):
    """The log is the one place that says more than replay does."""

    def contents():
        return {path.name: path.read_bytes() for path in (entries / expert).iterdir()}

    before = contents()
    raise_tier(expert, EXPERT, entries, sample=None)
    assert contents() == before
    assert json.loads(before[ENTRY])["tier"] == REPLAYED


def test_rerun_after_spot(entries, expert):
    raise_tier(expert, EXPERT, entries, **DRAWN)
    result, _ = raise_tier(expert, EXPERT, entries, sample=None)
    assert result.tier == RERUN
    first, second = (entries / DECISIONS).read_bytes().splitlines()
    assert json.loads(second)["previous"] == hashlib.sha256(first).hexdigest()
    assert [line["action"] for line in logged(entries)] == [SPOT_REGENERATED, RERUN]
    assert tiers(entries)[expert] == RERUN


def test_a_sample_of_everything_is_logged_as_rerun(entries, expert):
    raise_tier(expert, EXPERT, entries, **DRAWN)
    _, decision = raise_tier(expert, EXPERT, entries)
    assert decision.action == RERUN
    assert decision.reason == (
        "8 of 8 episodes were generated again, and nothing differs: agent expert"
    )


# What is refused.


def test_a_second_time(entries, expert):
    raise_tier(expert, EXPERT, entries, **DRAWN)
    with pytest.raises(Refused, match=f"spot-regenerated {expert}, which is spot-regenerated alr"):
        raise_tier(expert, EXPERT, entries, **DRAWN)
    assert len(logged(entries)) == 1


@pytest.mark.parametrize("sample", [3, None])
def test_not_after_rerun(entries, expert, sample, request):
    raise_tier(expert, EXPERT, entries, sample=None)
    request.getfixturevalue("no_work")
    with pytest.raises(Refused, match=f"wrong-action: .*{expert}, which is rerun already"):
        raise_tier(expert, EXPERT, entries, sample=sample)
    assert len(logged(entries)) == 1


def test_not_of_a_removed_entry(entries, expert, no_work):
    decide(expert, "remove", "why", entries)
    with pytest.raises(Refused, match=f"wrong-action: .*{expert}, which is removed$"):
        raise_tier(expert, EXPERT, entries)
    assert len(logged(entries)) == 1


def test_not_of_one_that_is_removed_meanwhile(entries, expert, monkeypatch):
    def meanwhile(*arguments, **options):
        decide(expert, "remove", "why", entries)
        return regenerate(*arguments, **options)

    regenerate = module.regenerate
    monkeypatch.setattr(module, "regenerate", meanwhile)
    with pytest.raises(Refused, match="which is removed"):
        raise_tier(expert, EXPERT, entries)
    assert [line["action"] for line in logged(entries)] == ["remove"]


def test_not_with_a_damaged_log(entries, expert, chain, no_work):
    chain({"entry": expert, "previous": "1" * 64})
    with pytest.raises(Refused, match="broken-chain"):
        raise_tier(expert, EXPERT, entries)


def test_not_of_an_unknown_entry(entries, expert, no_work):
    with pytest.raises(ValueError, match=f"Did you mean '{expert}'"):
        raise_tier(expert[:-1], EXPERT, entries)


def test_nothing_is_logged_if_something_differs(entries, expert, random):
    for source, code in ((RANDOM, "wrong-model"), (Source(model=tiny()), "wrong-model")):
        with pytest.raises(NotAccepted, match=f"Not proved: {code}") as error:
            raise_tier(expert, source, entries)
        assert (error.value.result.accepted, error.value.result.tier) == (False, REPLAYED)
    for source, message in ((Source(), "Name the model"), (Source("x", agent="expert"), "both")):
        with pytest.raises(ValueError, match=message):
            raise_tier(expert, source, entries)
    assert logged(entries) == []
    assert set(tiers(entries).values()) == {REPLAYED}


def test_nothing_is_logged_for_a_bundle_in_the_wrong_folder(entries, expert, random):
    shutil.copy(entries / random / BUNDLE, entries / expert / BUNDLE)
    with pytest.raises(ValueError, match=f"not an entry: its bundle's id is {random}"):
        raise_tier(expert, RANDOM, entries)
    assert logged(entries) == []


# The rules of the log.


@pytest.mark.parametrize(
    ("actions", "tier"),
    [
        ([], REPLAYED),
        (["spot-regenerated"], SPOT_REGENERATED),
        (["rerun"], RERUN),
        (["spot-regenerated", "rerun"], RERUN),
        (["remove", "reinstate"], REPLAYED),
        (["spot-regenerated", "remove", "reinstate"], SPOT_REGENERATED),
        (["spot-regenerated", "remove", "reinstate", "rerun"], RERUN),
        (["rerun", "remove", "reinstate"], RERUN),
        (["remove", "reinstate", "spot-regenerated"], SPOT_REGENERATED),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_follows(entries, expert, random, chain, actions, tier):
    chain(*({"entry": expert, "action": action} for action in actions))
    assert tiers(entries) == {expert: tier, random: REPLAYED}


@pytest.mark.parametrize(
    ("actions", "state"),
    [
        (["spot-regenerated", "spot-regenerated"], "spot-regenerated already"),
        (["rerun", "rerun"], "rerun already"),
        (["rerun", "spot-regenerated"], "rerun already"),
        (["spot-regenerated", "rerun", "spot-regenerated"], "rerun already"),
        (["remove", "spot-regenerated"], "removed"),
        (["remove", "rerun"], "removed"),
        (["spot-regenerated", "remove", "rerun"], "removed"),
        (["rerun", "remove", "reinstate", "rerun"], "rerun already"),
        (["spot-regenerated", "remove", "remove"], "removed already"),
        (["spot-regenerated", "reinstate"], "not removed"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_what_does_not_follow(entries, expert, chain, actions, state):
    chain(*({"entry": expert, "action": action} for action in actions))
    message = f"wrong-action: .*{DECISIONS}, line {len(actions)}: .*, which is {state}$"
    with pytest.raises(Refused, match=message):
        load_entries(entries)


@pytest.mark.parametrize("action", ["replayed", "Rerun", "", "spot_regenerated", None, ["rerun"]])
def test_what_is_no_action(entries, expert, chain, action):
    chain({"entry": expert, "action": action})
    with pytest.raises(Refused, match=f"unknown-value: .*{DECISIONS}, line 1: action"):
        load_entries(entries)


def test_tiers_of_one_entry_are_not_anothers(entries, expert, random, chain):
    chain({"entry": expert, "action": "rerun"}, {"entry": random, "action": "spot-regenerated"})
    assert tiers(entries) == {expert: RERUN, random: SPOT_REGENERATED}


def test_a_tier_of_an_unknown_entry(entries, chain):
    chain({"action": "rerun"})
    with pytest.raises(Refused, match="unknown-entry"):
        load_entries(entries)


def test_tier_of():
    def decision(action):
        return Decision(1, "2026-01-02", "x", action, "why", "0" * 64)

    assert tier_of(()) == REPLAYED
    assert tier_of(map(decision, ("rerun", "remove", "spot-regenerated", "reinstate"))) == RERUN


def test_reinstated_keeps_its_tier(entries, expert):
    raise_tier(expert, EXPERT, entries, **DRAWN)
    decide(expert, "remove", "why", entries)
    assert expert not in tiers(entries)
    assert expert not in re.findall(
        r"entries/([^.]+)\.html", render(entries, entries.parent / "site").read_text()
    )
    decide(expert, "reinstate", "why not", entries)
    assert tiers(entries)[expert] == SPOT_REGENERATED
    raise_tier(expert, EXPERT, entries, sample=None)
    assert tiers(entries)[expert] == RERUN


# What a stranger claims.


def claim(folder, tier):
    receipt = json.loads((folder / ENTRY).read_text())
    (folder / ENTRY).write_text(json.dumps(receipt | {"tier": tier}))


@pytest.mark.parametrize("tier", ["rerun", "spot-regenerated", "best", None])
def test_a_receipt_claims_no_tier(entries, expert, tier):
    claim(entries / expert, tier)
    message = f"'tier' is {tier!r}, but the bundle there gives 'replayed'"
    with pytest.raises(ValueError, match=message):
        load_entries(entries)
    # Not even the one that it has.
    decide(expert, "rerun", "why", entries)
    with pytest.raises(ValueError, match=message):
        load_entries(entries)


def test_a_submission_claims_no_tier(bundles, tmp_path):
    base, head = tmp_path / "base", tmp_path / "head"
    base.mkdir()
    folder = add_entry(bundles["expert"], head / FOLDER)
    assert check_submission(base, head).tier == REPLAYED
    claim(folder, "rerun")
    with pytest.raises(Refused, match=r"not-an-entry: .*'tier' is 'rerun'"):
        check_submission(base, head)


def test_a_submission_brings_no_decisions(bundles, tmp_path):
    base, head = tmp_path / "base", tmp_path / "head"
    add_entry(bundles["random"], base / FOLDER)
    shutil.copytree(base, head)
    folder = add_entry(bundles["expert"], head / FOLDER)
    decide(folder.name, "rerun", "I did it.", head / FOLDER)
    with pytest.raises(Refused, match="decisions"):
        check_submission(base, head)


# The command line.


def tiny(seed=0):
    return HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2), seed))


@pytest.fixture(scope="module")
def weights(tmp_path_factory):
    """A tiny model and another, as folders."""
    folder = tmp_path_factory.mktemp("weights")
    for seed, name in enumerate(("model", "other")):
        tiny(seed).save(folder / name)
    return folder


@pytest.fixture(scope="module")
def written(weights, tmp_path_factory):
    """A bundle that the model wrote."""
    folder = tmp_path_factory.mktemp("written")
    run = run_suite(
        "smoke",
        folder / "run",
        model=weights / "model",
        strategy="sample",
        line_tokens=8,
        progress=False,
    )
    return pack(run.folder, folder / "bundle.tar.gz", Submitter("Ada Lovelace"))


def test_verify_with_weights(board, weights, written):
    code, out, _ = board("verify", written, "--model", weights / "model", "--rerun")
    assert (code, "ACCEPTED" in out) == (0, True)
    assert re.search(r"tier +rerun: besides, all episodes", out)
    assert re.search(r"note: 8 of 8 episodes .*: weights [0-9a-f]{64}\n", out)
    code, out, _ = board("verify", written, "--model", weights / "other", "--rerun")
    assert (code, "REFUSED" in out, "wrong-model" in out) == (1, True, True)
    code, out, _ = board("verify", written, "--agent", "expert")
    assert (code, "this is a run of a model" in out) == (1, True)


def test_verify_a_sample(board, bundles):
    arguments = ("verify", bundles["expert"], "--agent", "expert", "--sample", 2)
    code, out, _ = board(*arguments, "--sample-seed", 7, "--json")
    value = json.loads(out)
    assert (code, value["accepted"], value["tier"]) == (0, True, SPOT_REGENERATED)
    assert value["notes"][-1].endswith("they were drawn with seed 7")
    seeds = {board(*arguments)[1].split("drawn with seed ")[1].split()[0] for _ in range(2)}
    assert len(seeds) == 2


def test_verify_with_a_reward_model(board, weights, written):
    model, other = weights / "model", weights / "other"
    code, out, _ = board("verify", written, "--model", model, "--reward-model", other)
    assert (code, "this is a run with no reward model" in out) == (1, True)


def test_verify_alone_only_replays(board, bundles):
    value = json.loads(board("verify", bundles["expert"], "--json")[1])
    assert value["tier"] == REPLAYED


def test_regenerate(board, entries, expert, random):
    folder = ("--entries", entries)
    code, out, err = board("regenerate", random, "--agent", "expert", *folder)
    assert (code, "REFUSED" in out) == (1, True)
    assert "Not proved: wrong-model" in err
    assert logged(entries) == []

    code, out, _ = board(
        "regenerate", expert, "--agent", "expert", "--sample", 2, "--sample-seed", 7, *folder
    )
    assert (code, "ACCEPTED" in out) == (0, True)
    assert f"spot-regenerated {expert} (2 of 8 episodes" in out
    assert re.search(r"Decision 1 of \d{4}-\d\d-\d\d: ", out)
    assert "drawn with seed 7" in logged(entries)[0]["reason"]

    code, _, err = board("regenerate", expert, "--agent", "expert", "--sample", 2, *folder)
    assert (code, "which is spot-regenerated already" in err) == (2, True)
    code, out, _ = board("regenerate", expert, "--agent", "expert", "--rerun", *folder)
    assert (code, "Decision 2 of" in out) == (0, True)
    assert tiers(entries) == {expert: RERUN, random: REPLAYED}


def test_regenerate_from_weights(board, weights, written, tmp_path):
    entry = add_entry(written, tmp_path / "entries").name
    folder = ("--entries", tmp_path / "entries")
    assert board("regenerate", entry, "--model", weights / "other", *folder)[0] == 1
    assert board("regenerate", entry, "--model", weights / "model", "--rerun", *folder)[0] == 0
    (decision,) = logged(tmp_path / "entries")
    assert decision["action"] == RERUN
    assert decision["reason"].endswith(f"weights {tiny().digest}")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--rerun"], "name what wrote them: --model or --agent"),
        (["--sample", "3"], "name what wrote them: --model or --agent"),
        (["--sample-seed", "0"], "name what wrote them: --model or --agent"),
        (["--reward-model", "x"], "Name the model or the agent"),
        (["--model", "x", "--agent", "expert"], "and not both"),
        (["--agent", "expert", "--reward-model", "x"], "an agent has none"),
        (["--agent", "expert", "--sample", "0"], "sample must be 1 or more, received 0"),
        (["--agent", "expert", "--sample-seed", "-1"], "seed must be 0 or more, received -1"),
        (["--agent", "expret"], "Did you mean 'expert'"),
        (["--agent", "nothing.here:make"], "no module 'nothing'"),
        (["--model", "http://localhost:1/v1#x"], "A server shows no weights"),
        (["--sample", "x"], "--sample"),
    ],
    ids=lambda value: " ".join(value) if isinstance(value, list) else None,
)
def test_mistakes(board, bundles, arguments, message):
    code, _, err = board("verify", bundles["expert"], *arguments)
    assert code == 2
    assert message in re.sub(r"\x1b\[[0-9;]*m", "", err)


def test_mistakes_of_regenerate(board, entries, expert):
    folder = ("--entries", entries)
    for arguments, message in (
        ([expert], "Name the model or the agent"),
        ([expert[:-1], "--agent", "expert"], f"Did you mean '{expert}'"),
        ([expert, "--agent", "expert", "--sample", "0"], "sample must be 1 or more"),
    ):
        code, _, err = board("regenerate", *arguments, *folder)
        assert (code, message in err) == (2, True), err
    assert logged(entries) == []
