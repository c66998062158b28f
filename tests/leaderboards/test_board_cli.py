"""reason-board: exit codes and messages, never a traceback."""

from __future__ import annotations

import json
import sys

import pytest


def test_from_run_to_board(board, runs, tmp_path):
    bundle, entries, site = tmp_path / "b.tar.gz", tmp_path / "entries", tmp_path / "site"
    assert board("pack", runs["expert"], bundle, "--name", "Ada")[0] == 0
    code, out, _ = board("verify", bundle)
    assert (code, "ACCEPTED" in out, "100.0%" in out) == (0, True, True)
    assert board("add", bundle, "--entries", entries)[0] == 0
    assert board("render", site, "--entries", entries)[0] == 0
    assert (site / "index.html").is_file()
    assert board("add", bundle, "--entries", entries)[0] == 2


def test_remove_and_reinstate(board, bundles, tmp_path):
    entries, site = tmp_path / "entries", tmp_path / "site"
    board("add", bundles["random"], "--entries", entries)
    (entry,) = (folder.name for folder in entries.iterdir())
    code, out, _ = board("remove", entry, "--reason", "A copy.", "--entries", entries)
    assert (code, "Decision 1 of" in out) == (0, True)
    assert board("add", bundles["random"], "--entries", entries)[0] == 2
    assert board("render", site, "--entries", entries)[0] == 0
    assert "A copy." in (site / "index.html").read_text()
    assert board("reinstate", entry, "--reason", "None.", "--entries", entries)[0] == 0
    log = entries / "decisions.jsonl"
    log.write_text(log.read_text().replace("A copy.", "A cop."))
    code, _, err = board("render", site, "--entries", entries)
    assert (code, "decisions.jsonl, line 2" in err) == (2, True)


def test_result_as_json(board, bundles):
    code, out, _ = board("verify", bundles["expert"], "--json")
    value = json.loads(out)
    assert (code, value["accepted"], value["score"]["accuracy"]["value"]) == (0, True, 1.0)


@pytest.mark.parametrize("command", ["verify", "add"])
def test_refused(board, tmp_path, command):
    (tmp_path / "run.json").write_text("{}")
    code, out, _ = board(command, tmp_path)
    assert code == 1
    assert "missing-file: manifest.json" in out
    assert "REFUSED" in out


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["verify", "nothing-here"], "No bundle at nothing-here"),
        (["pack", "nothing-here", "out", "--name", "a"], "not a run folder"),
        (["verfy", "x"], "No such command"),
        (["pack", "x", "y"], "--name"),
        (["verify"], "BUNDLE"),
        (["remove", "x"], "--reason"),
        (
            ["remove", "none", "--reason", "why", "--entries", "nothing-here"],
            "Unknown entry 'none'",
        ),
        (
            ["check-submission", "--base", "nothing-here", "--head", "."],
            "nothing-here is no checkout",
        ),
    ],
)
def test_mistakes(board, arguments, message):
    code, _, err = board(*arguments)
    assert code == 2
    assert message in err


def test_missing_extra(board, monkeypatch):
    monkeypatch.setitem(sys.modules, "typer", None)
    code, _, err = board("verify", "x")
    assert code == 2
    assert "reason-env[bench]" in err
