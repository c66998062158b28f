"""Bundles whose JSON or texts are the attack."""

from __future__ import annotations

import json

import pytest

from leaderboards import strict
from leaderboards.strict import Refused
from leaderboards.verify import verify


def codes(path):
    result = verify(path)
    assert not result.accepted
    return {discrepancy.code for discrepancy in result.discrepancies}


@pytest.mark.parametrize(
    ("data", "code"),
    [
        (b'{"a": 1, "a": 2}', "duplicate-key"),
        (b'[{"x": {"a": 1, "\\u0061": 2}}]', "duplicate-key"),
        (b"NaN", "not-finite"),
        (b'{"a": -Infinity}', "not-finite"),
        (b"1e999", "not-finite"),
        (b"1" * 20, "huge-number"),
        (b"9" * 19, "out-of-range"),
        (b"1" * 100_000, "huge-number"),
        (b"[" * 100_000, "nesting"),
        (b'{"a":' * 100_000, "nesting"),
        (b"[" * 17 + b"]" * 17, "nesting"),
        (b"\xff", "not-utf8"),
        (b"\xef\xbb\xbf{}", "not-json"),
        (b"{'a': 1}", "not-json"),
        (b"", "not-json"),
        (b"{} {}", "not-json"),
        (b"!!python/object/apply:os.system ['true']", "not-json"),
        (b"cos\nsystem\n(S'true'\ntR.", "not-json"),
    ],
)
def test_strict_json(data, code):
    with pytest.raises(Refused) as error:
        strict.loads(data, "here")
    assert error.value.code == code
    assert "here" in error.value.detail
    assert len(error.value.detail) < 300


def test_strict_json_reads_ordinary_json():
    value = {"a": [1, -2.5, None, True, "x\u00e9"], "b": {"c": 2**63 - 1}}
    assert strict.loads(json.dumps(value).encode(), "here") == value


@pytest.mark.parametrize("name", ["manifest.json", "run.json", "episodes.jsonl"])
def test_duplicate_key(forge, name):
    forge.save()
    forge.raw(name, "{", '{"format": 1, ' if name != "episodes.jsonl" else '{"index": 0, ')
    assert "duplicate-key" in codes(forge.folder)


@pytest.mark.parametrize(
    ("old", "new", "code"),
    [
        ('"reward": 1.0', '"reward": NaN', "not-finite"),
        ('"reward": 1.0', '"reward": Infinity', "not-finite"),
        ('"reward": 1.0', '"reward": 1e400', "not-finite"),
        ('"reward": 1.0', '"reward": true', "wrong-type"),
        ('"reward": 1.0', '"reward": "1.0"', "wrong-type"),
        ('"index": 0', '"index": false', "wrong-type"),
        ('"index": 0', '"index": 0.0', "wrong-type"),
        ('"index": 0', '"index": -1', "wrong-type"),
        ('"index": 0', '"index": 77', "extra-episode"),
        ('"solved": true', '"solved": 1', "wrong-type"),
        ('"actions": [', '"actions": [1, ', "wrong-type"),
        ('"tokens": [[', '"tokens": [[true, ', "wrong-type"),
        ('"status": "ok"', '"status": "verified"', "wrong-type"),
        ('"index": 0', '"index": 0, "verified": true', "wrong-type"),
        ('"kwargs": {', '"kwargs": {"x": ' + "[" * 20 + "]" * 20 + ", ", "nesting"),
        ('"seed": ', '"seed": 1' + "0" * 5000, "huge-number"),
    ],
)
def test_bad_value_in_an_episode(forge, old, new, code):
    forge.save()
    forge.raw("episodes.jsonl", old, new)
    assert code in codes(forge.folder)


@pytest.mark.parametrize(
    ("key", "value", "code"),
    [
        ("solved", True, "wrong-type"),
        ("solved", -1, "out-of-range"),
        ("episodes", 8.0, "wrong-type"),
        ("format", 2, "out-of-range"),
        ("config", [], "wrong-type"),
        ("ledger", {}, "missing-field"),
        ("extra", 1, "unknown-field"),
    ],
)
def test_bad_value_in_the_run(forge, key, value, code):
    forge.run[key] = value
    assert forge.codes() == {code}


@pytest.mark.parametrize("key", ["options", "suite", "limit", "budget_tokens", "agent"])
def test_bad_value_in_the_configuration(forge, key):
    forge.run["config"][key] = [True]
    assert forge.codes() <= {"wrong-type", "wrong-suite", "unknown-value"}


UNSAFE = {
    "escape code": "\x1b[31mred",
    "newline": "a\nlog: accepted",
    "carriage return": "a\rb",
    "null": "a\0b",
    "right-to-left override": "abc\u202etxt",
    "isolate": "\u2066abc",
    "zero-width space": "a\u200bb",
    "zero-width joiner": "a\u200db",
    "byte-order mark": "\ufeffabc",
    "soft hyphen": "a\u00adb",
    "line separator": "a\u2028b",
    "lone surrogate": "a\ud800b",
    "private use": "\ue000",
    "full-width letters": "\uff21da",
    "formula": '=HYPERLINK("http://evil")',
    "formula by sign": "@SUM(A1)",
    "formula by minus": "-1+1",
}


@pytest.mark.parametrize("text", UNSAFE.values(), ids=UNSAFE)
def test_unsafe_text(forge, text):
    for place in ({"name": text}, {"name": "a", "notes": text}):
        forge.manifest["submitter"] = place
        result = forge.verify()
        assert {d.code for d in result.discrepancies} == {"unsafe-text"}
        assert str(result.discrepancies[0]).isprintable()


@pytest.mark.parametrize("place", ["model", "label", "strategy", "options"])
def test_unsafe_text_in_the_run(forge, place):
    forge.play_as_model()
    text = "x\u202ey"
    if place in ("model", "label"):
        forge.run[place] = text
    else:
        forge.run["config"][place] = {text: 1} if place == "options" else text
    assert forge.codes() == {"unsafe-text"}


@pytest.mark.parametrize(
    ("submitter", "code"),
    [
        ({}, "missing-field"),
        ({"name": ""}, "missing-field"),
        ({"name": "   "}, "missing-field"),
        ({"name": "a" * 81}, "too-long"),
        ({"name": ["a"]}, "wrong-type"),
        ({"name": "a", "verified": True}, "unknown-field"),
        ({"name": "a", "link": "javascript:alert(1)"}, "unsafe-link"),
        ({"name": "a", "link": "http://example.org"}, "unsafe-link"),
        ({"name": "a", "link": "https://a@b.example/"}, "unsafe-link"),
        ({"name": "a", "link": 'https://e.org" onclick="x'}, "unsafe-link"),
        ({"name": "a", "link": "data:text/html,x"}, "unsafe-link"),
        ("Ada", "wrong-type"),
    ],
)
def test_bad_submitter(forge, submitter, code):
    forge.manifest["submitter"] = submitter
    assert forge.codes() == {code}


def test_text_of_many_scripts_is_welcome(forge):
    forge.manifest["submitter"] = {"name": "\u0410\u0434\u0430 \u5f20\u4f1f O\u2019Neil"}
    assert forge.verify().accepted


@pytest.mark.parametrize(
    "line",
    [
        "9**9**9**9 = 1",
        "(" * 10_000,
        "9" * 5_000 + " + 1 = 2",
        "\ud800",
        "\ufdfa" * 5_000,
        "1 / 0 = 1",
        "\u0661 + 1 = 2",
        "__import__('os').system('true')",
        "",
    ],
)
def test_pathological_lines_get_a_verdict(forge, line):
    """No crash and no hang; the tokens do not fit, so it is refused whatever they are worth."""
    forge.episodes[0]["actions"] = [line]
    assert forge.codes()
