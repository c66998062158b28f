"""Lines that cost whoever reads them an age: every family of every suite has a quick verdict, and
what is slow all the same does not add up."""

from __future__ import annotations

import json

import pytest

from benchmarks.replay import play
from benchmarks.runner import run_suite
from benchmarks.suite import load_suite, make_env, resolve
from leaderboards import replays
from leaderboards.bundle import Submitter, pack
from leaderboards.verify import verify
from reason_env import lines

N = 4000
BODIES = {
    "tower": "9**9**9**9",
    "tower of carets": "9^9^9^9^9",
    "factorials": "((((99!)!)!)!)!",
    "opened": "(" * N,
    "nested": "(" * N + "1" + ")" * N,
    "digits": "9" * 3 * N,
    "digits in a claim": "9" * N + " + 1 = 2",
    "digits below": "1/" + "9" * N,
    "digits behind": "0." + "1" * N,
    "leading zeros": "0" * N + "1",
    "exponent": "1e999999999",
    "small exponent": "1e-99999999",
    "signs": "-" * N,
    "sum": "1" + "+1" * N,
    "product": "2" + "*2" * N,
    "powers": "2" + "**2" * N,
    "quotients": "1" + "/3" * N,
    "fractions": r"\frac{" * 600 + "1" + "}{1}" * 600,
    "roots": r"\sqrt{" * 600 + "1" + "}" * 600,
    "boxes": r"\boxed{1}" * 400,
    "binomial": r"\binom{999999999}{499999999}",
    "long sum": r"\sum_{i=1}^{999999999} i",
    "integrals": r"\int_0^1 " * 300 + "x",
    "power of a sum": "(x+1)**999",
    "power of three": "(x+y+z)^200",
    "power of x": "x^99999999999",
    "factors": "(x+1)" * 800,
    "negations": "not " * 1000 + "p",
    "implications": "p" + " -> p" * 800,
    "tildes": "~" * N + "p",
    "brackets": "[" * N,
    "braces": "{" * N,
    "objects": '{"a":' * 800,
    "lists": json.dumps([[1] * 100] * 15),
    "list": "1," * N,
    "spaces": "1" + " " * N + "x",
    "equals": "=" * N,
    "letters": "a" * N,
    "words": "ab " * 1300,
    "moves": "U" * N,
    "disks": r"Move disk 1 from Peg 1 to Peg 2\n" * 150,
    "functions": "sin(" * 1000,
    "remainders": "9 mod " * 700 + "9",
    "underscores": "1_" * N + "1",
    "marks": "e" + "\u0301\u0323" * N,
    "expanding": "\ufdfa" * N,
    "import": "__import__('os').system('true')",
    "surrogate": "\ud800",
    "nothing": "",
}
LINES = [prefix + body for body in BODIES.values() for prefix in ("", "answer: ")]
FEW = [
    prefix + BODIES[name]
    for name in ("tower", "nested", "digits", "digits in a claim", "powers", "negations", "marks")
    for prefix in ("", "answer: ")
]


def worst(suite: str, lines_of_text: list[str], limit: float, soon) -> None:
    for item in resolve(load_suite(suite), 1).items:
        env = make_env(item.env, item.kwargs)

        def verdict(line, env=env, item=item):
            return play(item.start(env), [line])

        for line in lines_of_text:
            outcome = soon(limit, verdict, line)
            assert not outcome.solved


def test_every_family_has_a_quick_verdict(soon):
    worst("hard-v1", FEW, 0.5, soon)
    worst("math-v1", LINES, 0.5, soon)


@pytest.mark.slow
@pytest.mark.parametrize("suite", ["core-v1", "hard-v1"])
def test_every_family_and_level_has_a_quick_verdict(suite, soon):
    worst(suite, LINES, 0.5, soon)


@pytest.mark.slow
def test_every_data_set_of_reasoning_gym_has_a_verdict_in_time(soon):
    """Its worker has 5 seconds, and takes some to start again."""
    worst("rg-v1", [line for line in LINES if line.startswith("answer:")], 9.0, soon)


@pytest.mark.parametrize(
    "line",
    [
        "e" + "\u0301\u0323" * 60_000,
        "e" + "\u0301" * 60_000 + "\u0323" * 60_000,
        "\u1100" + "\u0301\u0323" * 60_000,
        "\ufdfa" * 80_000,
        "\u0344" * 100_000,
    ],
)
def test_normal_form_of_a_long_line(soon, line):
    """Sorting marks took time that grew with the square of their number: half a minute."""
    soon(4, lines.normalise, line)


def test_marks_of_living_languages_are_as_before():
    for text in (
        "Nguye\u0302\u0303n",
        "\u05e9\u05c1\u05b8\u05bc",
        "e" + "\u0301" * 30,
        "\u1100\u1161",
    ):
        assert lines.normalise(text).count(lines.OUTSIDE) > 0
    assert len(lines.normalise("a" + "\u0315" * 40)) == 41
    assert lines.normalise("1\u0660") == "1" + lines.OUTSIDE


def test_longest_lines_in_every_episode(forge, guard):
    for episode in forge.episodes:
        episode["actions"] = ["\ufdfa" * 80_000]
    text = "".join(json.dumps(one, ensure_ascii=False) + "\n" for one in forge.episodes)
    forge.save()
    (forge.folder / "episodes.jsonl").write_text(text)
    assert not guard.verify(forge.hash()).accepted


def test_too_slow_as_a_whole(forge, monkeypatch):
    monkeypatch.setattr(replays, "_PATIENCE", (0.0, 0.0))
    result = forge.verify()
    assert {d.code for d in result.discrepancies} == {"too-slow"}
    assert result.score is None


def test_slow_episodes_do_not_add_up(forge, monkeypatch):
    """Each may run into a limit of its own."""
    now = [0.0]

    def slow(env, actions):
        now[0] += 5
        return play(env, actions)

    monkeypatch.setattr(replays, "play", slow)
    monkeypatch.setattr(replays.time, "monotonic", lambda: now[0])
    assert "too-slow" in forge.codes()
    assert now[0] <= 10


@pytest.mark.slow
def test_answers_that_hang_the_worker_of_reasoning_gym(tmp_path, make_forge):
    run_suite("rg-v1", tmp_path / "run", agent="expert", limit=1, progress=False)
    forge = make_forge(pack(tmp_path / "run", tmp_path / "bundle", Submitter("Mallory")))
    assert forge.verify().accepted
    for episode in forge.episodes:
        episode["actions"] = ["answer: (x+1)**999"]
    codes = forge.codes()
    assert "forged-score" in codes or "too-many" in codes
    assert verify(forge.folder).score is None
