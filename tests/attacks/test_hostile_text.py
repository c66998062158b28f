"""Bundles whose JSON or texts are the attack."""

from __future__ import annotations

import json
import unicodedata

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
    "formula by plus": "+1",
    "tab": "\t=1+1",
    "next line": "a\u0085b",
    "C1 escape": "\u009b31m",
    "white space before": " Ada",
    "white space behind": "Ada ",
    "no-break space": "Ada\u00a0Lovelace",
    "Zalgo": "A" + "\u0335\u0322\u033c\u0353\u0317" * 3 + "da",
    "five marks": "x\u0323\u0324\u0325\u0326\u0327",
    "mark first": "\u0301Ada",
    "mark after white space at the start": "\u20dd",
    "combining grapheme joiner": "A\u034fda",
    "variation selector": "Ada\ufe0f",
    "variation selector of the supplement": "Ada\U000e0100",
    "tag letters": "Ada\U000e0041",
    "Hangul filler": "Ada\u3164",
    "Hangul letter filler": "Ada\u1160",
    "Mongolian vowel separator": "A\u180eda",
    "Mongolian variation selector": "A\u180bda",
    "Khmer vowel without ink": "A\u17b4da",
    "Braille blank": "\u2800",
    "word joiner": "A\u2060da",
    "Arabic letter mark": "A\u061cda",
    "Cyrillic a among Latin": "\u0410da Lovelace",
    "Cyrillic o in GPT-4o": "GPT 4\u043eo",
    "Greek omicron": "G\u03bf\u03bfgle",
    "Greek capital": "\u0391da",
    "Armenian": "Ad\u0561",
    "Cherokee": "\u13aada",
    "mathematical letters": "\U0001d400da",
    "ligature": "\ufb01ne",
    "undotted with a dot": "\u0131\u0307" + "\u0307" * 4,
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


WELCOME = {
    "scripts": "\u0410\u0434\u0430 \u5f20\u4f1f O\u2019Neil",
    "French": "Ren\u00e9 & fils, 1/2 (50 %)",
    "Vietnamese": "Nguy\u1ec5n V\u0103n Th\u1ee5y",
    "Yoruba": "Ol\u00fa\u1e63\u1eb9\u0301gun",
    "Polish": "\u0141ukasz \u017b\u00f3\u0142w",
    "Greek names of things": "\u03c0-bench, \u03bcZero, \u03bb2, \u0394Net",
    "Greek": "\u0391\u03bd\u03bd\u03b1 \u039c\u03c0\u03b5\u03b7",
    "Arabic with vowels": "\u0645\u064f\u062d\u064e\u0645\u0651\u064e\u062f",
    "pointed Hebrew": "\u05e9\u05c1\u05b8\u05bc\u05dc\u05d5\u05b9\u05dd",
    "Hindi": "\u0915\u094d\u0937\u0924\u094d\u0930\u093f\u092f",
    "Thai": "\u0e17\u0e35\u0e48\u0e19\u0e35\u0e48",
    "Korean": "\uae40\ubbfc\uc218",
    "Japanese and Latin": "\u6771\u4eac\u30e9\u30dc AI",
    "emoji": "Team \U0001f680",
    "HTML": "<b>bold</b> & [x](javascript:1) **md** {{ 1 }}",
    "signs inside": "a = b, c+d, e-mail a@b, 'x'",
}
"""Honest texts; what could be markup somewhere is for that page to escape."""


@pytest.mark.parametrize("text", WELCOME.values(), ids=WELCOME)
def test_honest_text_is_welcome(forge, text):
    text = unicodedata.normalize("NFKC", text)
    forge.manifest["submitter"] = {"name": text, "notes": text}
    result = forge.verify()
    assert result.accepted, result.discrepancies
    assert result.submitter.name == text


def test_one_key_twice_among_many(forge, soon):
    """Finding it took time that grew with the square of their number: minutes."""
    many = ", ".join(f'"{number}": 1' for number in range(60_000))
    forge.save()
    forge.raw("run.json", "{", f'{{"x": {{{many}, "z": 1, "z": 2}}, ')
    assert soon(5, codes, forge.folder) == {"duplicate-key"}


@pytest.mark.parametrize(
    "value",
    [
        [1] * 80_000,
        [[]] * 60_000,
        [[-1] * 60_000],
        [["x"] * 50_000],
        {str(number): "" for number in range(15_000)},
    ],
)
@pytest.mark.parametrize("field", ["actions", "tokens", "terms", "ledger", "kwargs", "index"])
def test_thousands_of_mistakes_in_one_field(forge, soon, field, value):
    forge.episodes[0][field] = value
    assert soon(5, forge.codes) & {"wrong-type", "wrong-tokens", "wrong-environment"}


def test_negative_seconds(forge):
    forge.save()
    forge.raw("run.json", '"seconds": ', '"seconds": -')
    assert codes(forge.folder) == {"out-of-range"}


@pytest.mark.parametrize(
    ("key", "value"),
    [
        ("seconds", "1"),
        ("seconds", True),
        ("environment", "rm -rf /"),
        ("usage", 3),
        ("resumed_under", "x"),
        ("label", None),
    ],
)
def test_fields_that_are_not_shown_have_their_types_too(forge, key, value):
    forge.run[key] = value
    assert forge.codes() == {"wrong-type"}


SECRET = "sk-ant-" + "a1" * 20


@pytest.mark.parametrize("escaped", [False, True])
@pytest.mark.parametrize("place", ["line", "error", "run", "key", "notes"])
def test_secret_is_not_published(forge, place, escaped):
    """Whoever it belongs to; also where its letters are written as escapes."""
    first = forge.episodes[0]
    if place == "line":
        first["actions"].insert(0, f"I found {SECRET} here")
    elif place == "error":
        first |= {"status": "error", "error": SECRET, "actions": [], "tokens": []}
    elif place == "run":
        forge.run["environment"]["variables"] = {"x": SECRET}
    elif place == "key":
        forge.run["usage"][SECRET] = 1
    else:
        forge.manifest["submitter"]["notes"] = SECRET
    forge.save()
    for name in ("manifest.json", "run.json", "episodes.jsonl"):
        text = (forge.folder / name).read_text()
        if escaped and SECRET in text:
            forge.raw(name, "sk-ant", "\\u0073k-ant")
    result = verify(forge.folder)
    assert {d.code for d in result.discrepancies} >= {"secret"}
    assert not any(SECRET[:12] in str(d) for d in result.discrepancies)
