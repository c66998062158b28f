"""Decisions: a log that only grows, and what the board makes of it."""

from __future__ import annotations

import hashlib
import json
import shutil

import pytest

from leaderboards.board import render
from leaderboards.bundle import Submitter, pack
from leaderboards.decisions import DECISIONS, read_log
from leaderboards.entries import ENTRY, NotAccepted, add_entry, decide, load_entries
from leaderboards.strict import Refused


def lines(entries):
    return (entries / DECISIONS).read_bytes().splitlines()


def test_no_decisions(tmp_path):
    log = read_log(tmp_path)
    assert (log.lines, dict(log.removed), log.head) == ((), {}, "0" * 64)


def test_removed_and_reinstated(entries, expert, random):
    decide(expert, "remove", "It read the answers.", entries, date="2026-01-03")
    assert [entry.id for entry in load_entries(entries)] == [random]
    assert (entries / expert / ENTRY).is_file()
    page = render(entries, entries.parent / "site").read_text()
    assert "It read the answers." in page
    assert "2026-01-03" in page
    assert f"{expert}</code>" in page
    assert not (entries.parent / "site" / "entries" / f"{expert}.html").exists()

    decide(expert, "reinstate", "It did not.", entries, date="2026-01-03")
    found = {entry.id: entry for entry in load_entries(entries)}
    assert set(found) == {expert, random}
    assert [decision.action for decision in found[expert].decisions] == ["remove", "reinstate"]
    page = render(entries, entries.parent / "site").read_text()
    assert "No entry is removed at present." in page
    assert "It read the answers." not in page
    page = (entries.parent / "site" / "entries" / f"{expert}.html").read_text()
    assert "reinstate: <bdi>It did not.</bdi>" in page


def test_each_line_holds_the_hash_of_the_one_before(entries, expert, random):
    decide(expert, "remove", "one", entries)
    decide(random, "remove", "two", entries)
    first, second = lines(entries)
    assert list(json.loads(first)) == ["number", "date", "entry", "action", "reason", "previous"]
    assert json.loads(first)["previous"] == "0" * 64
    assert json.loads(second)["previous"] == hashlib.sha256(first).hexdigest()
    assert read_log(entries).head == hashlib.sha256(second).hexdigest()
    assert read_log(entries).head[:16] in render(entries, entries.parent / "site").read_text()


def test_only_appended(entries, expert, random):
    decide(expert, "remove", "one", entries)
    before = (entries / DECISIONS).read_bytes()
    decide(random, "remove", "two", entries)
    assert (entries / DECISIONS).read_bytes().startswith(before)


@pytest.mark.parametrize(
    ("change", "code", "number"),
    [
        (lambda log: [log[0].replace(b"one", b"two"), *log[1:]], "broken-chain", 2),
        (lambda log: [log[0].replace(b": 1,", b":1,"), *log[1:]], "broken-chain", 2),
        (
            lambda log: [log[0], log[1].replace(b'"reason": "', b'"reason": "x'), log[2]],
            "broken",
            3,
        ),
        (lambda log: log[1:], "wrong-number", 1),
        (lambda log: [log[0], log[2]], "wrong-number", 2),
        (lambda log: [log[1], log[0], log[2]], "wrong-number", 1),
        (lambda log: [log[0], log[0], *log[1:]], "wrong-number", 2),
        (lambda log: [log[0].replace(b"0" * 64, b"1" * 64)], "broken-chain", 1),
        (lambda log: [log[0], b"", *log[1:]], "not-json", 2),
        (lambda log: [log[0] + b"\r", *log[1:]], "broken-chain", 2),
        (lambda log: [log[0], b"[]"], "wrong-type", 2),
        (lambda log: [log[0].replace(b'"number": 1', b'"number": true')], "wrong-type", 1),
        (lambda log: [log[0].replace(b'"number"', b'"number": 1, "number"')], "duplicate-key", 1),
        (lambda log: [log[0].replace(b"{", b'{"by": "me", ')], "unknown-field", 1),
    ],
)
def test_damaged_log(entries, expert, random, change, code, number):
    for action, entry in (("remove", expert), ("remove", random), ("reinstate", expert)):
        decide(entry, action, "one", entries, date="2026-01-03")
    log = change(lines(entries))
    (entries / DECISIONS).write_bytes(b"".join(line + b"\n" for line in log))
    for use in (
        lambda: render(entries, entries.parent / "site"),
        lambda: decide(expert, "remove", "again", entries),
    ):
        with pytest.raises(Refused, match=rf"{code}.*{DECISIONS}, line {number}\b"):
            use()
    assert not (entries.parent / "site").exists()


@pytest.mark.parametrize(
    ("decision", "code"),
    [
        ({"date": "20260102"}, "wrong-date"),
        ({"date": "2026-02-30"}, "wrong-date"),
        ({"date": None}, "wrong-date"),
        ({"action": "delete"}, "unknown-value"),
        ({"action": "reinstate"}, "wrong-action"),
        ({"reason": ""}, "missing-field"),
        ({"reason": "a" * 501}, "too-long"),
        ({"reason": "\u202eabc"}, "unsafe-text"),
        ({"reason": "=1+1"}, "unsafe-text"),
        ({"reason": "a\nb"}, "unsafe-text"),
        ({"previous": "0" * 63}, "wrong-type"),
    ],
)
def test_bad_decision(entries, expert, chain, decision, code):
    chain({"entry": expert} | decision)
    with pytest.raises(Refused, match=rf"{code}.*{DECISIONS}, line 1\b"):
        load_entries(entries)


def test_what_does_not_follow(entries, expert, chain):
    chain({"entry": expert}, {"entry": expert})
    with pytest.raises(Refused, match=r"line 2: remove .* is removed already"):
        load_entries(entries)
    chain({"entry": expert}, {"entry": expert, "action": "reinstate", "date": "2026-01-01"})
    with pytest.raises(Refused, match=r"line 2: 2026-01-01 is before 2026-01-02"):
        load_entries(entries)


def test_unknown_entry_in_the_log(entries, expert, chain):
    chain({"entry": expert[:-1] + "x"})
    with pytest.raises(Refused, match=rf"{DECISIONS}, line 1: .*Did you mean '{expert}'"):
        render(entries, entries.parent / "site")


def test_log_without_its_last_newline(entries, expert):
    decide(expert, "remove", "one", entries)
    (entries / DECISIONS).write_bytes((entries / DECISIONS).read_bytes().rstrip())
    with pytest.raises(Refused, match=rf"cut-off.*{DECISIONS}, line 1"):
        load_entries(entries)


def test_log_is_a_plain_file(entries, tmp_path):
    (tmp_path / "elsewhere").write_bytes(b"")
    (entries / DECISIONS).symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="not a plain file"):
        load_entries(entries)


@pytest.mark.parametrize(
    ("entry", "action", "reason", "message"),
    [
        ("none", "remove", "why", "Unknown entry 'none'; expected one of: smoke-v1-expert"),
        ("smoke-v1-expert", "remove", "why", "Did you mean 'smoke-v1-expert-"),
        ("", "remove", "why", "Unknown entry"),
        (None, "remove", "", "must not be empty"),
        (None, "remove", "a\x1b[0m", "control character"),
        (None, "remove", "\u2066x", "direction-changing"),
        (None, "hide", "why", "'hide' is not one of remove, reinstate, spot-regenerated, rerun"),
        (None, "reinstate", "why", "which is not removed"),
    ],
)
def test_bad_request_writes_nothing(entries, expert, entry, action, reason, message):
    with pytest.raises(ValueError, match=message):
        decide(expert if entry is None else entry, action, reason, entries)
    assert not (entries / DECISIONS).exists()


def test_decisions_of_an_earlier_day(entries, expert, random):
    decide(expert, "remove", "one", entries, date="2026-01-03")
    with pytest.raises(Refused, match="2026-01-02 is before 2026-01-03"):
        decide(random, "remove", "two", entries, date="2026-01-02")
    assert len(lines(entries)) == 1


def test_removed_entry_cannot_come_back(bundles, runs, entries, expert):
    decide(expert, "remove", "one", entries)
    with pytest.raises(FileExistsError, match="never used again"):
        add_entry(bundles["expert"], entries)
    # Nor under another name: the actions are the same.
    copy = pack(runs["expert"], entries.parent / "copy", Submitter("Mallory"))
    with pytest.raises(NotAccepted, match="one by one"):
        add_entry(copy, entries)
    # Nor when its folder is gone, which the board refuses as well.
    shutil.rmtree(entries / expert)
    with pytest.raises(FileExistsError, match="never used again"):
        add_entry(bundles["expert"], entries)
    with pytest.raises(Refused, match=f"{DECISIONS}, line 1: Unknown entry '{expert}'"):
        load_entries(entries)


def test_another_bundle_with_the_id_of_a_removed_entry(bundles, entries, random, monkeypatch):
    decide(random, "remove", "one", entries)
    shutil.rmtree(entries / random)
    shutil.rmtree(next(entries.glob("*expert*")))
    # Eight digits of a hash can be met by trying.
    monkeypatch.setattr("leaderboards.entries.entry_id", lambda result: random)
    with pytest.raises(FileExistsError, match="never used again"):
        add_entry(bundles["expert"], entries)
    assert not (entries / random).exists()


def test_removed_entry_need_not_pass(entries, expert):
    (entries / expert / "bundle.tar.gz").write_bytes(b"no longer")
    with pytest.raises(ValueError, match="does not pass"):
        load_entries(entries)
    decide(expert, "remove", "It no longer passes.", entries)
    assert len(load_entries(entries)) == 1
    # But its folder stays an entry.
    (entries / expert / ENTRY).unlink()
    with pytest.raises(ValueError, match="is not an entry"):
        load_entries(entries)


def test_reason_is_shown_as_text(entries, expert):
    decide(expert, "remove", "<script>alert(1)</script>", entries)
    page = render(entries, entries.parent / "site").read_text()
    assert "<script>alert" not in page
    assert "&lt;script&gt;alert(1)&lt;/script&gt;" in page
