"""The exported folder: its files, and its scripts against OpenRLHF's own options."""

import argparse
import ast
import asyncio
import importlib.util
import json
import os
import subprocess
import sys
from dataclasses import dataclass, replace
from datetime import datetime
from pathlib import Path
from types import SimpleNamespace

import pytest
from openrlhf_wheel import ROOT, openrlhf_module
from toys import DoorsSpec

from agents.integrations.openrlhf.export import ESTIMATORS, ExportConfig, export
from agents.integrations.openrlhf.label import Label
from agents.integrations.openrlhf.prompts import problems
from agents.integrations.openrlhf.reward import reward_func
from agents.learning.specs import EnvSpec
from agents.models.export import fast_tokenizer
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from reason_env.splits import split_of
from reason_env.tokenizer import TOKENIZER

ENVS = (EnvSpec.parse("Countdown-v0:level=2,feedback=state"), EnvSpec.parse("Arithmetic-v0"))
SMALL = ExportConfig(
    ENVS,
    "someone/some-model",
    prompts=32,
    evals=8,
    samples=2,
    rollout_batch=8,
    micro_batch=2,
    gpus=4,
)
SCRIPTS = ("launch.sh", "train.sh", "train_multinode.sh")


def read(path):
    return [json.loads(line) for line in path.read_text().splitlines()]


@pytest.fixture
def folder(tmp_path):
    export(tmp_path / "run", SMALL)
    return tmp_path / "run"


def test_what_is_in_the_folder(folder):
    assert {path.name for path in folder.iterdir()} == {
        *SCRIPTS,
        *("prompts.jsonl", "eval.jsonl", "agent.py", "reward.py"),
        *("README.md", "requirements.txt", "export.json"),
    }
    for script in SCRIPTS:
        subprocess.run(["bash", "-n", folder / script], check=True)
        assert "\nset -euo pipefail\n" in (folder / script).read_text()
        assert os.access(folder / script, os.X_OK)
    assert "openrlhf[vllm]==0.11.2" in (folder / "requirements.txt").read_text()
    assert json.loads((folder / "export.json").read_text())["config"]["envs"] == [
        "Countdown-v0:level=2,feedback=state",
        "Arithmetic-v0",
    ]


def test_rows_are_distinct_problems_of_their_split(folder):
    contents = set()
    for name, split, reward in [
        ("prompts.jsonl", "train", "process"),
        ("eval.jsonl", "dev", "outcome"),
    ]:
        rows = read(folder / name)
        assert [row["datasource"] for row in rows[:2]] == [
            "Countdown-v0-level2",
            "Arithmetic-v0-level1",
        ]
        for row in rows:
            assert row.keys() == {"prompt", "label", "datasource"}
            env = Label.parse(row["label"]).start()
            assert env.episode.text == row["prompt"]
            problem = env.episode.problem
            assert split_of(env.task, problem) == split
            assert json.loads(row["label"])["kwargs"]["reward"] == reward
            contents.add((env.task.name, env.task.canonical(problem)))
    assert len(contents) == 32 + 8


def test_the_same_settings_give_the_same_bytes(folder, tmp_path):
    export(tmp_path / "again", SMALL)
    for path in folder.iterdir():
        assert path.read_bytes() == (tmp_path / "again" / path.name).read_bytes()
    export(tmp_path / "other", replace(SMALL, seed=1))
    other = read(tmp_path / "other" / "prompts.jsonl")
    shared = {row["prompt"] for row in other} & {
        row["prompt"] for row in read(folder / "prompts.jsonl")
    }
    assert len(shared) < 8
    longer = problems(ENVS, 40, SMALL.seed, line_tokens=32)
    assert [json.loads(str(row)) for row in longer[:32]] == read(folder / "prompts.jsonl")


@dataclass(frozen=True)
class FewProblems(DoorsSpec):
    """Eight problems in all."""

    level: int = 3
    id: str = "Doors-v0"


def test_problems_run_out():
    few = problems([FewProblems(), FewProblems()], 4, 0)
    assert len({row.prompt for row in few}) == 4
    with pytest.raises(ValueError, match=r"too few train problems: after [4-8] of 9"):
        problems([FewProblems()], 9, 0)


def test_a_folder_in_use_is_refused(folder):
    with pytest.raises(FileExistsError, match="is not empty"):
        export(folder, SMALL)
    export(folder.parent / "empty", SMALL)
    (folder.parent / "fresh").mkdir()
    export(folder.parent / "fresh", SMALL)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"estimator": "grpo"}, "estimator"),
        ({"estimator": "rloo", "samples": 1, "rollout_batch": 16}, "needs 2 or more"),
        ({"reward": "proces"}, "Did you mean 'process'"),
        ({"gpus": 3}, "multiple of micro_batch"),
        ({"train_batch": 24}, "multiple of train_batch"),
        ({"single_turn": True}, "step_rewards"),
        ({"zero_stage": 4}, "zero_stage"),
        ({"vllm_memory": 1.5}, "vllm_memory"),
        ({"prompts": 0}, "prompts must be 1 or more"),
        ({"micro_batch": 0}, "micro_batch must be 1 or more"),
        ({"lam": 1.5}, r"lam must be in 0\.\.1, received 1\.5"),
        ({"max_len": 6}, "raise max_len"),
        ({"envs": ()}, "envs"),
        ({"envs": (EnvSpec.parse("Countdown-v0:split=test"),)}, "train split only"),
    ],
)
def test_settings_that_are_refused(tmp_path, settings, message):
    with pytest.raises(ValueError, match=message):
        export(tmp_path / "run", replace(SMALL, **settings))
    assert not (tmp_path / "run").exists()


# -- The scripts -------------------------------------------------------------------------------


@pytest.fixture
def run(tmp_path):
    """Runs a script with a `python` and a `ray` that only write down how they were called."""
    bin_folder, log = tmp_path / "bin", tmp_path / "calls"
    bin_folder.mkdir()
    told = f'#!/usr/bin/env bash\n{{ printf "%s\\0" {{0}} "$@"; printf "\\n"; }} >> "{log}"\n'
    extra = {
        # Two machines have joined.
        "python": '[ "$1" != -c ] || echo 2\n',
        # No cluster is left to be waited for.
        "ray": '[ "$1" != status ]\n',
    }
    for name, more in extra.items():
        (bin_folder / name).write_text(told.replace("{0}", name) + more)
        (bin_folder / name).chmod(0o755)

    def run(script, *arguments, check=True, **variables):
        log.write_text("")
        done = subprocess.run(
            ["bash", script, *arguments],
            env={"PATH": f"{bin_folder}:{os.environ['PATH']}", **variables},
            capture_output=True,
            text=True,
            check=check,
            timeout=60,
        )
        calls = [line.split("\0")[:-1] for line in log.read_text().split("\n")[:-1]]
        return done, calls

    return run


@pytest.fixture(scope="module")
def openrlhf_arguments():
    """What OpenRLHF makes of options: its own lines from the parser to the start of training."""
    openrlhf_module("openrlhf.utils.config")
    source = (ROOT / "openrlhf" / "cli" / "train_ppo_ray.py").read_text()
    [main] = [node for node in ast.parse(source).body if isinstance(node, ast.If)]
    assert ast.unparse(main.body[-1]) == "train(args)"
    code = compile(ast.Module(main.body[:-1], []), "train_ppo_ray", "exec")

    def parse(arguments):
        names = {"argparse": argparse, "datetime": datetime, "os": os}
        before, sys.argv = sys.argv, ["train_ppo_ray", *arguments]
        try:
            exec(code, names)
        except SystemExit as error:
            raise AssertionError(f"OpenRLHF refuses {arguments}") from error
        finally:
            sys.argv = before
        # argparse takes beginnings of names as well: those of a next version may be ambiguous.
        given = {argument for argument in arguments if argument.startswith("--")}
        assert given <= set(names["parser"]._option_string_actions)
        return names["args"]

    return parse


def trained_with(calls):
    """The module that is run and its options."""
    [call] = [call for call in calls if call[:2] == ["python", "-m"]]
    return call[2], call[3:]


@pytest.mark.parametrize("estimator", ESTIMATORS)
def test_openrlhf_takes_the_options(tmp_path, run, openrlhf_arguments, estimator):
    folder = tmp_path / "a folder with spaces"
    export(folder, replace(SMALL, estimator=estimator, kl_loss=estimator == "group_norm"))
    done, calls = run(folder / "train.sh")
    assert calls[0] == ["ray", "start", "--head", "--num-gpus", "4", "--disable-usage-stats"]
    assert calls[-1] == ["ray", "stop"]
    module, options = trained_with(calls)
    assert module == "agents.integrations.openrlhf.train"
    args = openrlhf_arguments(options)
    assert args.actor.model_name_or_path == "someone/some-model"
    assert Path(args.train.agent_func_path) == folder / "agent.py"
    assert Path(args.data.prompt_dataset) == folder / "prompts.jsonl"
    assert Path(args.eval.dataset) == folder / "eval.jsonl"
    assert args.reward.remote_url == ["agent"]
    assert (args.data.input_key, args.data.label_key) == ("prompt", "label")
    assert args.algo.advantage.estimator == estimator
    assert (args.critic.model_name_or_path is not None) == (estimator == "gae")
    assert args.algo.kl.use_loss == (estimator == "group_norm")
    assert args.algo.kl.estimator == ("k3" if args.algo.kl.use_loss else "k1")
    for model in (args.actor, args.ref, args.critic):
        assert (model.num_nodes, model.num_gpus_per_node) == (1, 4)
    assert args.vllm.num_engines == 4
    assert args.vllm.enable_sleep
    assert args.rollout.n_samples_per_prompt == 2
    assert args.train.batch_size == 16
    assert args.rollout.max_new_tokens is None
    # What OpenRLHF asks of colocated models.
    gpus = args.actor.num_nodes * args.actor.num_gpus_per_node
    assert gpus == args.vllm.num_engines * args.vllm.tensor_parallel_size
    assert not done.stderr


def test_further_options_win(folder, run, openrlhf_arguments):
    _, calls = run(
        folder / "train.sh", "--actor.adam.lr", "0.5", MODEL="other model", GPUS_PER_NODE="2"
    )
    args = openrlhf_arguments(trained_with(calls)[1])
    assert args.actor.adam.lr == 0.5
    assert args.actor.model_name_or_path == "other model"
    assert args.vllm.num_engines == 2
    with pytest.raises(AssertionError, match="refuses"):
        openrlhf_arguments([*trained_with(calls)[1], "--no.such_option", "1"])


def test_single_turn_and_plain_rewards_take_openrlhfs_own_trainer(
    tmp_path, run, openrlhf_arguments
):
    config = replace(SMALL, step_rewards=False)
    export(tmp_path / "plain", config)
    _, calls = run(tmp_path / "plain" / "train.sh")
    module, options = trained_with(calls)
    assert module == "openrlhf.cli.train_ppo_ray"
    assert openrlhf_arguments(options).train.agent_func_path
    export(tmp_path / "single", replace(config, single_turn=True, chat=True))
    _, calls = run(tmp_path / "single" / "train.sh")
    module, options = trained_with(calls)
    assert module == "openrlhf.cli.train_ppo_ray"
    args = openrlhf_arguments(options)
    assert args.train.agent_func_path is None
    assert args.reward.remote_url == [str(tmp_path / "single" / "reward.py")]
    assert args.data.apply_chat_template


def test_several_machines(folder, run, openrlhf_arguments):
    variables = {"HEAD_ADDRESS": "10.0.0.7", "NUM_NODES": "2", "RAY_PORT": "6400"}
    script = folder / "train_multinode.sh"
    _, calls = run(script, NODE_RANK="0", **variables)
    started = "ray start --head --node-ip-address 10.0.0.7 --port 6400"
    assert calls[0] == [*started.split(), "--num-gpus", "4", "--disable-usage-stats"]
    assert calls[-1] == ["ray", "stop"]
    args = openrlhf_arguments(trained_with(calls)[1])
    assert (args.actor.num_nodes, args.actor.num_gpus_per_node) == (2, 4)
    assert args.vllm.num_engines == 8

    _, calls = run(script, NODE_RANK="1", **variables)
    assert calls == [
        ["ray", "start", "--address", "10.0.0.7:6400", "--num-gpus", "4", "--disable-usage-stats"],
        ["ray", "status", "--address", "10.0.0.7:6400"],
        ["ray", "stop"],
    ]
    done, calls = run(script, NODE_RANK="0", NUM_NODES="2", check=False)
    assert done.returncode != 0
    assert "HEAD_ADDRESS" in done.stderr
    assert not calls
    # Not all of three joined.
    variables = {**variables, "NUM_NODES": "3", "JOIN_SECONDS": "0"}
    done, calls = run(script, NODE_RANK="0", check=False, **variables)
    assert done.returncode == 1
    assert "joined" in done.stderr
    assert calls[-1] == ["ray", "stop"]


def test_a_path_that_openrlhf_would_misread_is_refused(tmp_path, run):
    export(tmp_path / "a,b", SMALL)
    done, calls = run(tmp_path / "a,b" / "train.sh", check=False)
    assert done.returncode == 2
    assert "a,b" in done.stderr
    assert calls[-1] == ["ray", "stop"]


def test_a_model_of_ours(tmp_path, run, openrlhf_arguments):
    """By its full path, however it is spelled; no longer than its context."""
    model = tmp_path / 'my "$odd` {model}'
    HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2, context=200))).save(model)
    export(tmp_path / "run", replace(SMALL, model=str(model)))
    _, calls = run(tmp_path / "run" / "train.sh")
    args = openrlhf_arguments(trained_with(calls)[1])
    assert args.actor.model_name_or_path == str(model)
    assert args.data.max_len == 200
    longest = max(
        len(TOKENIZER.encode(row["prompt"])) for row in read(tmp_path / "run/prompts.jsonl")
    )
    assert longest < 200


# -- What OpenRLHF reads -----------------------------------------------------------------------


def load(path):
    """As OpenRLHF loads agents and reward functions."""
    spec = importlib.util.spec_from_file_location("agent_module", path)
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


def test_openrlhf_loads_the_files(folder):
    agent = openrlhf_module("openrlhf.utils.agent")
    executor = load(folder / "agent.py").AgentExecutor()
    assert isinstance(executor, agent.MultiTurnAgentExecutor)
    assert issubclass(executor.agent_instance_cls, agent.AgentInstanceBase)
    single = agent.SingleTurnAgentExecutor([str(folder / "reward.py")])
    assert single.reward_func.__module__ == "agents.integrations.openrlhf.reward"


def test_openrlhf_reads_the_prompts(folder, tmp_path, monkeypatch):
    datasets = pytest.importorskip("datasets")
    monkeypatch.setattr(datasets.config, "HF_DATASETS_CACHE", tmp_path / "cache")
    datasets.disable_progress_bars()
    reading = openrlhf_module("openrlhf.datasets.utils")
    prompts = openrlhf_module("openrlhf.datasets.prompts_dataset")
    args = SimpleNamespace(
        data=SimpleNamespace(input_key="prompt", label_key="label", apply_chat_template=False),
        use_ms=False,
    )
    strategy = SimpleNamespace(args=args, print=print, is_rank_0=lambda: False)
    data = reading.blending_datasets(
        str(folder / "prompts.jsonl"), None, strategy, dataset_split="train"
    )
    dataset = prompts.PromptDataset(data, None, strategy)
    rows = [
        (row["datasource"], row["prompt"], row["label"], None)
        for row in read(folder / "prompts.jsonl")
    ]
    assert [dataset[i] for i in range(len(dataset))] == rows


# -- Rewards of whole texts --------------------------------------------------------------------


@pytest.mark.parametrize("special", ["", "<eos>", "</s>", "<|im_end|>\n", "\n"])
def test_whole_texts_are_paid_as_at_episode_granularity(special):
    rows = problems([EnvSpec.parse("Countdown-v0:level=2,reward=shaped")], 6, 0, reward="shaped")
    for row in rows:
        env = row.label.start()
        solution = []
        while not env.episode.stopped:
            solution.append(env.expert_line(env.np_random))
            env.step(solution[-1])
        for text in ["\n".join(solution), solution[0], "hm\n1 + 1 = 3", "answer: 1", "undo"]:
            result = reward_func([row.prompt + text + special], [row.prompt], [str(row.label)])
            _, reward, _, _, info = row.label.start_text().step(text)
            assert result["rewards"] == reward
            assert result["scores"] == info["terms"]["outcome"]
            assert result["extra_logs"]["env_validity"] == info["terms"]["validity"]
        assert (
            reward_func(
                ["<bos>" + row.prompt + "\n".join(solution)], [row.prompt], [str(row.label)]
            )["scores"]
            == 1
        )


def test_several_texts_at_once_and_one_of_another_prompt():
    rows = problems([EnvSpec.parse("Countdown-v0")], 2, 0)
    prompts, labels = [row.prompt for row in rows], [str(row.label) for row in rows]
    result = reward_func([p + "1 + 1 = 3" for p in prompts], prompts, labels)
    assert result["rewards"] == [-0.5, -0.5]
    assert result["scores"] == [0, 0]
    assert result["extra_logs"]["env_validity"] == -1
    with pytest.raises(ValueError, match="does not begin with its prompt"):
        reward_func(["something else"], prompts[:1], labels[:1])


def test_openrlhfs_single_turn_executor_is_paid(folder):
    """The whole way, with the executor that OpenRLHF uses for reward functions."""
    agent = openrlhf_module("openrlhf.utils.agent")
    [row] = problems([EnvSpec.parse("Countdown-v0")], 1, 0, line_tokens=None)
    env = row.label.start()
    text = []
    while not env.episode.stopped:
        text.append(env.expert_line(env.np_random))
        env.step(text[-1])

    class Engine:
        async def generate(self, ids, params, multi_modal_data=None):
            tokens = [*TOKENIZER.encode("\n".join(text)), 2]
            completion = SimpleNamespace(token_ids=tokens, finish_reason="stop", logprobs=None)
            return SimpleNamespace(outputs=[completion])

    response = asyncio.run(
        agent.SingleTurnAgentExecutor([str(folder / "reward.py")]).execute(
            row.prompt,
            str(row.label),
            SimpleNamespace(max_tokens=None, logprobs=None),
            500,
            fast_tokenizer(),
            Engine(),
        )
    )
    assert (response["reward"], response["scores"]) == (1.0, 1.0)
