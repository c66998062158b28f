"""Accepted bundles whose numbers and texts are the attack on what is made of them: the board's
pages, the commands' output, the result as JSON."""

from __future__ import annotations

import json
import re
import sys

import pytest

from leaderboards import cli
from leaderboards.board import render
from leaderboards.entries import add_entry
from leaderboards.verify import verify
from reason_env.tokenizer import TOKENIZER

HTML = "</title><script>alert(1)</script><img src=x onerror=alert(1)>"


@pytest.fixture
def hostile(forge):
    """Markup wherever a bundle may have a text of its own."""
    forge.play_as_model()
    forge.run |= {"model": HTML, "label": f"{HTML}"[:80]}
    forge.run["config"] |= {
        "strategy": "<svg onload=alert(1)>",
        "options": {HTML: [HTML]},
        "model_digest": '"><b onclick=alert(1)>',
    }
    forge.manifest["submitter"] = {"name": HTML, "notes": HTML, "link": "https://e.org/'\"><b>"}
    first = forge.episodes[0]
    first["actions"].insert(0, HTML)
    first["tokens"].insert(0, TOKENIZER.encode(HTML + "\n"))
    forge.run["ledger"]["generated_tokens"] += 500
    first["ledger"]["generated_tokens"] += 500
    result = forge.verify()
    assert result.accepted, result.discrepancies
    return forge.folder


def test_pages(hostile, tmp_path):
    add_entry(hostile, tmp_path / "entries")
    index = render(tmp_path / "entries", tmp_path / "site")
    pages = [index, *index.parent.glob("entries/*.html")]
    assert len(pages) == 2
    for page in pages:
        text = page.read_text()
        assert "&lt;script&gt;alert(1)" in text
        assert text.count("<script") == 1
        assert not re.search(r"<(img|b|svg onload)\b", text)
        assert not re.search(r"<[^>]*\son\w+=", text)


def test_nothing_but_its_own_folder_is_written(hostile, tmp_path):
    before = set(tmp_path.rglob("*"))
    folder = add_entry(hostile, tmp_path / "entries")
    assert set(tmp_path.rglob("*")) - before == {folder.parent, folder, *folder.iterdir()}
    assert re.fullmatch(r"[a-z0-9-]{1,100}", folder.name)


def test_result_as_json(hostile, monkeypatch, capsys):
    monkeypatch.setattr(sys, "argv", ["reason-board", "verify", str(hostile), "--json"])
    with pytest.raises(SystemExit):
        cli.main()
    out = capsys.readouterr().out
    assert json.loads(out)["player"] == HTML
    assert out.isascii()


@pytest.mark.parametrize("tokens", [24, 10**6, 10**17])
@pytest.mark.parametrize("budget", [None, 2**63 - 1])
def test_numbers_without_measure(forge, guard, tmp_path, soon, tokens, budget):
    """Whoever says to have spent more than anyone could is believed, and drawn."""
    forge.play_as_model()
    forge.run["config"]["budget_tokens"] = budget
    for episode in forge.episodes:
        episode["ledger"] |= dict.fromkeys(episode["ledger"], tokens)
        episode["ledger"]["verifier_calls"] = 0
    count = len(forge.episodes)
    forge.run["ledger"] = dict.fromkeys(forge.run["ledger"], tokens * count) | {"verifier_calls": 0}
    forge.run["seconds"] = 1e308
    assert guard.verify(forge.save()).score.tokens == tokens
    add_entry(forge.folder, tmp_path / "entries")
    page = soon(5, render, tmp_path / "entries", tmp_path / "site").read_text()
    assert not re.search(r"\b(nan|inf)\b", page, re.IGNORECASE)


def test_sums_past_64_bits(forge):
    for episode in forge.episodes:
        episode["ledger"]["prompt_tokens"] = 2**63 - 1
    forge.run["ledger"]["prompt_tokens"] = 2**63 - 1
    assert forge.codes() == {"forged-ledger"}
    assert verify(forge.folder).score.episodes == len(forge.episodes)
