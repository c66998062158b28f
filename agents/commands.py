"""Commands of `reason-train`, one per trainer, made from the trainers' configurations."""

from __future__ import annotations

import inspect
from collections.abc import Callable
from dataclasses import MISSING, Field, fields, is_dataclass
from pathlib import Path
from typing import Annotated, Any, get_type_hints

import typer

from agents.integrations.openrlhf.export import ExportConfig, export
from agents.learning.dpo import DPOConfig, dpo
from agents.learning.expert_iteration import ExpertIterationConfig, expert_iteration
from agents.learning.ppo import PPOConfig, ppo
from agents.learning.reward_model import RewardModelConfig, reward_model
from agents.learning.run import MODEL
from agents.learning.sft import SFTConfig, sft
from agents.learning.specs import EnvSpec
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model

app = typer.Typer(
    name="reason-train",
    help="Initialise language models and let them learn on reasoning environments.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    add_completion=False,
)

_OUT = Annotated[Path, typer.Option(help="Run folder; the same command resumes it.")]
_MODEL = Annotated[str, typer.Option(help="Folder of the model to go on from, or a hub id.")]
_GIVEN = ("envs", "model")
"""Fields of configurations that are options of all commands."""
_ENV = Annotated[
    list[str], typer.Option(help="An environment to train on: Countdown-v0:level=1,feedback=state")
]


@app.command()
def tiny(
    out: Annotated[Path, typer.Option(help="Folder for the model; must not exist.")],
    layers: Annotated[int, typer.Option(help="Transformer blocks.")] = TinyConfig().layers,
    width: Annotated[int, typer.Option(help="Hidden size.")] = TinyConfig().width,
    heads: Annotated[int, typer.Option(help="Attention heads.")] = TinyConfig().heads,
    seed: Annotated[int, typer.Option(help="Of the initial weights.")] = 0,
) -> None:
    """Make an untrained tiny Llama-type model with this project's tokenizer."""
    if out.exists():
        raise FileExistsError(f"{out} exists already; choose another folder")
    if min(layers, width, heads) < 1:
        raise ValueError(
            f"layers, width and heads must be 1 or more, received {layers}, {width} and {heads}"
        )
    if width % (2 * heads):
        raise ValueError(f"width must be a multiple of 2 * heads, received {width} and {heads}")
    HFModel(tiny_model(TinyConfig(layers, width, heads), seed)).save(out)
    typer.echo(f"model: {out}")


def _trainer(name: str, config: type, trainer: Callable[[HFModel, Any, Path], HFModel]) -> None:
    """Add a command that trains a model."""

    def action(model: str, built: Any, out: Path) -> None:
        trainer(HFModel.load(model), built, out)
        typer.echo(f"model: {out / MODEL}")

    _command(name, config, action, trainer.__doc__ or "")


def _command(
    name: str, config: type, action: Callable[[str, Any, Path], None], description: str
) -> None:
    """Add a command whose options are the fields of a configuration, nested ones included.

    Args:
        action: takes the model's folder or hub id, the configuration and the output folder.
        description: its first line is the command's help.
    """
    options = {option.name: option for option in _options(config)}

    def command(**given: Any) -> None:
        given["envs"] = tuple(EnvSpec.parse(text) for text in given.pop("env"))
        action(given["model"], _build(config, given), given["out"])

    head = {"env": _ENV, "model": _MODEL, "out": _OUT}
    parameters = [
        inspect.Parameter(key, inspect.Parameter.KEYWORD_ONLY, annotation=kind)
        for key, kind in head.items()
    ]
    command.__signature__ = inspect.Signature([*parameters, *options.values()])  # type: ignore[attr-defined]
    command.__doc__ = description.splitlines()[0]
    app.command(name)(command)


def _default(field: Field[Any]) -> Any:
    return field.default if field.default_factory is MISSING else field.default_factory()


def _options(config: type) -> list[inspect.Parameter]:
    hints = get_type_hints(config)
    options = []
    for field in fields(config):
        if field.name in _GIVEN:
            continue
        default = _default(field)
        if is_dataclass(default):
            for inner in fields(default):
                options.append(
                    _option(inner, get_type_hints(type(default)), getattr(default, inner.name))
                )
        else:
            options.append(_option(field, hints, default))
    return options


def _option(field: Field[Any], hints: dict[str, Any], default: Any) -> inspect.Parameter:
    option = typer.Option(default, help=field.metadata.get("help", ""))
    kind = inspect.Parameter.KEYWORD_ONLY
    return inspect.Parameter(field.name, kind, default=option, annotation=hints[field.name])


def _build(config: type, given: dict[str, Any]) -> Any:
    """The configuration from flat options."""
    values: dict[str, Any] = {}
    for field in fields(config):
        default = None if field.name in _GIVEN else _default(field)
        if default is not None and is_dataclass(default) and not isinstance(default, type):
            inner = {f.name: given[f.name] for f in fields(default)}
            values[field.name] = type(default)(**inner)
        else:
            values[field.name] = given[field.name]
    return config(**values)


def _export(model: str, config: ExportConfig, out: Path) -> None:
    export(out, config)
    typer.echo(f"OpenRLHF folder: {out} (its README.md says how to run it)")


_trainer("sft", SFTConfig, sft)
_trainer("expert-iteration", ExpertIterationConfig, expert_iteration)
_trainer("ppo", PPOConfig, ppo)
_trainer("dpo", DPOConfig, dpo)
_trainer("reward-model", RewardModelConfig, reward_model)
_command(
    "openrlhf-export",
    ExportConfig,
    _export,
    "A folder that trains with OpenRLHF: prompts, agent, reward function, launch scripts.",
)
