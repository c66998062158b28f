"""Runs: killed anywhere they resume to the same bytes, and nothing is dropped or overwritten."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import numpy as np
import pytest

from benchmarks.players import Played
from benchmarks.records import LEDGER, Manifest
from benchmarks.run_folder import RUN, load_run, read_episodes
from benchmarks.runner import execute
from benchmarks.suite import Suite, make_env, resolve

ENTRY = {"env": "reason_env/Countdown-v0", "kwargs": {"level": 1, "split": "dev"}, "episodes": 6}
SUITE = Suite.from_json({"name": "six", "version": 1, "seed": 0, "entries": [ENTRY]})
PROBLEMS = resolve(SUITE)


def expert(items, seeds):
    """A player that solves all but what its seed says: results depend on item and seed only."""
    found = []
    for item, seed in zip(items, seeds):
        env = make_env(item.env, item.kwargs)
        env.reset(seed=item.seed)
        rng = np.random.default_rng(seed)
        lines = []
        while not env.episode.stopped:
            lines.append(env.expert_line(rng) if rng.random() < 0.8 else "1 + 1 = 3")
            env.step(lines[-1])
        tokens = tuple(tuple(env.tokenizer.encode(line + "\n")) for line in lines)
        ledger = {**dict.fromkeys(LEDGER, 0), "generated_tokens": sum(map(len, tokens))}
        found.append(Played(tuple(lines), tokens, ledger, False))
    return found


def manifest(**config):
    full = {"suite": SUITE.to_json(), "suite_hash": PROBLEMS.hash, "seed": 0, "strategy": "expert"}
    full |= {"agent": None, "options": {}, "budget_tokens": None, **config}
    return Manifest(full, "", None, len(PROBLEMS.items), {"commit": "c"})


def play(out: Path, player=expert, chunk=64, **config):
    return execute(PROBLEMS, player, out, manifest(**config), chunk, progress=False)


def test_scores_come_from_replay_and_survive_reading(tmp_path):
    run = play(tmp_path / "run")
    assert load_run(tmp_path / "run").manifest == run.manifest
    assert 0 < run.manifest.solved < 6
    assert run.manifest.solved == sum(e.solved for e in run.episodes)
    assert run.manifest.ledger["generated_tokens"] > 0
    assert [e.problem for e in run.episodes] == [i.problem for i in PROBLEMS.items]


@pytest.mark.parametrize("chunk", [1, 4])
def test_chunks_change_nothing(tmp_path, chunk):
    play(tmp_path / "a")
    play(tmp_path / "b", chunk=chunk)
    assert (tmp_path / "a/episodes.jsonl").read_bytes() == (
        tmp_path / "b/episodes.jsonl"
    ).read_bytes()


def test_resumes_to_the_same_bytes_from_any_cut(tmp_path):
    play(tmp_path / "whole")
    whole = (tmp_path / "whole/episodes.jsonl").read_bytes()
    cut = tmp_path / "cut"
    play(cut)
    state = json.loads((cut / RUN).read_text())
    cuts = np.random.default_rng(0).integers(len(whole), size=25)
    for size in [0, 1, len(whole) - 1, whole.index(b"\n"), whole.index(b"\n") + 1, *cuts]:
        (cut / "episodes.jsonl").write_bytes(whole[:size])
        (cut / RUN).write_text(json.dumps({**state, "status": "running"}))
        run = play(cut, chunk=4)
        assert (cut / "episodes.jsonl").read_bytes() == whole
        assert (run.manifest.status, run.manifest.resumed_under) == ("done", ())


AGENT = """
import time
from agents.agent import RandomLegalAgent
class Slow(RandomLegalAgent):
    def act(self, observation):
        time.sleep(0.004)
        return super().act(observation)
make = Slow
"""


def test_sigkill_and_resume_is_byte_identical(tmp_path):
    (tmp_path / "slow_agent.py").write_text(AGENT)
    suite = {**SUITE.to_json(), "name": "slow", "entries": [{**ENTRY, "episodes": 60}]}
    (tmp_path / "slow.json").write_text(json.dumps(suite))

    def start(out):
        root = str(Path(__file__).parents[2])
        arguments = "run slow.json --agent slow_agent:make --chunk 7"
        return subprocess.Popen(
            [sys.executable, "-m", "benchmarks.cli", *arguments.split(), "--out", out],
            cwd=tmp_path,
            env={**os.environ, "PYTHONPATH": root},
            stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT,
        )

    whole = start("whole")
    assert whole.wait(timeout=60) == 0, whole.communicate()
    journal = tmp_path / "killed" / "episodes.jsonl"
    for least in (17,):
        process = start("killed")
        deadline = time.monotonic() + 60
        while not journal.exists() or journal.read_bytes().count(b"\n") < least:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.002)
        process.kill()
        assert process.wait() == -signal.SIGKILL
        process.communicate()
        assert load_run(tmp_path / "killed", complete=False).manifest.status == "running"
        with journal.open("ab") as file:  # a line torn in the middle
            file.write(b'{"index":99,"env":"rea')
    process = start("killed")
    output, _ = process.communicate(timeout=60)
    assert process.returncode == 0, output
    assert journal.read_bytes() == (tmp_path / "whole/episodes.jsonl").read_bytes()
    assert (
        load_run(tmp_path / "killed").manifest.solved
        == load_run(tmp_path / "whole").manifest.solved
    )
    whole.communicate()


def test_a_finished_run_comes_back_without_playing(tmp_path):
    first = play(tmp_path)
    again = play(tmp_path, player=lambda items, seeds: pytest.fail("played again"))
    assert again.manifest.solved == first.manifest.solved
    assert len(again.episodes) == 6


def test_another_run_is_refused_and_nothing_changes(tmp_path):
    play(tmp_path / "run")
    before = {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    with pytest.raises(ValueError, match=r"differs in seed \(seed: 0 there, 1 here\)"):
        play(tmp_path / "run", seed=1)
    assert before == {p.name: p.read_bytes() for p in (tmp_path / "run").iterdir()}
    (tmp_path / "other").mkdir()
    (tmp_path / "other/thesis.tex").write_text("precious")
    with pytest.raises(ValueError, match=r"not empty and holds no run \(thesis\.tex\)"):
        play(tmp_path / "other")
    assert [p.name for p in (tmp_path / "other").iterdir()] == ["thesis.tex"]


def test_a_run_that_failed_at_once_leaves_its_folder_free(tmp_path):
    def refuses(items, seeds):
        raise ValueError("no value head")

    with pytest.raises(ValueError, match="no value head"):
        play(tmp_path, player=refuses)
    assert play(tmp_path, seed=1).manifest.config["seed"] == 1


def test_two_runs_in_one_folder_are_refused(tmp_path):
    def meanwhile(items, seeds):
        with pytest.raises(ValueError, match="Another process is running"):
            play(tmp_path)
        return expert(items, seeds)

    assert play(tmp_path, player=meanwhile).manifest.status == "done"


def test_episodes_of_another_suite_are_refused(tmp_path):
    play(tmp_path)
    lines = (tmp_path / "episodes.jsonl").read_text().splitlines(keepends=True)
    value = json.loads(lines[0])
    (tmp_path / "episodes.jsonl").write_text(json.dumps({**value, "seed": 1}) + "\n")
    with pytest.raises(ValueError, match="episode 0 is not the suite's"):
        play(tmp_path)
    (tmp_path / "episodes.jsonl").write_text(
        "".join(lines) + json.dumps({**value, "index": 6}) + "\n"
    )
    with pytest.raises(ValueError, match="more episodes than the run has"):
        play(tmp_path)


def test_going_on_under_another_environment_is_recorded(tmp_path):
    def dies(items, seeds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(tmp_path, player=dies)
    assert read_episodes(tmp_path / "episodes.jsonl", range(6)) == ((), 0)
    from dataclasses import replace

    changed = replace(manifest(), environment={"commit": "d"})
    run = execute(PROBLEMS, expert, tmp_path, changed, progress=False)
    assert run.manifest.environment == {"commit": "c"}
    assert run.manifest.resumed_under == ({"commit": "d"},)


def test_errors_count_and_are_reported(tmp_path):
    def half(items, seeds):
        found = expert(items, seeds)
        nothing = dict.fromkeys(LEDGER, 3)
        found[0] = Played(("5",), ((1,),), nothing, True, "ValueError: strategy broke")
        found[1] = Played((*found[1].actions, "more"), found[1].tokens, nothing, False)
        found[2] = Played((), (), nothing, False)
        found[3] = Played(("a\nb",), ((1,),), nothing, False)
        return found

    run = play(tmp_path, player=half)
    assert [e.status for e in run.episodes[:4]] == ["error", "error", "unfinished", "error"]
    assert (run.manifest.errors, run.manifest.unfinished, run.manifest.episodes) == (3, 1, 6)
    assert run.episodes[0].error == "ValueError: strategy broke"
    assert run.episodes[0].actions == ()
    assert run.episodes[0].division == run.division == "oracle"
    assert "come after the episode terminated" in run.episodes[1].error
    assert not any(e.solved for e in run.episodes[:4])
    assert run.episodes[0].ledger["model_calls"] == 3
