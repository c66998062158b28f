"""Runs of all trainers: the same seed gives the same parameters, killed and resumed or not, and no
run touches another's folder."""

import copy
import json
import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import pytest
import torch
from toys import ENV

from agents.learning.config import check_config
from agents.learning.dpo import DPOConfig, dpo
from agents.learning.expert_iteration import ExpertIterationConfig, expert_iteration
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.ppo import PPOConfig, ppo
from agents.learning.run import train
from agents.learning.sft import SFTConfig, _Batches, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel

STEPS = 6
PARTS = OptimizerConfig(lr=1e-3, muon=False, warmup=2, micro_batch=2, lora=2)
PPO = PPOConfig((ENV,), updates=STEPS, problems=4, samples=2, minibatch=4)
RUNS = {
    "sft": (sft, SFTConfig((ENV,), steps=STEPS, batch=8, workers=0)),
    "expert-iteration": (
        expert_iteration,
        ExpertIterationConfig(
            (ENV,), rounds=STEPS, problems=8, epochs=1, minibatch=8, simulations=4
        ),
    ),
    "ppo": (ppo, replace(PPO, epochs=2, critic_warmup=1)),
    # With all that is carried from update to update: adapters, and a KL weight that moves.
    "grpo-lora": (
        ppo,
        replace(
            PPO,
            problems=8,  # so many that no update is left without a group that has a signal
            samples=4,
            estimator="grpo",
            filter_rounds=1,
            kl_in="reward",
            kl_target=0.01,
            kl_horizon=10,
            overlong_buffer=4,
            truncation="end",
            optimizer=PARTS,
        ),
    ),
    "dpo": (dpo, DPOConfig((ENV,), updates=STEPS, problems=8, minibatch=4, simulations=4)),
}
ALL = pytest.mark.parametrize(("trainer", "config"), RUNS.values(), ids=list(RUNS))


def rows(folder):
    """What was logged, but for the clock."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@ALL
def test_same_seed_same_parameters(trainer, config, trained, tmp_path):
    """Whatever the global streams were at."""
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(ord(name))
        seeded = replace(config, seed=seed)
        digests.append(trainer(copy.deepcopy(trained), seeded, tmp_path / name).digest)
    assert digests[0] == digests[1] != digests[2]
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert digests[0] != trained.digest
    assert HFModel.load(str(tmp_path / "a/model")).digest == digests[0]


class Stopped(RuntimeError):
    pass


def saving_often(*arguments, **options):
    """`train`, with a resume point every other step."""
    train(*arguments, **{**options, "save_every": 2})


@ALL
@pytest.mark.parametrize("at", [1, 3, 5])
def test_interrupted_and_resumed(trainer, config, at, trained, tmp_path, monkeypatch):
    """Stopped in the middle of an update, with the last resume point some updates back."""
    whole = trainer(copy.deepcopy(trained), config, tmp_path / "whole").digest
    monkeypatch.setattr(sys.modules[trainer.__module__], "train", saving_often)
    seen = []
    backward = Optimizer.backward

    def stopping(self, loss, batch):
        if _finished(tmp_path / "cut") == at and len(seen) == 0:
            seen.append(at)
            raise Stopped
        backward(self, loss, batch)

    monkeypatch.setattr(Optimizer, "backward", stopping)
    with pytest.raises(Stopped):
        trainer(copy.deepcopy(trained), config, tmp_path / "cut")
    assert len(rows(tmp_path / "cut")) == at
    assert (tmp_path / "cut/resume.pt").is_file() == (at >= 2)
    resumed = trainer(copy.deepcopy(trained), config, tmp_path / "cut")
    assert resumed.digest == whole
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")


def _finished(folder):
    path = folder / "metrics.jsonl"
    return len(path.read_text().splitlines()) if path.is_file() else 0


KILLED = """
import os, signal, sys
from pathlib import Path
import torch
torch.set_num_threads(1)
sys.path.insert(0, sys.argv[2])
from agents.learning.optimizers import Optimizer
from agents.models.hf import HFModel
from test_training_runs import RUNS, _finished, saving_often

folder = Path(sys.argv[1])
trainer, config = RUNS[sys.argv[3]]
update = Optimizer.step
def killing(self, number):
    norm = update(self, number)
    if _finished(folder / "cut") == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return norm
Optimizer.step = killing
sys.modules[trainer.__module__].train = saving_often
trainer(HFModel.load(str(folder / "start")), config, folder / "cut")
"""


@pytest.mark.parametrize("name", RUNS)
def test_killed_and_resumed(name, trained, tmp_path):
    """SIGKILL in the fourth update, one after the last resume point and before its row is
    written."""
    trainer, config = RUNS[name]
    here = Path(__file__)
    trained.save(tmp_path / "start")
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(here.parent), name],
        env={**os.environ, "PYTHONPATH": f"{here.parents[3]}:{here.parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert len(rows(tmp_path / "cut")) == 3
    assert not (tmp_path / "cut/model").exists()
    whole = trainer(copy.deepcopy(trained), config, tmp_path / "whole")
    resumed = trainer(copy.deepcopy(trained), config, tmp_path / "cut")
    assert resumed.digest == whole.digest
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")


def test_passes_repeat_the_demonstrations():
    """Two passes over five batches (of an odd nine steps, the last is left out): the second has
    those of the first again, in their order, and each pass has different ones."""
    batches = _Batches(SFTConfig((ENV,), steps=9, batch=4, workers=0, passes=2))
    texts = [batches[number].ids.tolist() for number in range(9)]
    assert texts[5:] == texts[:4]
    assert len({str(text) for text in texts}) == 5
    once = _Batches(SFTConfig((ENV,), steps=9, batch=4, workers=0))
    assert len({str(once[number].ids.tolist()) for number in range(9)}) == 9


def test_workers_change_nothing(trained, tmp_path):
    alone, helped = (
        sft(
            copy.deepcopy(trained),
            SFTConfig((ENV,), steps=3, batch=4, workers=workers),
            tmp_path / str(workers),
        )
        for workers in (0, 1)
    )
    assert alone.digest == helped.digest


@ALL
def test_a_finished_run_is_loaded_and_not_repeated(trainer, config, trained, tmp_path, monkeypatch):
    first = trainer(copy.deepcopy(trained), config, tmp_path / "run")
    before = rows(tmp_path / "run")
    monkeypatch.setattr(HFModel, "hidden", None)
    again = trainer(copy.deepcopy(trained), config, tmp_path / "run")
    assert again.digest == first.digest
    assert rows(tmp_path / "run") == before


@ALL
def test_another_run_is_refused_and_untouched(trainer, config, trained, make_tiny, tmp_path):
    folder = tmp_path / "run"
    trainer(copy.deepcopy(trained), config, folder)
    before = files(folder)
    other = replace(config, seed=9)
    with pytest.raises(FileExistsError, match=r"another run \(it differs in seed\)"):
        trainer(copy.deepcopy(trained), other, folder)
    with pytest.raises(FileExistsError, match=r"another run \(it differs in init\)"):
        trainer(make_tiny(seed=5), config, folder)
    assert files(folder) == before


def test_somebodys_files_are_refused_and_untouched(trained, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is not empty and holds no config\.json"):
        sft(trained, RUNS["sft"][1], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_first_step_that_fails_frees_the_folder(make_tiny, tmp_path):
    model = make_tiny()
    optimizer = Optimizer(model, OptimizerConfig(), 1)

    def fails(number):
        raise Stopped

    with pytest.raises(Stopped):
        train(tmp_path / "run", "test", RUNS["sft"][1], model, optimizer, 1, fails)
    assert not (tmp_path / "run").exists()


@ALL
def test_what_a_run_leaves(trainer, config, trained, tmp_path):
    trainer(copy.deepcopy(trained), config, tmp_path)
    written = json.loads((tmp_path / "config.json").read_text())
    assert written["trainer"] == trainer.__name__
    assert written["optimizer"]["lr"] == config.optimizer.lr
    assert [row["step"] for row in rows(tmp_path)] == list(range(1, STEPS + 1))
    assert list((tmp_path / "tensorboard").glob("events.*"))
    assert (tmp_path / "model/model.safetensors").is_file()


# -- Settings ----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"steps": 0}, "steps must be 1 or more, received 0"),
        ({"workers": -1}, "workers must be 0 or more, received -1"),
        ({"expert_share": 1.5}, "expert_share must be in 0..1, received 1.5"),
        ({"expert_share": float("nan")}, "expert_share must be in 0..1, received nan"),
        ({"envs": ()}, "envs must name one environment or more"),
        (
            {"envs": (ENV, EnvSpec.parse("Countdown-v0:split=test"))},
            "of the train split only, received split=test in Countdown-v0:split=test",
        ),
        ({"optimizer": OptimizerConfig(lr=-1.0)}, "lr must be 0 or more, received -1.0"),
        ({"optimizer": OptimizerConfig(max_norm=float("inf"))}, "max_norm must be 0 or more"),
    ],
)
def test_settings_out_of_range(changes, message):
    with pytest.raises(ValueError, match=message):
        check_config(SFTConfig(**{"envs": (ENV,), **changes}))


def test_defaults_are_in_range():
    for config in (SFTConfig, PPOConfig, ExpertIterationConfig):
        check_config(config((ENV,)))


def test_the_rate_warms_up_stays_and_decays(make_tiny):
    config = OptimizerConfig(lr=1.0, warmup=4, final=0.2, decay_from=0.5)
    rate = Optimizer(make_tiny(), config, 100).rate
    assert [rate(step) for step in (0, 1, 3, 4, 50)] == [0.25, 0.5, 1.0, 1.0, 1.0]
    assert rate(75) == pytest.approx(0.6)
    assert rate(100) == pytest.approx(0.2)


@pytest.mark.parametrize("muon", [True, False])
def test_every_parameter_is_moved_once(make_tiny, muon):
    model = make_tiny(values=True)
    optimizer = Optimizer(model, OptimizerConfig(muon=muon), 10)
    groups = [group for part in optimizer.parts for group in part.param_groups]
    held = [id(parameter) for group in groups for parameter in group["params"]]
    assert sorted(held) == sorted(id(p) for p in model.parameters())
    before = [parameter.detach().clone() for parameter in model.parameters()]
    for parameter in model.parameters():
        parameter.grad = torch.ones_like(parameter)
    norm = optimizer.step(0)
    assert norm == pytest.approx(sum(p.numel() for p in model.parameters()) ** 0.5, rel=1e-4)
    assert all(not torch.equal(a, b) for a, b in zip(before, model.parameters(), strict=True))
    assert all(parameter.grad is None for parameter in model.parameters())
