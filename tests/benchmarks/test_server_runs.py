"""Runs of a model behind a server: faults, kills and refusals cost what they must and no more."""

import json
import os
import signal
import subprocess
import sys
import time
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import NAME, QUICK, ScriptedServer, play

from agents.models.server_client import ServerError
from agents.models.server_config import ServerConfig
from benchmarks.run_folder import load_run, read_episodes
from benchmarks.runner import run_suite
from benchmarks.suite import Suite, make_env
from leaderboards.bundle import Submitter, pack
from leaderboards.verify import verify

BUDGET = 96
CONFIG = ServerConfig(retries=2, timeout=10, backoff=lambda tries: 0.0)
KEY = "sk-never-to-be-seen-anywhere"


def suite(episodes=6, env="Countdown", **kwargs):
    entry = {
        "env": f"reason_env/{env}-v0",
        "kwargs": {"level": 1, "split": "dev", **kwargs},
        "episodes": episodes,
    }
    text = {"name": "served", "version": 1, "seed": 0, "entries": [entry], "budget_tokens": BUDGET}
    return Suite.from_json(text)


def run(server, out, what=None, config=CONFIG, **changes):
    arguments = {"strategy": "best_of_n", "progress": False, "server": config, **changes}
    return run_suite(what or suite(), out, model=f"{server.url}#{NAME}", **arguments)


def journal(out: Path) -> bytes:
    return (out / "episodes.jsonl").read_bytes()


@pytest.fixture(scope="module")
def whole(tmp_path_factory):
    out = tmp_path_factory.mktemp("whole")
    with ScriptedServer() as server:
        run(server, out)
    return journal(out)


STRATEGIES = [
    ("greedy", {}),
    ("sample", {}),
    ("best_of_n", {}),
    ("best_of_n", {"final": "vote"}),
    ("self_consistency", {}),
    ("beam", {"width": 2, "branch": 3}),
    ("mcts", {"simulations": 16}),
    ("mcts", {"simulations": 16, "root": "gumbel"}),
]


@pytest.mark.parametrize(("chat", "logprobs"), [(False, False), (False, True), (True, True)])
@pytest.mark.parametrize(("strategy", "options"), STRATEGIES)
def test_every_strategy_keeps_its_budget(tmp_path, strategy, options, chat, logprobs):
    with ScriptedServer(completions=not chat, logprobs=logprobs) as server:
        few, search = suite(3), {"strategy": strategy, "options": options}
        done = run(server, tmp_path / "a", few, **search)
        again = run(server, tmp_path / "b", few, chunk=2, **search)
    assert done.manifest.errors == 0
    assert all(0 < e.ledger["generated_tokens"] <= BUDGET for e in done.episodes)
    assert any(e.actions for e in done.episodes)
    # What is asked for at once, and in which chunk, changes nothing.
    assert journal(tmp_path / "a") == journal(tmp_path / "b")
    assert again.manifest.ledger == done.manifest.ledger


def test_search_finds_more_than_one_sample(tmp_path):
    with ScriptedServer() as server:
        once = run(server, tmp_path / "a", suite(12), strategy="sample", budget_tokens=256)
        often = run(server, tmp_path / "b", suite(12), strategy="mcts", budget_tokens=256)
    assert often.manifest.solved > once.manifest.solved


def test_the_leaderboard_accepts_it(tmp_path):
    with ScriptedServer(obedient=False) as server:
        run(server, tmp_path / "run", "smoke", strategy="best_of_n")
    bundle = pack(tmp_path / "run", tmp_path / "bundle.tar.gz", Submitter("A server"))
    result = verify(bundle)
    assert result.accepted, result.discrepancies
    assert result.player.startswith(f"{server.url}#{NAME}")


@pytest.mark.parametrize("strategy", ["greedy", "best_of_n", "beam", "mcts"])
@pytest.mark.parametrize("usage", [True, False])
def test_budgets_hold_with_a_server_that_minds_neither_limit_nor_stop(tmp_path, strategy, usage):
    with ScriptedServer(obedient=False, usage=usage) as server:
        done = run(server, tmp_path, strategy=strategy)
    assert done.manifest.errors == 0
    assert any(e.actions for e in done.episodes)
    assert all(0 < e.ledger["generated_tokens"] <= BUDGET for e in done.episodes)


def test_a_chat_model_is_told_the_rules(tmp_path):
    with ScriptedServer(completions=False) as server:
        run(server, tmp_path / "chat", strategy="greedy")
        said = [body["messages"][0]["content"] for body in server.answered[1:]]
    assert all("Write one step a line, exactly in the form: 25 * 3 = 75" in text for text in said)
    with ScriptedServer(chat=False) as server:
        run(server, tmp_path / "plain", strategy="greedy")
        assert not any("Write one step" in body["prompt"] for body in server.answered[1:])


# -- Guides ----------------------------------------------------------------------------------------


def test_without_logprobs_nobody_guides_a_private_task(tmp_path):
    private = suite(2, "Arithmetic")
    with ScriptedServer() as server:
        for strategy in ("best_of_n", "beam", "mcts"):
            with pytest.raises(ValueError, match="asks a guide"):
                run(server, tmp_path / strategy, private, strategy=strategy)
        with pytest.raises(ValueError, match="gives none"):
            run(server, tmp_path / "policy", strategy="best_of_n", guide="policy")
        assert {body["prompt"] for body in server.answered} == {"1 + 1 ="}
        for strategy in ("greedy", "sample", "self_consistency"):
            done = run(server, tmp_path / strategy, private, strategy=strategy)
            assert done.manifest.errors == 0
            assert done.division == "open"
            assert sum(e.ledger["verifier_calls"] for e in done.episodes) == 0


def test_with_logprobs_the_policy_guides(tmp_path):
    private = suite(2, "Arithmetic")
    with ScriptedServer(logprobs=True) as server:
        for strategy in ("best_of_n", "mcts"):
            done = run(server, tmp_path / strategy, private, strategy=strategy)
            assert done.manifest.errors == 0


# -- Faults ----------------------------------------------------------------------------------------


@given(st.lists(st.sampled_from(QUICK), max_size=12))
@settings(
    max_examples=12, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_faults_that_end_well_leave_no_trace(whole, tmp_path_factory, faults):
    out = tmp_path_factory.mktemp("faults")
    config = ServerConfig(retries=len(faults), timeout=10, backoff=lambda tries: 0.0)
    with ScriptedServer(faults=faults) as server:
        done = run(server, out, config=config)
    assert journal(out) == whole
    # One good answer for each line that was asked for, besides that of the start.
    assert len(server.answered) == 1 + done.manifest.ledger["model_calls"]


@pytest.mark.parametrize("fault", ["503", "hang up", "html", "401"])
def test_a_server_that_goes_down_stops_the_run_and_loses_nothing(tmp_path, whole, fault):
    def dies(prompt, seed):
        if len(server.answered) > 60:
            server.forever = fault
        return play(prompt, seed)

    with ScriptedServer(write=dies) as server:
        with pytest.raises(ServerError, match="the same command goes on where it stopped"):
            run(server, tmp_path, chunk=1)
        recorded = journal(tmp_path)
        assert 0 < recorded.count(b"\n") < 6
        assert whole.startswith(recorded)
        assert b'"status":"error"' not in recorded
        assert load_run(tmp_path, complete=False).manifest.status == "running"
        server.write, server.forever = play, None
        done = run(server, tmp_path, chunk=1)
    assert journal(tmp_path) == whole
    assert done.manifest.errors == 0


def test_a_refused_request_costs_its_episode_only(tmp_path, whole):
    bad = json.loads(whole.splitlines()[2])
    env = make_env(bad["env"], bad["kwargs"])
    env.reset(seed=bad["seed"])

    def refuse(body):
        if body["prompt"].startswith(env.episode.text):
            return 400, {"error": {"message": "too long", "code": "context_length_exceeded"}}
        return None

    with ScriptedServer(refuse=refuse) as server:
        done = run(server, tmp_path / "run")
    assert [e.status == "error" for e in done.episodes] == [i == 2 for i in range(6)]
    assert done.episodes[2].error == "RequestRefused: HTTP 400: too long"
    assert done.episodes[2].problem == bad["problem"]
    lines, others = journal(tmp_path / "run").splitlines(), whole.splitlines()
    assert [*lines[:2], *lines[3:]] == [*others[:2], *others[3:]]


def start(url, out, **env):
    root = str(Path(__file__).parents[2])
    command = ["-m", "benchmarks.cli", "run", "served.json", "--out", str(out), "--model", url]
    command += ["--strategy", "best_of_n", "--chunk", "1", "--concurrency", "4"]
    return subprocess.Popen(
        [sys.executable, *command],
        cwd=out.parent,
        env={**os.environ, "PYTHONPATH": root, "OPENAI_API_KEY": KEY, **env},
        stdout=subprocess.PIPE,
        stderr=subprocess.PIPE,
        text=True,
    )


def test_sigkill_and_resume_is_byte_identical(tmp_path, whole):
    (tmp_path / "served.json").write_text(json.dumps(suite().to_json()))

    def slow(prompt, seed):
        time.sleep(0.03)
        return play(prompt, seed)

    out = tmp_path / "killed"
    with ScriptedServer(write=slow) as server:
        process = start(f"{server.url}#{NAME}", out)
        deadline = time.monotonic() + 120
        while not read_episodes(out / "episodes.jsonl", range(10**6))[0]:
            assert process.poll() is None, process.communicate()
            assert time.monotonic() < deadline
            time.sleep(0.005)
        process.kill()
        process.communicate()
        assert process.returncode == -signal.SIGKILL
        assert len(read_episodes(out / "episodes.jsonl", range(10**6))[0]) < 6
        process = start(f"{server.url}#{NAME}", out)
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode == 0, stderr
    assert journal(out) == whole
    shown = stdout + stderr + "".join(path.read_text() for path in out.iterdir())
    assert KEY not in shown
    assert {headers["authorization"] for *_, headers in server.requests} == {f"Bearer {KEY}"}


def test_neither_key_nor_password_is_shown_when_it_fails(tmp_path):
    (tmp_path / "served.json").write_text(json.dumps(suite().to_json()))
    echo = (401, {"error": {"message": f"the key {KEY} and open-sesame are wrong"}})
    with ScriptedServer(refuse=lambda body: echo) as server:
        url = server.url.replace("//", "//me:open-sesame@")
        process = start(f"{url}#{NAME}", tmp_path / "run", REASON_DEBUG="1")
        stdout, stderr = process.communicate(timeout=120)
    assert process.returncode != 0
    assert "set OPENAI_API_KEY to a key of this server" in stderr
    assert KEY not in stdout + stderr
    assert "open-sesame" not in stdout + stderr


def test_the_manifest_names_the_server_without_its_secrets(tmp_path):
    with ScriptedServer() as server:
        url = server.url.replace("//", "//me:open-sesame@") + f"?token=open-sesame#{NAME}"
        done = run_suite(
            suite(1), tmp_path, model=url, strategy="greedy", progress=False, server=CONFIG
        )
    assert done.manifest.model == f"{server.url}#{NAME}"
    assert "sesame" not in (tmp_path / "run.json").read_text()
    assert len(done.manifest.config["model_digest"]) == 64


def test_settings_of_a_server_are_for_models_behind_one(tmp_path):
    with pytest.raises(ValueError, match=r"local model 'models/x'.*http://"):
        run_suite(suite(), tmp_path, model="models/x", progress=False, server=CONFIG)
    with pytest.raises(ValueError, match="for models, not for agents"):
        run_suite(suite(), tmp_path, agent="random", progress=False, server=CONFIG)


def test_the_model_is_loaded_without_openai_until_a_server_is_named():
    code = "import agents.models, benchmarks.commands, sys; print('openai' in sys.modules)"
    root = str(Path(__file__).parents[2])
    done = subprocess.run(
        [sys.executable, "-c", code], capture_output=True, text=True, check=True, cwd=root
    )
    assert done.stdout.strip() == "False"
