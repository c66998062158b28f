"""Adapters: they start as nothing, learn alone, can be left out, and are merged in checkpoints."""

import copy
import json

import pytest
import torch
from toys import ENV, DoorsSpec

from agents.learning.optimizers import Optimizer, OptimizerConfig
from agents.learning.ppo import PPOConfig, ppo
from agents.learning.sft import SFTConfig, sft
from agents.models.hf import HFModel
from agents.models.lora import has_adapters, without_adapters

ADAPTERS = OptimizerConfig(lr=1e-2, muon=False, warmup=5, lora=4)
PREFIXES = [(70, 71, 72), (80, 81)]
NEXT = [(73, 74), (82, 83)]


def said(model):
    found = model.logprobs(PREFIXES, NEXT)
    return pytest.approx([logprob for row in found for logprob in row], abs=1e-4)


def test_they_start_as_nothing_and_can_be_left_out(trained):
    before = said(trained).expected
    trained.add_lora(4)
    assert said(trained) == before
    with torch.no_grad():
        for name, parameter in trained.network.named_parameters():
            if "lora_B" in name:
                parameter.fill_(0.1)
    with_adapters = said(trained).expected
    assert with_adapters != pytest.approx(before, abs=0.01)
    with without_adapters(trained.network):
        assert said(trained) == before
    assert said(trained) == with_adapters
    trained.finish_training()
    assert not has_adapters(trained.network)
    assert said(trained) == with_adapters


def test_they_alone_learn(make_tiny):
    model = make_tiny(values=True)
    rest = {id(p) for p in model.network.parameters()}
    optimizer = Optimizer(model, ADAPTERS, 10)
    held = {id(p) for p in optimizer.parameters}
    assert not held & rest
    assert {id(p) for p in model.value_head.parameters()} <= held
    assert len(held) == 2 * 7 + 2  # two matrices at each of a block's seven layers, and the head


def test_first_weights_do_not_depend_on_the_global_stream(make_tiny):
    found = []
    for seed in (1, 2):
        torch.manual_seed(seed)
        model = make_tiny()
        model.add_lora(4)
        found.append(model.digest)
    assert found[0] == found[1]


def test_a_run_with_adapters_learns_and_leaves_a_plain_checkpoint(make_tiny, tmp_path):
    """The network below them stays as it was; what is saved says what was trained."""
    start = make_tiny()
    config = SFTConfig((DoorsSpec(1),), 1.0, steps=60, batch=32, workers=0, optimizer=ADAPTERS)
    model = sft(copy.deepcopy(start), config, tmp_path)
    assert not has_adapters(model.network)
    loaded = HFModel.load(str(tmp_path / "model"))
    assert loaded.digest == model.digest
    # Muon would not change that: adapters are AdamW's.
    embeddings = "model.embed_tokens.weight"
    before, after = start.network.state_dict(), loaded.network.state_dict()
    assert before.keys() == after.keys()
    assert torch.equal(before[embeddings], after[embeddings])
    moved = [name for name in before if not torch.equal(before[name], after[name])]
    assert len(moved) == 7
    # Of rank 4 at most.
    for name in moved:
        singular = torch.linalg.svdvals(after[name] - before[name])
        assert singular[4:].max() < 1e-4 * singular[0]


def test_ppo_takes_the_network_below_as_its_reference(trained, tmp_path):
    """At the first update nothing was learned yet; at the second the adapters have moved."""
    config = PPOConfig((ENV,), updates=2, problems=8, minibatch=8, optimizer=ADAPTERS)
    ppo(trained, config, tmp_path)
    first, second = map(json.loads, (tmp_path / "metrics.jsonl").read_text().splitlines())
    assert first["kl"] == 0
    assert first["first_ratio_deviation"] == second["first_ratio_deviation"] == 0
    assert second["kl"] > 0
