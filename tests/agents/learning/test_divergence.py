"""A loss that is no number stops a run: nothing is lost, and what went wrong is kept."""

import copy
import json
import math

import pytest
import torch
from test_training_runs import RUNS, saving_often

from agents.learning import sft as sft_module
from agents.learning.optimizers import DivergedError, Optimizer, OptimizerConfig
from agents.learning.sft import SFTConfig, sft
from agents.models.hf import HFModel

ALL = pytest.mark.parametrize(("trainer", "config"), RUNS.values(), ids=list(RUNS))


def rows(folder):
    return [json.loads(line) for line in (folder / "metrics.jsonl").read_text().splitlines()]


@pytest.fixture
def poisoned(monkeypatch):
    """From the gradient step with that number on, the loss is NaN."""

    def poison(at):
        backward, step = Optimizer.backward, Optimizer.step
        steps = []

        def counting(self, number):
            steps.append(number)
            return step(self, number)

        def poisoning(self, loss, batch):
            backward(self, loss * math.nan if len(steps) >= at else loss, batch)

        monkeypatch.setattr(Optimizer, "step", counting)
        monkeypatch.setattr(Optimizer, "backward", poisoning)

    return poison


@ALL
def test_every_trainer_stops(trainer, config, trained, tmp_path, poisoned):
    """At the very first loss: nothing was saved yet, and the batch is there."""
    poisoned(0)
    before = trained.digest
    first = getattr(config, "critic_warmup", 0) + 1
    said = rf"The loss is nan in step {first} of .* that this run began"
    with pytest.raises(DivergedError, match=said):
        trainer(copy.deepcopy(trained), config, tmp_path)
    (batch,) = torch.load(tmp_path / "diverged.pt", weights_only=True)
    assert {"ids", "actions", "rewards"} <= batch.keys()
    assert not (tmp_path / "model").exists()
    assert trained.digest == before


def test_the_last_good_model_is_kept(trained, tmp_path, poisoned, monkeypatch):
    """After five updates, of which four are in a resume point: the model there is what a run of
    four updates makes, though its learning rate would have gone another way later."""
    monkeypatch.setattr(sft_module, "train", saving_often)
    config = RUNS["sft"][1]
    poisoned(5)
    with pytest.raises(DivergedError, match=r"step 6 of .* the model after step 4 is in"):
        sft(copy.deepcopy(trained), config, tmp_path)
    assert [row["step"] for row in rows(tmp_path)] == [1, 2, 3, 4, 5]
    assert all(math.isfinite(value) for row in rows(tmp_path) for value in row.values())
    state = torch.load(tmp_path / "resume.pt", weights_only=True)
    assert state["step"] == 4
    kept = HFModel.load(str(tmp_path / "model")).network.state_dict()
    for name, tensor in state["network"].items():
        assert torch.equal(tensor, kept[name])
        assert tensor.isfinite().all()


def test_gradients_that_overflow_are_not_applied(make_tiny):
    """A finite loss with an infinite gradient."""
    model = make_tiny()
    optimizer = Optimizer(model, OptimizerConfig(), 1)
    before = model.digest
    for parameter in model.parameters():
        parameter.grad = torch.full_like(parameter, math.inf)
    with pytest.raises(DivergedError, match="The gradient's norm is inf"):
        optimizer.step(0)
    assert model.digest == before
    assert all(parameter.grad is None for parameter in model.parameters())


def test_a_rate_that_is_absurd(trained, tmp_path):
    """The real thing: the weights explode, and the run says so."""
    optimizer = OptimizerConfig(lr=1e30, muon=False, warmup=0)
    config = SFTConfig((RUNS["sft"][1].envs), steps=20, batch=4, workers=0, optimizer=optimizer)
    with pytest.raises(DivergedError, match="smaller lr"):
        sft(trained, config, tmp_path)
    assert (tmp_path / "diverged.pt").is_file()


# -- Resume points that can't be gone on from --------------------------------------------------


@pytest.fixture
def stopped(trained, tmp_path, poisoned, monkeypatch):
    """A run with a resume point in the middle."""
    monkeypatch.setattr(sft_module, "train", saving_often)
    with monkeypatch.context() as context:
        backward = Optimizer.backward
        seen = []

        def failing(self, loss, batch):
            seen.append(1)
            if len(seen) > 3:
                raise RuntimeError("the machine went away")
            backward(self, loss, batch)

        context.setattr(Optimizer, "backward", failing)
        with pytest.raises(RuntimeError, match="went away"):
            sft(copy.deepcopy(trained), RUNS["sft"][1], tmp_path)
    return tmp_path


def test_out_of_date(trained, stopped):
    state = torch.load(stopped / "resume.pt", weights_only=True)
    del state["format"]
    torch.save(state, stopped / "resume.pt")
    before = (stopped / "metrics.jsonl").read_text()
    with pytest.raises(ValueError, match=r"another version of reason-env \(format 1, expected 2\)"):
        sft(trained, RUNS["sft"][1], stopped)
    assert (stopped / "metrics.jsonl").read_text() == before


@pytest.mark.parametrize("content", [b"", b"not a checkpoint", None], ids=["empty", "text", "cut"])
def test_broken(trained, stopped, content):
    path = stopped / "resume.pt"
    path.write_bytes(path.read_bytes()[:1000] if content is None else content)
    with pytest.raises(ValueError, match=r"resume\.pt is broken and can't be gone on from"):
        sft(trained, RUNS["sft"][1], stopped)
