"""Runs: killed anywhere they resume to the same bytes, and nothing is dropped or overwritten."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path
from types import SimpleNamespace

import numpy as np
import pytest

from agents.models.scripted import ScriptedModel
from benchmarks import players, runner
from benchmarks.players import Played
from benchmarks.records import LEDGER, RUN, Manifest, load_run, read_episodes
from benchmarks.runner import execute, run_suite
from benchmarks.suite import Suite, load_suite, make_env, resolve
from reason_env.splits import stream_seed

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
    for least in (1, 17, 41):
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
    with pytest.raises(ValueError, match="more episodes than the suite"):
        play(tmp_path)


def test_going_on_under_another_environment_is_recorded(tmp_path):
    def dies(items, seeds):
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        play(tmp_path, player=dies)
    assert read_episodes(tmp_path / "episodes.jsonl") == ((), 0)
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


def test_a_model_is_searched_with_its_own_seed_for_each_problem(tmp_path, monkeypatch):
    calls = []

    def run_searches(model, envs, strategy, seeds, budget_tokens, guide, reward_model, **_):
        calls.append(
            (len(envs), list(seeds), strategy.keywords, budget_tokens, guide, reward_model)
        )
        ledger = SimpleNamespace(to_json=lambda: dict.fromkeys(LEDGER, 2))
        found = SimpleNamespace(
            actions=("1 + 1 = 3",), tokens=((5, 6),), ledger=ledger, oracle=False, error=None
        )
        return [found] * len(envs)

    import agents.search

    monkeypatch.setattr(agents.search, "run_searches", run_searches)
    model, critic = (
        ScriptedModel(lambda text, seed: "<eos>", name=name, reward=lambda text: 0.5)
        for name in "dc"
    )
    suite = Suite.from_json({**SUITE.to_json(), "budget_tokens": 100})
    arguments = {"model": model, "strategy": "best_of_n", "options": {"n": 3}, "progress": False}
    run = run_suite(suite, tmp_path / "a", chunk=4, seed=3, **arguments)
    assert [c[0] for c in calls] == [4, 2]
    assert [c[2:] for c in calls] == [({"n": 3}, 100, None, None)] * 2
    seeds = [stream_seed("search", 3, e.problem) for e in run.episodes]
    assert calls[0][1] + calls[1][1] == seeds
    assert run.manifest.config["model_digest"] == model.digest
    assert run.manifest.config["budget_tokens"] == 100
    assert run.episodes[0].tokens == ((5, 6),)
    arguments_b = {"budget_tokens": 70, "guide": "prm", "reward_model": critic}
    run_suite(suite, tmp_path / "b", **arguments_b, **arguments)
    assert calls[-1][3:] == (70, "prm", critic)
    assert load_run(tmp_path / "b").manifest.config["options"] == {
        "n": 3,
        "guide": "prm",
        "reward_model": critic.digest[:12],
    }
    assert "n" not in run.manifest.defaults
    other = ScriptedModel(lambda text, seed: "<eos>", name="e")
    with pytest.raises(ValueError, match="differs in model_digest"):
        run_suite(suite, tmp_path / "a", seed=3, **{**arguments, "model": other})


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({}, "a model or an agent, and not both"),
        ({"model": "x", "agent": "random"}, "and not both"),
        ({"agent": "random", "budget_tokens": 5}, "for models, not for agents"),
        ({"agent": "random", "options": {"n": 1}}, "for models, not for agents"),
        ({"agent": "random", "reward_model": "x"}, "for models, not for agents"),
        ({"agent": "random", "chunk": 0}, "chunk must be 1 or more"),
        ({"agent": "random", "seed": -1}, "seed must be 0 or more"),
        ({"agent": "random", "limit": 0}, "limit must be 1 or more"),
        ({"agent": "randon"}, "Did you mean 'random'"),
    ],
)
def test_bad_arguments_leave_no_folder(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        run_suite("smoke", tmp_path / "run", progress=False, **arguments)
    assert not (tmp_path / "run").exists()


def test_agents_are_the_floor_and_the_ceiling(tmp_path):
    expert_run = run_suite("smoke", tmp_path / "expert", agent="expert", progress=False)
    random_run = run_suite("smoke", tmp_path / "random", agent="random", progress=False)
    assert expert_run.manifest.solved == 8
    assert random_run.manifest.solved < 8
    assert random_run.manifest.errors == random_run.manifest.unfinished == 0
    assert expert_run.division == "oracle"
    assert expert_run.manifest.config["suite_hash"] == resolve(load_suite("smoke")).hash


def test_problems_that_are_drawn_already(tmp_path):
    """They are the run that their suite would be, limit and all."""
    drawn = resolve(load_suite("smoke"), 2)
    run = run_suite(drawn, tmp_path / "run", agent="random", progress=False)
    again = run_suite("smoke", tmp_path / "run", agent="random", limit=2, progress=False)
    assert again.episodes == run.episodes
    assert len(run.episodes) == 2
    with pytest.raises(ValueError, match="limit 3 is for a suite whose problems are not drawn"):
        run_suite(drawn, tmp_path / "other", agent="random", limit=3)
    assert not (tmp_path / "other").exists()


class Stubborn:
    """An agent with no access to the environment, which fails now and then."""

    def __init__(self):
        self.seed = 0

    def reset(self, seed):
        self.seed = seed

    def act(self, observation):
        if self.seed % 2:
            raise RuntimeError(f"lost at {object()}")
        return "\u00bd thought \U0001f600" if "thought" not in observation else "1 + 1 = 3"


def test_an_agent_that_fails_costs_its_own_episode_only():
    item = PROBLEMS.items[0]
    player = players.agent_player(Stubborn())
    fine, lost = player([item, item], [2, 3])
    assert (fine.error, fine.oracle, len(fine.actions)) == (None, False, 2)
    assert fine.ledger["generated_tokens"] == sum(map(len, fine.tokens)) > 0
    assert lost.error.startswith("RuntimeError: lost at <object object at 0x...>")
    assert runner.score(item, lost).status == "error"
    assert runner.score(item, fine).status == "ok"


SCRIPTED = ScriptedModel(lambda text, seed: "<eos>")


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ({"budget_tokens": 3}, "budget_tokens=3 is below one answer.* takes [0-9]+ tokens"),
        ({"guide": "orcale"}, "Unknown guide 'orcale'"),
        ({"guide": "value"}, "needs a model with a value head"),
        ({"guide": "0.5*prm+public"}, "needs a process reward model"),
        ({"strategy": "best_of_n", "options": {"n": 0}}, "n must be 1 or more"),
        ({"strategy": "mcts", "options": {"simulation": 2}}, "Did you mean 'simulations'"),
    ],
)
def test_a_search_that_cannot_be_is_refused_before_any_work(tmp_path, arguments, message):
    with pytest.raises(ValueError, match=message):
        run_suite(SUITE, tmp_path / "run", model=SCRIPTED, progress=False, **arguments)
    assert not (tmp_path / "run").exists()
    assert SCRIPTED.calls == []
