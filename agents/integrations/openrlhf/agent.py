"""An environment as OpenRLHF's agent: what `--train.agent_func_path` wants, `AgentExecutor`.

One action is one line. The transcript is, token by token, that of our own `rollout`:

- `<bos>` comes first, where the tokenizer has one: OpenRLHF asks for no special tokens, and
  `<bos>` written in a prompt would be five characters to our tokenizer, so the id is put in front.
- A line ends with the newline, which is kept, or with `<eos>`: giving up. Which of them, and not
  the text, decides: a model may spell out `<eos>`. OpenRLHF's own sampling asks for one token at
  least (`min_tokens=1`), before which vLLM neither lets a model give up nor sees the end of an
  empty line: here it is 0.
- A line has as many tokens as the label's `line_tokens`, the episode's budget and `max_len` leave.
  The environment's token budget counts its own tokenizer's tokens: with another tokenizer, it is
  near what the model wrote, not equal to it.
- What the environment says is plain text: it holds no special token, whatever is quoted there.

Each episode has an environment, an engine and sampling parameters of its own, so those that run at
the same time share nothing. Environments run in the engine's event loop: one that takes long over
a step holds the others up.
"""

from __future__ import annotations

import copy
from dataclasses import dataclass
from typing import Any

import torch

from agents.integrations.openrlhf.episode import End, Line, LineEpisode
from agents.integrations.openrlhf.label import Label
from reason_env.errors import require

_agent: Any = require("openrlhf.utils.agent", "openrlhf")


class AgentInstance(_agent.AgentInstanceBase):
    """One episode.

    Under `AgentExecutor` an action is one line, and known by its tokens. Under another executor
    only its text is known: its lines are played in turn, and an unfinished one counts as given up.

    Attributes:
        episode: the environment's side of it, from `reset` on.
        line: the line that was generated last, until it is played.
        rewards: of each action.
    """

    episode: LineEpisode

    def __init__(self) -> None:
        self.line: Line | None = None
        self.rewards: list[float] = []

    async def reset(self, states: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Start the label's episode; the prompt stays as it is.

        Raises:
            ValueError: the prompt is not that of the label's problem.
        """
        self.episode = LineEpisode(Label.parse(states["label"]))
        # A chat template may stand around it, and strip its newline.
        if self.episode.prompt.strip() not in states["observation"]:
            raise ValueError(
                f"The label's problem is {self.episode.prompt!r:.200}, received the prompt "
                f"{states['observation']!r:.200}: export the prompts anew, with this version of "
                "reason-env"
            )
        return {"observation": states["observation"]}

    async def step(self, states: dict[str, Any], **kwargs: Any) -> dict[str, Any]:
        """Play the action; `rewards` is its own reward, `scores` whether the goal is reached."""
        lines = [self.line] if self.line else _lines_of(states["action_text"])
        self.line = None
        earned, feedback = 0.0, ""
        for line in lines:
            if not self.episode.over:
                reward, reply = self.episode.write(line)
                earned += reward
                feedback += reply
        self.rewards.append(earned)
        return {
            "rewards": torch.tensor(earned, dtype=torch.float64),
            "scores": float(self.episode.solved),
            "environment_feedback": feedback,
            "done": self.episode.over,
            "extra_logs": self.episode.logs(),
        }


class AgentExecutor(_agent.MultiTurnAgentExecutor):
    """Plays episodes; built without arguments in each vLLM actor.

    To OpenRLHF's response it adds `step_rewards`: for each line, the index of its last token in
    `observation_tokens`, and its reward (`reward` is still their sum).
    """

    def __init__(self) -> None:
        super().__init__(AgentInstance)

    async def execute(
        self,
        prompt: str,
        label: str,
        sampling_params: Any,
        max_length: int,
        hf_tokenizer: Any,
        llm_engine: Any,
        images: Any = None,
    ) -> dict[str, Any]:
        """Play one episode (see `MultiTurnAgentExecutor.execute`, which runs it).

        Raises:
            ValueError: images, a label that is not ours, or a prompt that leaves no room.
        """
        if images:
            raise ValueError(f"Prompts of reason-env are text, received images: {images!r:.200}")
        instance = self.agent_instance_cls()
        own = copy.copy(self)
        own.agent_instance_cls = lambda: instance
        response = await super(AgentExecutor, own).execute(
            prompt,
            label,
            _line_by_line(sampling_params),
            max_length,
            _PromptTokenizer(hf_tokenizer, max_length),
            _LineEngine(llm_engine, hf_tokenizer, instance),
        )
        ends = [end for _, end in response["action_ranges"]]
        return {
            **response,
            "reward": float(response["reward"]),
            "scores": float(instance.episode.solved),
            "truncated": not instance.episode.terminated,
            "extra_logs": instance.episode.logs(),
            "step_rewards": [[end - 1, r] for end, r in zip(ends, instance.rewards, strict=True)],
        }


@dataclass
class _Completion:
    """The fields of vLLM's completion that OpenRLHF reads."""

    token_ids: list[int]
    text: str
    finish_reason: str
    logprobs: Any


@dataclass
class _Output:
    outputs: list[_Completion]


class _LineEngine:
    """The engine of one episode: whatever it writes is cut to one line."""

    def __init__(self, engine: Any, tokenizer: Any, instance: AgentInstance) -> None:
        self._engine = engine
        self._tokenizer = tokenizer
        self._instance = instance

    async def generate(
        self, prompt_token_ids: list[int], sampling_params: Any, multi_modal_data: Any = None
    ) -> _Output:
        context, limit = sampling_params.max_tokens, self._instance.episode.limit
        sampling_params.max_tokens = min(context, limit)
        output = await self._engine.generate(
            prompt_token_ids, sampling_params, multi_modal_data=multi_modal_data
        )
        written = output.outputs[0]
        tokens = list(written.token_ids)
        size = self._line_end(tokens)
        if size is not None:
            end = End.NEWLINE
        elif written.finish_reason == "stop":
            end = End.EOS
        else:
            end = End.LIMIT if limit <= context else End.CONTEXT
        tokens = tokens[:size]
        # A token of another tokenizer may have more behind its newline: nobody reads that.
        text = written.text.partition("\n")[0]
        self._instance.line = Line(text, len(tokens), end)
        whole = text + "\n" if end is End.NEWLINE else text
        reason = "length" if end in (End.LIMIT, End.CONTEXT) else "stop"
        logprobs = written.logprobs and written.logprobs[: len(tokens)]
        return _Output([_Completion(tokens, whole, reason, logprobs)])

    def _line_end(self, tokens: list[int]) -> int | None:
        """How many tokens the first line has, if it is ended by a newline."""
        for place, token in enumerate(tokens):
            if "\n" in self._tokenizer.decode([token], skip_special_tokens=True):
                return place + 1
        return None


class _PromptTokenizer:
    """The tokenizer of one episode: asked for the prompt first, for feedback from then on."""

    def __init__(self, tokenizer: Any, max_length: int) -> None:
        self._tokenizer = tokenizer
        self._max_length = max_length
        self._prompt = True

    def __getattr__(self, name: str) -> Any:
        return getattr(self._tokenizer, name)

    def __call__(self, *args: Any, **kwargs: Any) -> Any:
        if not self._prompt:
            return self._tokenizer(*args, **{**kwargs, "split_special_tokens": True})
        self._prompt = False
        encoded = self._tokenizer(*args, **kwargs)
        ids, bos = encoded["input_ids"], self._tokenizer.bos_token_id
        if bos is not None and (ids.shape[1] == 0 or int(ids[0, 0]) != bos):
            ids = torch.cat([torch.tensor([[bos]]), ids], dim=1)
        if ids.shape[1] >= self._max_length:
            # OpenRLHF would cut off the beginning of the problem, and go on.
            raise ValueError(
                f"The prompt takes {ids.shape[1]} tokens and leaves none of "
                f"max_len={self._max_length} for a line: raise --data.max_len"
            )
        return {"input_ids": ids}


def _line_by_line(sampling_params: Any) -> Any:
    """A copy that stops at the end of a line."""
    params = copy.deepcopy(sampling_params)
    params.stop = ["\n"]
    params.include_stop_str_in_output = True
    params.skip_special_tokens = True
    params.min_tokens = 0
    # The limit of a line is the label's. (OpenRLHF would keep this many tokens of `max_len` free.)
    params.max_tokens = None
    return params


def _lines_of(text: str) -> list[Line]:
    """The lines of an action of which only the text is known."""
    *ended, rest = text.split("\n")
    lines = [Line(line, 0) for line in ended]
    return lines if ended and not rest else [*lines, Line(rest, 0, End.EOS)]
