"""A folder that trains with OpenRLHF 0.11.2: prompts, agent, reward function and launch scripts."""

from __future__ import annotations

import json
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

import reason_env
from agents.integrations.openrlhf.launch import (
    PLAIN_TRAINER,
    STEP_REWARD_TRAINER,
    launch_script,
    multinode_script,
    train_script,
)
from agents.integrations.openrlhf.prompts import Row, problems, write_rows
from agents.learning.config import check_config
from agents.learning.specs import EnvSpec
from reason_env.errors import choose
from reason_env.rewards import PRESETS

VERSION = "0.11.2"
"""Of OpenRLHF: its option names and the methods that step rewards build on."""
GROUPED = ("rloo", "reinforce_baseline", "group_norm", "dr_grpo")
"""Estimators that compare the samples of one prompt."""
ESTIMATORS = ("gae", "reinforce", *GROUPED, "flash_reinforce")


@dataclass(frozen=True, slots=True)
class ExportConfig:
    """What `reason-train openrlhf-export` takes."""

    envs: tuple[EnvSpec, ...] = field(metadata={"help": "environments, in equal shares"})
    model: str = field(metadata={"help": "model folder or hub id"})
    prompts: int = field(default=4096, metadata={"help": "different train problems"})
    evals: int = field(default=256, metadata={"help": "different dev problems to evaluate on"})
    reward: str = field(default="process", metadata={"help": "preset: outcome, process, shaped"})
    step_rewards: bool = field(
        default=True, metadata={"help": "rewards on the lines that earned them, not at the end"}
    )
    single_turn: bool = field(
        default=False, metadata={"help": "whole texts without feedback (reward.py, no agent.py)"}
    )
    chat: bool = field(default=False, metadata={"help": "use the model's chat template"})
    line_tokens: int = field(default=32, metadata={"help": "most tokens of a line"})
    max_len: int | None = field(
        default=None, metadata={"help": "most tokens of an episode; by default as it may need"}
    )
    estimator: str = field(
        default="reinforce_baseline", metadata={"help": f"advantages: {', '.join(ESTIMATORS)}"}
    )
    samples: int = field(default=8, metadata={"help": "episodes per prompt"})
    rollout_batch: int = field(default=128, metadata={"help": "prompts per rollout"})
    train_batch: int | None = field(
        default=None, metadata={"help": "episodes per gradient step; by default the rollout"}
    )
    micro_batch: int = field(default=8, metadata={"help": "episodes per GPU at a time"})
    epochs: int = field(default=1, metadata={"help": "passes over the prompts"})
    temperature: float = field(default=1.0, metadata={"help": "of sampling"})
    gamma: float = field(default=1.0, metadata={"help": "discount per token", "most": 1})
    lam: float = field(default=1.0, metadata={"help": "lambda of GAE", "most": 1})
    kl: float = field(default=1e-3, metadata={"help": "weight of the KL to the first model"})
    kl_loss: bool = field(default=False, metadata={"help": "KL in the loss, not in the reward"})
    lr: float = field(default=1e-6, metadata={"help": "learning rate"})
    critic_lr: float = field(default=9e-6, metadata={"help": "learning rate of GAE's critic"})
    gpus: int = field(default=8, metadata={"help": "GPUs per machine"})
    nodes: int = field(default=1, metadata={"help": "machines"})
    zero_stage: int = field(default=2, metadata={"help": "DeepSpeed's ZeRO stage: 1, 2, 3"})
    attention: str = field(
        default="flash_attention_2", metadata={"help": "attention of transformers"}
    )
    vllm_memory: float = field(default=0.5, metadata={"help": "share of a GPU's memory for vLLM"})
    eval_steps: int = field(default=10, metadata={"help": "gradient rounds between evaluations"})
    eval_samples: int = field(default=4, metadata={"help": "episodes per problem evaluated"})
    save_steps: int = field(default=20, metadata={"help": "gradient rounds between checkpoints"})
    seed: int = field(default=0, metadata={"help": "of problems and samples", "least": 0})


def export(folder: Path, config: ExportConfig) -> None:
    """Write `prompts.jsonl`, `eval.jsonl`, `agent.py`, `reward.py`, the scripts and a README.

    The same configuration gives the same bytes. Nothing of OpenRLHF need be installed here.

    Raises:
        FileExistsError: the folder is not empty.
        ValueError: a setting that OpenRLHF would refuse, or an environment with too few problems.
    """
    _check(config)
    if folder.exists() and (not folder.is_dir() or any(folder.iterdir())):
        raise FileExistsError(f"{folder} is not empty; choose another folder")
    model = _absolute(config.model)
    limit = None if config.single_turn else config.line_tokens
    rows = problems(config.envs, config.prompts, config.seed, "train", config.reward, limit)
    # Paid by the outcome alone, so that the trainer's pass rates are shares of solved problems.
    evals = problems(config.envs, config.evals, config.seed, "dev", "outcome", limit)
    max_len = config.max_len or _longest(config, model)
    _check_prompts([*rows, *evals], max_len)
    texts = {
        "agent.py": _AGENT,
        "reward.py": _REWARD,
        "launch.sh": launch_script(config, model, max_len),
        "train.sh": train_script(config),
        "train_multinode.sh": multinode_script(config),
        "requirements.txt": _requirements(),
        "README.md": _readme(config, model, max_len),
        "export.json": json.dumps(_manifest(config), indent=1, sort_keys=True) + "\n",
    }
    folder.mkdir(parents=True, exist_ok=True)
    write_rows(rows, folder / "prompts.jsonl")
    write_rows(evals, folder / "eval.jsonl")
    for name, text in texts.items():
        (folder / name).write_text(text, encoding="utf-8")
        if name.endswith(".sh"):
            (folder / name).chmod(0o755)


def _check(config: ExportConfig) -> None:
    check_config(config)
    choose(config.estimator, ESTIMATORS, "estimator")
    choose(config.reward, PRESETS, "reward preset")
    choose(config.zero_stage, (1, 2, 3), "zero_stage")
    if config.estimator in GROUPED and config.samples < 2:
        raise ValueError(
            f"{config.estimator} compares the samples of one prompt and needs 2 or more, "
            f"received samples={config.samples}; flash_reinforce, reinforce and gae need one"
        )
    if config.single_turn and config.step_rewards:
        raise ValueError(
            "single_turn has one reward per text: set step_rewards to false, or leave single_turn"
        )
    if not 0 < config.vllm_memory < 1:
        raise ValueError(f"vllm_memory must be between 0 and 1, received {config.vllm_memory}")
    per_rollout = config.rollout_batch * config.samples
    at_once = config.micro_batch * config.gpus * config.nodes
    for name, size in (
        ("rollout_batch * samples", per_rollout),
        ("train_batch", config.train_batch or per_rollout),
    ):
        if size % at_once:
            raise ValueError(
                f"{name} must be a multiple of micro_batch * gpus * nodes = {at_once}, "
                f"received {size}"
            )
    if config.train_batch and per_rollout % config.train_batch:
        raise ValueError(
            f"rollout_batch * samples = {per_rollout} must be a multiple of train_batch, received "
            f"{config.train_batch}"
        )


def _absolute(model: str) -> str:
    """A model's folder by its full path (the scripts run elsewhere); a hub id as it is."""
    return str(Path(model).resolve()) if Path(model).is_dir() else model


def _longest(config: ExportConfig, model: str) -> int:
    """Tokens that an episode may need, in our tokenizer, as far as the model's context goes."""
    needs = []
    for spec in config.envs:
        env = spec.make()
        room = env.task.room
        prompt = room.verbose if env.prompt_style == "verbose" else room.compact
        replies = env.feedback != "none" or env.on_invalid == "feedback"
        feedback = env.max_steps * room.feedback if replies and not config.single_turn else 0
        needs.append(1 + prompt + env.max_tokens + feedback)
    shape = Path(model) / "config.json"
    if shape.is_file():
        context = json.loads(shape.read_text(encoding="utf-8")).get("max_position_embeddings")
        return min(max(needs), context or max(needs))
    return max(needs)


def _check_prompts(rows: list[Row], max_len: int) -> None:
    """That the longest prompt leaves room for a line (by our tokenizer, `<bos>` included)."""
    tokenizer = rows[0].label.start().tokenizer
    longest = max(len(tokenizer.encode(row.prompt)) + 1 for row in rows)
    if longest >= max_len:
        raise ValueError(
            f"The longest prompt takes {longest} tokens and leaves none of max_len={max_len} for "
            "a line: raise max_len (the model's context is its limit), or take an easier level"
        )


def _manifest(config: ExportConfig) -> dict[str, Any]:
    values = {**asdict(config), "envs": [str(spec) for spec in config.envs]}
    return {"config": values, "openrlhf": VERSION, "reason-env": reason_env.__version__}


def _requirements() -> str:
    return (
        f"reason-env[train,openrlhf]=={reason_env.__version__}\n"
        f"openrlhf[vllm]=={VERSION}\n"
        "# flash-attn builds against the torch that is installed:\n"
        "#   pip install torch, then pip install --no-build-isolation flash-attn==2.8.3\n"
    )


_AGENT = '''\
"""OpenRLHF's agent: one line of an environment per generation (--train.agent_func_path)."""

from agents.integrations.openrlhf.agent import AgentExecutor, AgentInstance

__all__ = ["AgentExecutor", "AgentInstance"]
'''
_REWARD = '''\
"""OpenRLHF's reward function for whole texts (--reward.remote_url)."""

from agents.integrations.openrlhf.reward import reward_func

__all__ = ["reward_func"]
'''


def _readme(config: ExportConfig, model: str, max_len: int) -> str:
    envs = "\n".join(f"- `{spec}`" for spec in config.envs)
    where = "on the tokens that end their lines" if config.step_rewards else "summed at the end"
    trainer = STEP_REWARD_TRAINER if config.step_rewards else PLAIN_TRAINER
    machines = max(2, config.nodes)
    agent = "`reward.py` (whole texts)" if config.single_turn else "`agent.py` (line by line)"
    return f"""\
# Training with OpenRLHF {VERSION}

`{model}` learns with `{config.estimator}` on

{envs}

through {agent}; reward preset `{config.reward}`, {where}.
Written by `reason-train openrlhf-export`; `export.json` has the settings.

## Run

On a machine with {config.gpus} GPUs (Python 3.11 or 3.12):

    pip install -r requirements.txt
    bash train.sh

(Where no index has that version of reason-env, install it from its repository first.) On several
machines, with this folder and the model at the same path on each:

    HEAD_ADDRESS=10.0.0.1 NUM_NODES={machines} NODE_RANK=0 bash train_multinode.sh
    HEAD_ADDRESS=10.0.0.1 NUM_NODES={machines} NODE_RANK=1 bash train_multinode.sh

Both take further options of OpenRLHF (`bash train.sh --actor.adam.lr 5e-7`), and the variables
`MODEL`, `OUT` (default `out/` here), `GPUS_PER_NODE`; the second also `RAY_PORT` and
`JOIN_SECONDS`. The same command again goes on from the last checkpoint in `out/`.

## Files

- `prompts.jsonl`: {config.prompts} train problems; `eval.jsonl`: {config.evals} dev problems; no
  two of equal content. The label says which episode it is (id, arguments, seed), never the
  solution. Dev problems are paid by the outcome alone: `eval_*_pass1` is the share solved.
- `agent.py`, `reward.py`: what OpenRLHF loads; they import reason-env, which every machine needs.
- `launch.sh`: `python -m {trainer}` with all
  options; an episode takes at most {max_len} tokens.
"""
