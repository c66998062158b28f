"""Transcripts: what the replay says, line by line, and where the record says something else."""

import numpy as np
import pytest
from report_runs import forge, problems, reset, written

from benchmarks import transcripts
from benchmarks.replay import replay
from benchmarks.run_folder import load_run
from benchmarks.runner import run_suite
from benchmarks.transcripts import choose_episodes, transcribe
from benchmarks.visible import visible
from reason_env.problem import Kind


def expert_lines(item):
    """A thought and an expert's episode; every third episode ends in a wrong claim."""
    env, lines = reset(item), ["hm"]
    if item.index % 3 == 2:
        return [*lines, "1 + 1 = 3"]
    rng = np.random.default_rng(0)
    while not env.episode.stopped:
        lines.append(env.expert_line(rng))
        env.step(lines[-1])
    return lines


@pytest.fixture
def folder(tmp_path):
    return written(tmp_path / "run", expert_lines)


def test_lines_add_up_to_the_replay(folder):
    run = load_run(folder)
    for one in transcribe(run, run.episodes):
        record = one.record
        outcome = replay(record.env, record.kwargs, record.seed, record.actions)
        assert one.mismatches == ()
        assert (one.solved, one.ended) == (outcome.solved, outcome.ended)
        assert (one.terms, one.tokens) == (outcome.terms, outcome.tokens)
        assert one.reward == outcome.reward == sum(line.reward for line in one.lines)
        assert tuple(line.text for line in one.lines) == record.actions
        assert sum(line.tokens for line in one.lines) == one.tokens
        for line in one.lines:
            weighed = zip(one.weights.to_json().values(), line.terms.to_json().values())
            assert line.reward == pytest.approx(sum(w * t for w, t in weighed))
            # gamma is 1, and after the end the potential counts as 0.
            assert line.terms.shaping == pytest.approx((line.after or 0.0) - line.before)


def test_verdicts_potentials_and_feedback(folder):
    run = load_run(folder)
    countdown, wrong = transcribe(run, [run.episodes[0], run.episodes[2]])
    assert [line.kind for line in countdown.lines] == [Kind.THOUGHT, Kind.CLAIM, Kind.CLAIM]
    assert [line.before for line in countdown.lines] == pytest.approx([0.81, 0.81, 0.9])
    assert [line.after for line in countdown.lines[:2]] == pytest.approx([0.81, 0.9])
    assert countdown.lines[2].after is None
    assert countdown.lines[1].feedback.startswith("> ")
    assert countdown.prompt == reset(problems().items[0]).episode.text.strip()
    assert (wrong.lines[1].kind, wrong.lines[1].valid) == (Kind.CLAIM, False)
    assert wrong.lines[1].reason
    assert not wrong.solved


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"solved": False}, "recorded as not solved, but the replay gives solved"),
        ({"reward": 5.0}, "reward recorded as 5.0, but the replay gives 0.19"),
        ({"terms": {"outcome": 0.0, "validity": 0.0, "shaping": -0.81}}, "outcome recorded as 0.0"),
        ({"terms": {}}, "outcome recorded as None"),
        ({"status": "unfinished"}, "recorded as unfinished, but in the replay it terminated"),
        ({"actions": ["hm"]}, "its lines stop before that"),
        ({"status": "error", "error": "x"}, "recorded as an error, which has no lines"),
        ({"seed": 1}, "its problem is not the one that its seed draws"),
        ({"problem": "00"}, "its problem is not the one that its seed draws"),
        ({"kwargs": {"level": 2}}, "its environment, with these settings, is not in the suite"),
        ({"env": "reason_env/Coutdown-v0"}, "it cannot be replayed: ValueError"),
        ({"actions": ["a\nb"]}, "line 1 is not one line of text"),
    ],
)
def test_forged_records_are_shown_as_such(folder, changes, message):
    forge(folder, 0, **changes)
    run = load_run(folder)
    (one,) = transcribe(run, run.episodes[:1])
    assert message in "; ".join(one.mismatches)
    # The other episodes are not touched by it.
    assert transcribe(run, run.episodes[1:2])[0].mismatches == ()


def test_lines_after_the_end_are_not_played(folder, monkeypatch):
    played = len(load_run(folder).episodes[0].actions)
    more = [*load_run(folder).episodes[0].actions, "after", "the end"]
    forge(folder, 0, actions=more)
    run = load_run(folder)
    (one,) = transcribe(run, run.episodes[:1])
    assert one.mismatches == (
        f"2 of {played + 2} lines come after the episode terminated at line {played}",
    )
    assert [line.kind for line in one.lines[played:]] == ["not played"] * 2
    assert one.solved
    monkeypatch.setattr(transcripts, "MOST_LINES", 2)
    (one,) = transcribe(run, run.episodes[:1])
    assert (len(one.lines), one.more) == (2, played)


def test_a_task_that_fails_costs_one_transcript(folder, monkeypatch):
    run = load_run(folder)
    env_type = type(reset(problems().items[0]))
    step = env_type.step

    def broken(env, line):
        if env.task.name == "Countdown" and line != "hm":
            raise RuntimeError("out of order")
        return step(env, line)

    monkeypatch.setattr(env_type, "step", broken)
    first, other = transcribe(run, [run.episodes[0], run.episodes[12]])
    assert "the replay failed at line 2: RuntimeError: out of order" in first.mismatches
    assert [line.kind for line in first.lines] == ["thought", "not played", "not played"]
    assert other.mismatches == ()


def test_a_sample_has_errors_first_and_both_outcomes_of_all_families(tmp_path):
    folder = written(
        tmp_path / "run", expert_lines, lambda item: "boom" if item.index % 5 == 1 else None
    )
    episodes = load_run(folder).episodes
    chosen = choose_episodes(episodes, 12)
    assert choose_episodes(episodes, 12) == chosen
    assert len(chosen) == 12
    status = [e.status == "error" for e in chosen]
    errors = sum(status)
    assert errors == sum(e.status == "error" for e in episodes) == 5
    assert status == [True] * errors + [False] * 7
    assert [e.index for e in chosen[:errors]] == sorted(e.index for e in chosen[:errors])
    assert {e.solved for e in chosen[errors:]} == {True, False}
    assert len({e.env for e in chosen[errors:]}) == 3
    assert len(choose_episodes(episodes, 4)) == 4
    assert sum(e.status == "error" for e in choose_episodes(episodes, 4)) == 2
    assert choose_episodes(episodes, 0) == []
    assert len(choose_episodes(episodes, 999)) == len(episodes)


def test_preferred_episodes_come_first_of_their_kind(folder):
    episodes = load_run(folder).episodes
    solved = [e.index for e in episodes if e.solved][-1]
    unsolved = [e.index for e in episodes if not e.solved][-1]
    chosen = choose_episodes(episodes, 2, {solved, unsolved})
    assert {e.index for e in chosen} == {solved, unsolved}


def test_adapters_have_no_potential(folder, monkeypatch):
    run = load_run(folder)
    monkeypatch.setattr(type(reset(problems().items[0]).task), "has_steps", False)
    (one,) = transcribe(run, run.episodes[:1])
    assert {(line.before, line.after) for line in one.lines} == {(None, None)}


@pytest.mark.parametrize(
    ("text", "shown"),
    [
        ("a < b", "a < b"),
        ("\x1b[31mred", "<U+001B>[31mred"),
        ("a\u202eb\u2066c", "a<U+202E>b<U+2066>c"),
        ("one\u2028two", "one<U+2028>two"),
        ("\ud800", "<U+D800>"),
        ("a\u200bb\x00\r", "a<U+200B>b<U+0000><U+000D>"),
        ("prompt\nof two lines", "prompt\nof two lines"),
        ("größer שלום 你", "größer שלום 你"),
    ],
)
def test_hidden_characters_are_spelt_out(text, shown):
    assert visible(text) == shown
    assert visible(visible(text)) == shown


def test_long_text_is_cut_and_counted():
    assert visible("x" * 5, 3) == "xxx [2 more characters]"
    assert visible("x" * 3, 3) == "xxx"


def test_the_prompt_is_the_one_that_was_shown(tmp_path):
    for prompt in ("compact", "verbose"):
        folder = tmp_path / prompt
        run_suite(problems(), folder, agent="expert", prompt=prompt, progress=False)
        run = load_run(folder)
        (one,) = transcribe(run, run.episodes[:1])
        item = problems().items[0]
        assert one.prompt == item.start(prompt=prompt).episode.text.strip()
        assert one.mismatches == ()
