"""OpenRLHF's `train_ppo_ray` with step rewards: `python -m agents.integrations.openrlhf.train`.

It takes the same options. OpenRLHF's trainers make their samples generator and experience maker
inside Ray actors, that is, in other processes, where what is changed here is not seen: Ray sends
its actors' classes there, but a class that they build on is sent by name only. So these modules
are sent by value, with the classes that stand in them now.
"""

from __future__ import annotations

import runpy
from collections.abc import Callable, Iterable
from types import ModuleType
from typing import Any

from agents.integrations.openrlhf.step_rewards import subclasses
from reason_env.errors import require

_GENERATOR, _MAKER = "SamplesGenerator", "RemoteExperienceMaker"
_TRAINERS = ("openrlhf.trainer.ppo_trainer", "openrlhf.trainer.ppo_trainer_async")


def install(
    trainers: Iterable[ModuleType], register_pickle_by_value: Callable[[Any], None]
) -> None:
    """Let the trainers of these modules use the classes with step rewards.

    Args:
        trainers: OpenRLHF's modules of trainers; the first has both classes.
        register_pickle_by_value: Ray's, which keeps a cloudpickle of its own.
    """
    modules = list(trainers)
    generator, maker = subclasses(getattr(modules[0], _GENERATOR), getattr(modules[0], _MAKER))
    for module in modules:
        for name, instead in ((_GENERATOR, generator), (_MAKER, maker)):
            if hasattr(module, name):
                setattr(module, name, instead)
        register_pickle_by_value(module)


def main() -> None:
    """Train, with the options of `openrlhf.cli.train_ppo_ray`.

    Raises:
        MissingExtra: OpenRLHF is not installed.
    """
    require("openrlhf", "openrlhf")
    cloudpickle: Any = require("ray.cloudpickle", "openrlhf")
    trainers = [require(name, "openrlhf") for name in _TRAINERS]
    install(trainers, cloudpickle.register_pickle_by_value)
    runpy.run_module("openrlhf.cli.train_ppo_ray", run_name="__main__", alter_sys=True)


if __name__ == "__main__":
    main()
