"""Runs of all trainers: the same seed gives the same parameters, killed and resumed or not, and no
run touches another's folder."""

import copy
import json
import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest
import torch
from toys import ENV

from agents.learning import expert_iteration as expert_iteration_module
from agents.learning import ppo as ppo_module
from agents.learning import sft as sft_module
from agents.learning.config import check_config
from agents.learning.expert_iteration import ExpertIterationConfig, expert_iteration
from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.ppo import PPOConfig, ppo
from agents.learning.run import train
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel

STEPS = 6
CONFIGS = {
    sft: SFTConfig((ENV,), steps=STEPS, batch=8, workers=0),
    expert_iteration: ExpertIterationConfig(
        (ENV,), rounds=STEPS, problems=8, epochs=1, minibatch=8, simulations=4
    ),
    ppo: PPOConfig((ENV,), updates=STEPS, problems=4, samples=2, epochs=2, minibatch=4),
}
MODULES = {sft: sft_module, expert_iteration: expert_iteration_module, ppo: ppo_module}
TRAINERS = pytest.mark.parametrize("trainer", CONFIGS, ids=lambda trainer: trainer.__name__)


def rows(folder):
    """What was logged, but for the clock."""
    found = [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]
    return [{key: value for key, value in row.items() if key != "seconds"} for row in found]


def files(folder):
    return {path: path.read_bytes() for path in folder.rglob("*") if path.is_file()}


@TRAINERS
def test_same_seed_same_parameters(trainer, trained, tmp_path):
    """Whatever the global streams were at."""
    digests = []
    for name, seed in (("a", 0), ("b", 0), ("c", 1)):
        torch.manual_seed(ord(name))
        config = type(CONFIGS[trainer])(**{**_given(CONFIGS[trainer]), "seed": seed})
        digests.append(trainer(copy.deepcopy(trained), config, tmp_path / name).digest)
    assert digests[0] == digests[1] != digests[2]
    assert rows(tmp_path / "a") == rows(tmp_path / "b")
    assert digests[0] != trained.digest
    assert HFModel.load(str(tmp_path / "a/model")).digest == digests[0]


def _given(config):
    return {name: getattr(config, name) for name in config.__dataclass_fields__}


class Stopped(RuntimeError):
    pass


def saving_often(*arguments, **options):
    """`train`, with a resume point every other step."""
    train(*arguments, **{**options, "save_every": 2})


@TRAINERS
@pytest.mark.parametrize("at", [1, 3, 5])
def test_interrupted_and_resumed(trainer, at, trained, tmp_path, monkeypatch):
    """Stopped in the middle of an update, with the last resume point some updates back."""
    module = MODULES[trainer]
    whole = trainer(copy.deepcopy(trained), CONFIGS[trainer], tmp_path / "whole").digest
    monkeypatch.setattr(module, "train", saving_often)
    seen = []
    forward = module.forward

    def stopping(model, batch):
        if _finished(tmp_path / "cut") == at and len(seen) == 0:
            seen.append(at)
            raise Stopped
        return forward(model, batch)

    monkeypatch.setattr(module, "forward", stopping)
    with pytest.raises(Stopped):
        trainer(copy.deepcopy(trained), CONFIGS[trainer], tmp_path / "cut")
    assert len(rows(tmp_path / "cut")) == at
    assert (tmp_path / "cut/resume.pt").is_file() == (at >= 2)
    resumed = trainer(copy.deepcopy(trained), CONFIGS[trainer], tmp_path / "cut")
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
from agents.learning import sft as module
from agents.learning.optimizers import Optimizer
from agents.models.hf import HFModel
from test_training_runs import CONFIGS, saving_often

update = Optimizer.step
def killing(self, number):
    norm = update(self, number)
    if number == 3:
        os.kill(os.getpid(), signal.SIGKILL)
    return norm
Optimizer.step = killing
module.train = saving_often
folder = Path(sys.argv[1])
module.sft(HFModel.load(str(folder / "start")), CONFIGS[module.sft], folder / "cut")
"""


def test_killed_and_resumed(trained, tmp_path):
    """SIGKILL after the fourth update, before its row is written."""
    here = Path(__file__)
    trained.save(tmp_path / "start")
    run = subprocess.run(
        [sys.executable, "-c", KILLED, str(tmp_path), str(here.parent)],
        env={**os.environ, "PYTHONPATH": f"{here.parents[3]}:{here.parents[1]}"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert run.returncode == -signal.SIGKILL, run.stderr
    assert len(rows(tmp_path / "cut")) == 3
    assert not (tmp_path / "cut/model").exists()
    whole = sft(copy.deepcopy(trained), CONFIGS[sft], tmp_path / "whole")
    resumed = sft(copy.deepcopy(trained), CONFIGS[sft], tmp_path / "cut")
    assert resumed.digest == whole.digest
    assert rows(tmp_path / "cut") == rows(tmp_path / "whole")


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


@TRAINERS
def test_a_finished_run_is_loaded_and_not_repeated(trainer, trained, tmp_path, monkeypatch):
    first = trainer(copy.deepcopy(trained), CONFIGS[trainer], tmp_path / "run")
    before = rows(tmp_path / "run")
    monkeypatch.setattr(MODULES[trainer], "forward", None)
    again = trainer(copy.deepcopy(trained), CONFIGS[trainer], tmp_path / "run")
    assert again.digest == first.digest
    assert rows(tmp_path / "run") == before


@TRAINERS
def test_another_run_is_refused_and_untouched(trainer, trained, make_tiny, tmp_path):
    folder = tmp_path / "run"
    trainer(copy.deepcopy(trained), CONFIGS[trainer], folder)
    before = files(folder)
    other = type(CONFIGS[trainer])(**{**_given(CONFIGS[trainer]), "seed": 9})
    with pytest.raises(FileExistsError, match=r"another run \(it differs in seed\)"):
        trainer(copy.deepcopy(trained), other, folder)
    with pytest.raises(FileExistsError, match=r"another run \(it differs in init\)"):
        trainer(make_tiny(seed=5), CONFIGS[trainer], folder)
    assert files(folder) == before


def test_somebodys_files_are_refused_and_untouched(trained, tmp_path):
    (tmp_path / "notes.txt").write_text("mine")
    with pytest.raises(FileExistsError, match=r"is not empty and holds no config\.json"):
        sft(trained, CONFIGS[sft], tmp_path)
    assert [path.name for path in tmp_path.iterdir()] == ["notes.txt"]


def test_a_first_step_that_fails_frees_the_folder(make_tiny, tmp_path):
    model = make_tiny()
    optimizer = Optimizer(model, OptimizerConfig(), 1)

    def fails(number):
        raise Stopped

    with pytest.raises(Stopped):
        train(tmp_path / "run", "test", CONFIGS[sft], model, optimizer, 1, fails)
    assert not (tmp_path / "run").exists()


@TRAINERS
def test_what_a_run_leaves(trainer, trained, tmp_path):
    trainer(copy.deepcopy(trained), CONFIGS[trainer], tmp_path)
    config = json.loads((tmp_path / "config.json").read_text())
    assert config["trainer"] == trainer.__name__
    assert config["init"] != trained.digest or trainer is sft
    assert config["optimizer"]["lr"] == CONFIGS[trainer].optimizer.lr
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
