"""Bridge to TRL's `GRPOTrainer`: prompts, reward functions and, if wanted, multi-turn rollouts.

    from trl import GRPOConfig, GRPOTrainer

    tokenizer = bos_tokenizer()
    trainer = GRPOTrainer(
        model="runs/clone/model",
        args=GRPOConfig("runs/grpo", max_completion_length=64, bf16=False),
        train_dataset=prompt_dataset(["Countdown-v0:level=1"], 1000, seed=0),
        reward_funcs=reward_function("process", eos=tokenizer.eos_token_id),
        processing_class=tokenizer,
    )

By itself TRL lets a model write its whole text in one go. It is judged as at episode granularity:
line by line until one of them ends the episode; a text that ends before is given up, and what
comes after is ignored (yet trained on: nothing stops the model there but its own `<eos>`). The
model sees no feedback, and environments that give some are refused. With `rollout_function` it
writes line by line as under our own trainers, reads the
feedback, and stops where the episode does:

    rows = prompt_dataset(["Countdown-v0:feedback=state"], 1000, seed=0, feedback=True)
    trainer = GRPOTrainer(..., train_dataset=rows, rollout_func=rollout_function(rows))

Inside this package `import trl` still means TRL itself; none of it is needed here.
"""

from agents.integrations.trl.prompts import prompt_dataset
from agents.integrations.trl.rewards import EnvReward, reward_function, term_functions
from agents.integrations.trl.rollout import EnvRollout, rollout_function
from agents.models.export import bos_tokenizer

__all__ = [
    "EnvReward",
    "EnvRollout",
    "bos_tokenizer",
    "prompt_dataset",
    "reward_function",
    "rollout_function",
    "term_functions",
]
