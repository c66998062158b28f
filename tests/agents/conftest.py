"""What the tests of agents share: one thread, tiny models, environments that were reset."""

from __future__ import annotations

import copy
from collections.abc import Callable, Iterator
from typing import Any

import pytest
import torch
from toys import ENV, DoorsSpec

from agents.learning.optimizers import OptimizerConfig
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from reason_env.env import ReasonEnv


@pytest.fixture(scope="session", autouse=True)
def _one_thread() -> Iterator[None]:
    """A model this small loses by sharing its work, and the order of sums stays the same."""
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    yield
    torch.set_num_threads(before)


@pytest.fixture(scope="session")
def make_tiny() -> Callable[..., HFModel]:
    """Makes untrained models of one layer; equal for equal seeds."""

    def make(seed: int = 0, values: bool = False) -> HFModel:
        network = tiny_model(TinyConfig(layers=1, width=32, heads=2), seed)
        network.eval()
        model = HFModel(network)
        if values:
            model.add_value_head()
            with torch.random.fork_rng(devices=[]):
                torch.manual_seed(seed)
                torch.nn.init.normal_(model.value_head.weight)
        return model

    return make


@pytest.fixture(scope="session")
def _trained(
    make_tiny: Callable[..., HFModel], tmp_path_factory: pytest.TempPathFactory
) -> HFModel:
    """Seconds of cloning: it writes lines that end, some of them legal."""
    optimizer = OptimizerConfig(lr=1e-2, warmup=5)
    config = SFTConfig((ENV,), steps=120, batch=16, workers=0, optimizer=optimizer)
    return sft(make_tiny(), config, tmp_path_factory.mktemp("trained"))


@pytest.fixture
def trained(_trained: HFModel) -> HFModel:
    """A copy of one's own."""
    return copy.deepcopy(_trained)


@pytest.fixture(scope="session")
def aimless(make_tiny: Callable[..., HFModel], tmp_path_factory: pytest.TempPathFactory) -> HFModel:
    """A policy that has seen how one goes through a door, and not through which: copy it."""
    optimizer = OptimizerConfig(lr=1e-2, warmup=5)
    spec: Any = DoorsSpec(1)
    config = SFTConfig((spec,), 0.0, steps=100, batch=32, workers=0, optimizer=optimizer)
    return sft(make_tiny(), config, tmp_path_factory.mktemp("aimless"))


@pytest.fixture(scope="session")
def make_envs() -> Callable[..., list[ReasonEnv]]:
    """Makes environments at the problems of seeds 0, 1, ..."""

    def make(count: int, spec: str = str(ENV), **overrides: object) -> list[ReasonEnv]:
        envs = [EnvSpec.parse(spec).make(**overrides) for _ in range(count)]
        for seed, env in enumerate(envs):
            env.reset(seed=seed)
        return envs

    return make
