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
model sees no feedback, and environments that give some are refused. With `rollout_function` of
`agents.integrations.trl_rollout` it writes line by line as under our own trainers, reads the
feedback, and stops where the episode does:

    rows = prompt_dataset(["Countdown-v0:feedback=state"], 1000, seed=0, feedback=True)
    trainer = GRPOTrainer(..., train_dataset=rows, rollout_func=rollout_function(rows))

Inside this module `import trl` still means TRL itself; none of it is needed here.
"""

from __future__ import annotations

import copy
import json
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from functools import lru_cache
from typing import Any

import gymnasium
from tokenizers.processors import TemplateProcessing

from agents.integrations.problems import distinct_problems
from agents.learning.specs import EnvSpec
from agents.models.export import fast_tokenizer
from reason_env import lines
from reason_env.env import ReasonEnv
from reason_env.errors import choose, require
from reason_env.rewards import RewardConfig, RewardTerms, reward_config
from reason_env.tokenizer import BOS, EOS, SPECIALS, TOKENIZER

PROBLEM = "problem"
"""The column that says which problem a prompt is: JSON of environment id, kwargs and seed."""
WRITTEN = "written_ids"
"""What `rollout_function` adds: the token ids that the agent wrote, without the feedback."""
TERMS = ("outcome", "validity", "shaping")


def bos_tokenizer() -> Any:
    """Our tokenizer for `processing_class=`: as in our own rollouts, `<bos>` precedes a prompt.

    (TRL reads a checkpoint's own tokenizer otherwise, which adds none, and `<bos>` spelled out in
    a prompt is five characters.)
    """
    tokenizer = fast_tokenizer()
    bos = SPECIALS[BOS]
    tokenizer.backend_tokenizer.post_processor = TemplateProcessing(
        single=f"{bos} $A", special_tokens=[(bos, BOS)]
    )
    return tokenizer


# -- Prompts ---------------------------------------------------------------------------------


def prompt_dataset(
    specs: Sequence[EnvSpec | str],
    count: int,
    seed: int,
    split: str = "train",
    feedback: bool = False,
    chat: bool = False,
) -> Any:
    """Problems that differ in content, from the environments in turn.

    Args:
        specs: of step granularity, `EnvSpec` or their text.
        count: problems in all.
        seed: of the draws; the first rows of a longer data set are those of a shorter one.
        split: `train`, or `dev` for `eval_dataset`. (Test problems are for `reason-bench`.)
        feedback: take environments that answer (`feedback=state`, `on_invalid=feedback`): the
            model sees what they say under `rollout_function`, and only there.
        chat: make each prompt a user's message, for models with a chat template.

    Returns:
        A `datasets.Dataset` with `prompt` and `problem`; the solution is in neither.

    Raises:
        ValueError: no problem asked for, a spec that cannot be made or does not suit, or too few
            problems.
        MissingExtra: datasets is not installed.
    """
    if isinstance(count, bool) or not isinstance(count, int) or count < 1:
        raise ValueError(f"count must be a whole number of 1 or more, received {count!r}")
    if isinstance(specs, str | EnvSpec):
        specs = [specs]
    if not specs:
        raise ValueError("Expected one or more environments, received none")
    choose(split, ["train", "dev"], "split of a prompt data set")
    parsed = [EnvSpec.parse(spec) if isinstance(spec, str) else spec for spec in specs]
    for spec in parsed:
        _check_spec(spec, split, feedback)
    rows: dict[str, list[Any]] = {"prompt": [], PROBLEM: []}
    for one in distinct_problems(parsed, count, seed, split, "trl"):
        prompt = [{"role": "user", "content": one.prompt}] if chat else one.prompt
        kwargs = {**dict(one.spec.kwargs), "split": split}
        value = {"env": one.spec.id, "kwargs": kwargs, "seed": one.seed}
        rows["prompt"].append(prompt)
        rows[PROBLEM].append(json.dumps(value, sort_keys=True))
    return require("datasets", "trl").Dataset.from_dict(rows)


def _check_spec(spec: EnvSpec, split: str, feedback: bool) -> None:
    kwargs = dict(spec.kwargs)
    if kwargs.get("split", split) != split:
        raise ValueError(f"Expected {split} problems, received {spec}: leave out its split")
    if "reward" in kwargs:
        raise ValueError(f"The reward is reward_function's: leave it out of {spec}")
    env = spec.make(split=split)
    if not feedback and (env.feedback != "none" or env.on_invalid != "end"):
        raise ValueError(
            f"GRPOTrainer lets a model write in one go, so it would not see the feedback of "
            f"{spec}: leave out its feedback and on_invalid, or give feedback=True and train with "
            "rollout_function"
        )
    try:
        json.dumps(kwargs)
    except (TypeError, ValueError) as error:
        raise ValueError(f"The arguments of {spec} must be JSON values: {error}") from error


@lru_cache(maxsize=1024)
def begun(problem: str, granularity: str, gamma: float) -> ReasonEnv:
    """An environment reset to a problem: to be copied, never to be stepped.

    Args:
        problem: as in that column.
        granularity: `` (lines) or `-Episode`.
        gamma: discount of the shaping.

    Raises:
        ValueError: the problem is not one of ours.
    """
    try:
        value = json.loads(problem)
        name, kwargs, seed = value["env"], json.dumps(value["kwargs"]), int(value["seed"])
    except (TypeError, KeyError, ValueError) as error:
        raise ValueError(
            f"Expected a {PROBLEM!r} made by prompt_dataset, received {problem!r:.200}"
        ) from error
    env = copy.copy(_made(name, kwargs, granularity, gamma))
    env.reset(seed=seed)
    return env


@lru_cache(maxsize=64)
def _made(name: str, kwargs: str, granularity: str, gamma: float) -> ReasonEnv:
    """The environment of an id of step granularity, or the same at another granularity."""
    given = {**json.loads(kwargs), "reward": RewardConfig(gamma=gamma)}
    env = EnvSpec(name, tuple(given.items())).make()
    if granularity:
        family, _, version = name.removeprefix("reason_env/").rpartition("-v")
        other = f"reason_env/{family}{granularity}-v{version}"
        made: Any = gymnasium.make(other, disable_env_checker=True, **given)
        env = made.unwrapped
    return env


# -- Rewards ---------------------------------------------------------------------------------


@dataclass(frozen=True)
class EnvReward:
    """A reward function for `reward_funcs=`; make it with `reward_function`.

    Attributes:
        name: what TRL logs it by.
        weights: of the reward terms.
        eos: token ids that end a completion; None: every completion counts as ended.
    """

    name: str
    weights: RewardConfig
    eos: frozenset[int] | None = None

    @property
    def __name__(self) -> str:
        return self.name

    def __call__(
        self,
        prompts: Sequence[Any],
        completions: Sequence[Any],
        completion_ids: Sequence[Sequence[int]] | None = None,
        **columns: Any,
    ) -> list[float]:
        """The environment's return of each completion.

        Args:
            prompts: texts, or lists of messages.
            completions: likewise; whatever they hold is judged.
            completion_ids: their token ids, by which `eos` tells whether one was cut.
            columns: those of the data set; `problem` is needed.

        Raises:
            ValueError: a problem is not ours, or not that of its prompt.
        """
        if PROBLEM not in columns:
            raise ValueError(
                f"The data set has no column {PROBLEM!r}, only {sorted(columns)}: make it with "
                "prompt_dataset, and leave remove_unused_columns=False"
            )
        texts = [_text_of(completion, ("assistant",)) for completion in completions]
        ended = [True] * len(texts)
        if WRITTEN in columns:
            texts = [TOKENIZER.decode(ids) for ids in columns[WRITTEN]]
            ended = [ids[-1] in (EOS, TOKENIZER.newline) for ids in columns[WRITTEN]]
        elif self.eos is not None and completion_ids is not None:
            ended = [len(ids) > 0 and ids[-1] in self.eos for ids in completion_ids]
        gamma = self.weights.gamma
        for problem, prompt in zip(columns[PROBLEM], prompts, strict=True):
            expected = begun(problem, "-Episode", gamma).episode.text
            shown = _text_of(prompt)
            if expected.strip() not in shown:
                raise ValueError(
                    f"The problem is {expected!r:.200}, received the prompt {shown!r:.200}: make "
                    "the data set anew, with this version of reason-env"
                )
        return [
            self.weights.weigh(_terms(*row, gamma))
            for row in zip(columns[PROBLEM], texts, ended, strict=True)
        ]


def reward_function(
    reward: str | RewardConfig | dict[str, float] = "process",
    eos: int | Collection[int] | None = None,
    name: str | None = None,
) -> EnvReward:
    """What the environment pays for a text.

    A completion that `max_completion_length` cut has an unfinished line. With `eos` it is known
    by its last token, and that line is not verified: `answer: 1`, cut from `answer: 12`, earns
    nothing. Where the environment's own token budget is not spent, the model has given up, as in
    our own rollouts. Without `eos`, the last line counts as ended.

    Args:
        reward: preset (`outcome`, `process`, `shaped`), `RewardConfig`, or its fields as a dict.
        eos: id or ids of the tokens that end a completion: `tokenizer.eos_token_id`, or
            `trainer.eos_token_ids` where the model has several.
        name: in TRL's log; by default `process_reward` and so on, `env_reward` for own weights.

    Raises:
        ValueError: an unknown preset or term, naming the nearest.
    """
    weights = reward_config(reward)
    if name is None:
        name = f"{reward}_reward" if isinstance(reward, str) else "env_reward"
    ids = [eos] if isinstance(eos, int) else eos
    return EnvReward(name, weights, None if ids is None else frozenset(ids))


def term_functions(
    reward: str | RewardConfig | dict[str, float] = "process",
    eos: int | Collection[int] | None = None,
) -> tuple[list[EnvReward], list[float]]:
    """`reward_function` in its parts, each of which TRL then logs.

    Returns:
        The functions `outcome`, `validity` and `shaping`, unweighted, for `reward_funcs=`, and
        their weights for `GRPOConfig(reward_weights=...)`.

    Raises:
        ValueError: an unknown preset or term, naming the nearest.
    """
    weights = reward_config(reward)
    none = dict.fromkeys(TERMS, 0.0)
    functions = [
        reward_function(RewardConfig(**{**none, term: 1.0}, gamma=weights.gamma), eos, term)
        for term in TERMS
    ]
    return functions, [getattr(weights, term) for term in TERMS]


@lru_cache(maxsize=4096)  # `term_functions` ask thrice for every text
def _terms(problem: str, text: str, ended: bool, gamma: float) -> RewardTerms:
    """The episode's reward terms, unweighted."""
    env = copy.copy(begun(problem, "-Episode", gamma))
    if not ended:
        plain = lines.normalise(text).replace(lines.OUTSIDE, "?")
        # A line that spends the budget is cut there, unverified, by the environment itself.
        if len(env.tokenizer.encode(plain)) < env.max_tokens:
            text = text[: text.rfind("\n") + 1]
    _, _, _, _, info = env.step(text)
    return RewardTerms(**info["terms"])


def _text_of(written: Any, roles: Collection[str] = ()) -> str:
    """The text of a prompt or a completion: of a conversation, its messages' contents.

    Args:
        written: text, or list of messages.
        roles: whose messages count; all, if empty.

    Raises:
        TypeError: it is neither.
    """
    if isinstance(written, str):
        return written
    if not isinstance(written, list):
        raise TypeError(f"Expected a text or a list of messages, received {written!r:.200}")
    texts = []
    for message in written:
        content = message.get("content") or ""
        if not isinstance(content, str):  # parts, such as {"type": "text", "text": ...}
            parts = [part.get("text") for part in content if isinstance(part, dict)]
            content = "".join(part for part in parts if isinstance(part, str))
        if not roles or message.get("role", "assistant") in roles:
            texts.append(content)
    return "\n".join(texts)
