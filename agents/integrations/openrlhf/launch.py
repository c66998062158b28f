"""The shell scripts of an exported folder, and the options that they give OpenRLHF."""

from __future__ import annotations

import shlex
from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from agents.integrations.openrlhf.export import ExportConfig

STEP_REWARD_TRAINER = "agents.integrations.openrlhf.train"
PLAIN_TRAINER = "openrlhf.cli.train_ppo_ray"


def options(config: ExportConfig, max_len: int) -> list[tuple[str, ...]]:
    """The options of `train_ppo_ray`, each with its values as the shell reads them.

    Args:
        max_len: tokens of prompt, lines and feedback together.
    """
    per_rollout = config.rollout_batch * config.samples
    shape = [
        (f"--{model}.{size}", f'"${name}"')
        for model in ("actor", "ref", "critic")
        for size, name in (("num_nodes", "NUM_NODES"), ("num_gpus_per_node", "GPUS_PER_NODE"))
    ]
    given: list[tuple[object, ...]] = [
        ("--train.batch_size", config.train_batch or per_rollout),
        ("--train.micro_batch_size", config.micro_batch),
        ("--train.num_episodes", config.epochs),
        ("--train.seed", config.seed),
        ("--train.colocate_all",),
        ("--rollout.batch_size", config.rollout_batch),
        ("--rollout.n_samples_per_prompt", config.samples),
        ("--rollout.micro_batch_size", config.micro_batch),
        ("--rollout.temperature", config.temperature),
        ("--data.max_len", max_len),
        ("--data.input_key", "prompt"),
        ("--data.label_key", "label"),
        *([("--data.apply_chat_template",)] if config.chat else []),
        ("--eval.steps", config.eval_steps),
        ("--eval.n_samples_per_prompt", config.eval_samples),
        ("--eval.temperature", config.temperature),
        ("--algo.advantage.estimator", config.estimator),
        ("--algo.advantage.gamma", config.gamma),
        ("--algo.advantage.lambd", config.lam),
        ("--algo.kl.init_coef", config.kl),
        ("--algo.kl.estimator", "k3" if config.kl_loss else "k1"),
        *([("--algo.kl.use_loss",)] if config.kl_loss else []),
        ("--actor.adam.lr", config.lr),
        ("--actor.gradient_checkpointing_enable",),
        ("--critic.adam.lr", config.critic_lr),
        ("--ds.zero_stage", config.zero_stage),
        ("--ds.attn_implementation", config.attention),
        ("--ds.enable_sleep",),
        ("--vllm.tensor_parallel_size", 1),
        ("--vllm.gpu_memory_utilization", config.vllm_memory),
        ("--vllm.enable_prefix_caching",),
        ("--vllm.enable_sleep",),
        ("--ckpt.save_steps", config.save_steps),
        ("--ckpt.load_enable",),
    ]
    agent = (
        ("--reward.remote_url", '"$HERE/reward.py"')
        if config.single_turn
        else ("--train.agent_func_path", '"$HERE/agent.py"')
    )
    return [
        ("--actor.model_name_or_path", '"$MODEL"'),
        agent,
        ("--data.prompt_dataset", '"$HERE/prompts.jsonl"'),
        ("--eval.dataset", '"$HERE/eval.jsonl"'),
        ("--ckpt.output_dir", '"$OUT/model"'),
        ("--ckpt.path", '"$OUT/checkpoints"'),
        ("--logger.tensorboard_dir", '"$OUT/tensorboard"'),
        *shape,
        ("--vllm.num_engines", '"$((NUM_NODES * GPUS_PER_NODE))"'),
        *[tuple(shlex.quote(str(part)) for part in option) for option in given],
    ]


def launch_script(config: ExportConfig, model: str, max_len: int) -> str:
    """`launch.sh`: the training itself, on a Ray cluster that is up."""
    trainer = STEP_REWARD_TRAINER if config.step_rewards else PLAIN_TRAINER
    return f"""\
#!/usr/bin/env bash
# The training itself, on a Ray cluster that is up: train.sh and train_multinode.sh call it.
# Further options of OpenRLHF go on the command line, and win over those below.
set -euo pipefail
HERE="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
MODEL="${{MODEL:-{_in_default(model)}}}"
OUT="${{OUT:-$HERE/out}}"
NUM_NODES="${{NUM_NODES:-{config.nodes}}}"
GPUS_PER_NODE="${{GPUS_PER_NODE:-{config.gpus}}}"
case "$HERE" in
  *[,@]*) echo "OpenRLHF reads , and @ in a data set's path as its own: move $HERE" >&2; exit 2 ;;
esac
export RAY_ADDRESS="${{RAY_ADDRESS:-auto}}"
export TOKENIZERS_PARALLELISM="${{TOKENIZERS_PARALLELISM:-true}}"
python -m {trainer} \\
{_option_lines(options(config, max_len))}
  "$@"
"""


def _option_lines(lines: Iterable[tuple[str, ...]]) -> str:
    return "\n".join(f"  {' '.join(option)} \\" for option in lines)


def _in_default(text: str) -> str:
    r"""Text as it may stand in `"${NAME:-text}"`."""
    for character in '\\"$`}':
        text = text.replace(character, "\\" + character)
    return text


def train_script(config: ExportConfig) -> str:
    """`train.sh`: one machine."""
    return f"""\
#!/usr/bin/env bash
# Train on this machine: bash train.sh [further options of OpenRLHF]
set -euo pipefail
HERE="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
export NUM_NODES=1
export GPUS_PER_NODE="${{GPUS_PER_NODE:-{config.gpus}}}"
ray start --head --num-gpus "$GPUS_PER_NODE" --disable-usage-stats
trap 'ray stop' EXIT
bash "$HERE/launch.sh" "$@"
"""


def multinode_script(config: ExportConfig) -> str:
    """`train_multinode.sh`: the same command on every machine."""
    return f"""\
#!/usr/bin/env bash
# Train on several machines. On each of them, with this folder at the same path:
#   HEAD_ADDRESS=10.0.0.1 NUM_NODES={max(2, config.nodes)} NODE_RANK=0 bash train_multinode.sh
# NODE_RANK 0 is the machine of HEAD_ADDRESS: it waits for the others, and trains. The others
# (1, 2, ...) lend their GPUs until it is done.
set -euo pipefail
HERE="$(cd "$(dirname "${{BASH_SOURCE[0]}}")" && pwd)"
: "${{HEAD_ADDRESS:?the address of the first machine, such as 10.0.0.1}}"
: "${{NODE_RANK:?the number of this machine: 0, 1, ...}}"
: "${{NUM_NODES:?how many machines there are}}"
export NUM_NODES
export GPUS_PER_NODE="${{GPUS_PER_NODE:-{config.gpus}}}"
PORT="${{RAY_PORT:-6379}}"
PATIENCE="${{JOIN_SECONDS:-600}}"

if [ "$NODE_RANK" -eq 0 ]; then
  ray start --head --node-ip-address "$HEAD_ADDRESS" --port "$PORT" \\
    --num-gpus "$GPUS_PER_NODE" --disable-usage-stats
  trap 'ray stop' EXIT
  export RAY_ADDRESS="$HEAD_ADDRESS:$PORT"
  COUNT='import ray; ray.init(logging_level="ERROR", log_to_driver=False)
print(sum(node["Alive"] for node in ray.nodes()))'
  until [ "$(python -c "$COUNT")" -ge "$NUM_NODES" ]; do
    if [ "$SECONDS" -ge "$PATIENCE" ]; then
      echo "Only some of $NUM_NODES machines joined within $PATIENCE seconds" >&2
      exit 1
    fi
    sleep 5
  done
  bash "$HERE/launch.sh" "$@"
else
  until ray start --address "$HEAD_ADDRESS:$PORT" --num-gpus "$GPUS_PER_NODE" \\
    --disable-usage-stats; do
    if [ "$SECONDS" -ge "$PATIENCE" ]; then
      echo "No Ray cluster at $HEAD_ADDRESS:$PORT within $PATIENCE seconds" >&2
      exit 1
    fi
    sleep 5
  done
  trap 'ray stop' EXIT
  while ray status --address "$HEAD_ADDRESS:$PORT" > /dev/null 2>&1; do
    sleep 10
  done
fi
"""
