"""LanguageModel on a Hugging Face causal model, with an optional value head."""

from __future__ import annotations

import hashlib
import json
import math
from collections.abc import Collection, Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import torch
from safetensors.torch import load_file, save_file
from transformers import AutoModelForCausalLM, AutoTokenizer
from transformers.utils import logging as transformers_logging

from agents.models.base import Completion, Tokens
from agents.models.export import bos_tokenizer, fast_tokenizer
from agents.models.lora import add_adapters, has_adapters, merged
from agents.models.reading import Memory, read
from agents.models.sampling import RowSampler
from reason_env.tokenizer import BOS, EOS, PAD, TOKENIZER, Tokenizer

VALUE_HEAD_FILE = "value_head.safetensors"
REWARD_HEAD_FILE = "reward_head.safetensors"
_MEMORY_BYTES = 2**30
_DENSE = 0.75
"""Share of a batch's rows below which those that are over are taken out of it."""


class HFModel:
    """A causal model in its own precision; see `LanguageModel` for the methods.

    Attributes:
        network: the causal model.
        value_head: linear map (hidden size -> 1) on the last hidden state, or None.
        reward_head: the same for process rewards, whose logit it gives, or None.
    """

    has_logprobs = True
    prompt_style: str | None = None

    def __init__(
        self,
        network: Any,
        value_head: torch.nn.Linear | None = None,
        tokenizer: Tokenizer = TOKENIZER,
        max_rows: int = 512,
        reward_head: torch.nn.Linear | None = None,
    ) -> None:
        self.network = network
        self.value_head = value_head
        self.reward_head = reward_head
        self._memory: Memory | None = None
        self._compiled: Any = None
        self.tokenizer = tokenizer
        self.max_rows = max_rows

    @property
    def has_values(self) -> bool:
        return self.value_head is not None

    @contextmanager
    def remembering(self) -> Iterator[None]:
        if self._memory is not None:
            yield  # somebody further out does already
            return
        self._memory = Memory(_MEMORY_BYTES, {self.tokenizer.newline, EOS})
        try:
            yield
        finally:
            self._memory = None

    @property
    def has_rewards(self) -> bool:
        return self.reward_head is not None

    @property
    def heads(self) -> dict[str, torch.nn.Linear]:
        """The heads that it has, by name."""
        heads = {"value_head": self.value_head, "reward_head": self.reward_head}
        return {name: head for name, head in heads.items() if head is not None}

    @property
    def digest(self) -> str:
        """sha256 of all weights, by name, and of the configuration; not of where they lie."""
        config = self.network.config.to_dict()
        for passing in ("_name_or_path", "architectures", "transformers_version", "dtype"):
            config.pop(passing, None)
        sha = hashlib.sha256(json.dumps(config, sort_keys=True, default=str).encode())
        for prefix, module in {"network": self.network, **self.heads}.items():
            for name, tensor in sorted(module.state_dict().items()):
                sha.update(f"{prefix}.{name}".encode())
                sha.update(tensor.detach().cpu().contiguous().view(torch.uint8).numpy().data)
        return sha.hexdigest()

    def parameters(self) -> list[torch.nn.Parameter]:
        """All trainable parameters, the heads' last."""
        heads = [p for head in self.heads.values() for p in head.parameters()]
        return [*(p for p in self.network.parameters() if p.requires_grad), *heads]

    def add_lora(self, rank: int) -> None:
        """Let low-rank adapters learn instead of the network's weights, if it has none."""
        if not has_adapters(self.network):
            add_adapters(self.network, rank)

    def finish_training(self) -> None:
        """Put what adapters have learned into the weights, and drop what was compiled."""
        self._compiled = None
        if has_adapters(self.network):
            self.network = merged(self.network)

    def compile(self) -> None:
        """Compile what training runs (`torch.compile`): the first steps take longer."""
        self._compiled = torch.compile(self.network.model, dynamic=True)

    def add_value_head(self) -> None:
        """Give it a value head that says 0 everywhere, if it has none."""
        self.value_head = self.value_head or self._new_head()

    def add_reward_head(self) -> None:
        """Give it a process reward head that says 1/2 everywhere, if it has none."""
        self.reward_head = self.reward_head or self._new_head()

    def _new_head(self) -> torch.nn.Linear:
        head = torch.nn.Linear(self.network.config.hidden_size, 1)
        torch.nn.init.zeros_(head.weight)
        torch.nn.init.zeros_(head.bias)
        return head

    @torch.no_grad()
    def generate(
        self,
        prefixes: Sequence[Tokens],
        *,
        stop: Collection[int],
        temperature: float,
        max_tokens: Sequence[int],
        seeds: Sequence[int],
        without: Sequence[Sequence[Completion]] | None = None,
    ) -> list[Completion]:
        if without is not None and temperature != 1:
            raise ValueError(f"without= needs temperature 1, received {temperature}")
        if not len(prefixes) == len(max_tokens) == len(seeds):
            raise ValueError(
                "prefixes, max_tokens and seeds must have one entry per row, received "
                f"{len(prefixes)}, {len(max_tokens)} and {len(seeds)}"
            )
        completions: list[Completion] = []
        for start in range(0, len(prefixes), self.max_rows):
            rows = slice(start, start + self.max_rows)
            sampler = RowSampler(seeds[rows], temperature, without and without[rows])
            completions += self._generate(
                prefixes[rows], frozenset(stop), max_tokens[rows], sampler
            )
        return completions

    def _generate(
        self,
        prefixes: Sequence[Tokens],
        stop: frozenset[int],
        max_tokens: Sequence[int],
        sampler: RowSampler,
    ) -> list[Completion]:
        # Samples of one prefix share the work of reading it.
        places: dict[tuple[int, ...], int] = {}
        batch = [places.setdefault((BOS, *prefix), len(places)) for prefix in prefixes]
        starts = list(places)
        reading = read(self.network, starts, self._memory)
        reading.select(batch)
        written: list[list[tuple[int, float, float]]] = [[] for _ in prefixes]
        rows = list(range(len(prefixes)))
        going = set(rows)
        while True:
            scores = self.network.lm_head(reading.hidden).float()
            chosen = sampler.choose(scores, rows, len(written[min(going)]))
            over = []
            for place, (row, said) in enumerate(zip(rows, chosen)):
                if row in going:
                    written[row].append(said)
                    if said[0] in stop or len(written[row]) == max_tokens[row]:
                        going.discard(row)
                        over.append(place)
            if self._memory and over and (columns := len(written[rows[over[0]]]) - 1):
                kept = reading.last(over, columns)
                for place, added in zip(over, kept):
                    line = [token for token, _, _ in written[rows[place]][:-1]]
                    start = starts[batch[rows[place]]]
                    self._memory.keep((*start, *line), reading.passages[place], added)
            if not going:
                break
            tokens = [said[0] for said in chosen]
            if len(going) <= _DENSE * len(rows):
                # Rows that are over would only be dragged along.
                kept_places = [place for place, row in enumerate(rows) if row in going]
                reading.select(kept_places)
                rows = [rows[place] for place in kept_places]
                tokens = [tokens[place] for place in kept_places]
            reading.write(tokens)
        return [
            Completion(
                tuple(token for token, _, _ in row),
                tuple(logprob for _, logprob, _ in row),
                tuple(others for _, _, others in row),
                stopped=row[-1][0] in stop,
            )
            for row in written
        ]

    @torch.no_grad()
    def logprobs(
        self, prefixes: Sequence[Tokens], continuations: Sequence[Tokens]
    ) -> list[tuple[float, ...]]:
        results: list[tuple[float, ...]] = []
        for start in range(0, len(prefixes), self.max_rows):
            heads = prefixes[start : start + self.max_rows]
            tails = continuations[start : start + self.max_rows]
            ids, attention = _left_padded([(BOS, *h, *t) for h, t in zip(heads, tails)])
            hidden = self.hidden(ids, attention)
            longest = max(len(tail) for tail in tails)
            ends = ids[:, ids.shape[1] - longest :]
            scores = self.network.lm_head(hidden[:, -longest - 1 : -1]).float().log_softmax(-1)
            chosen = scores.gather(-1, ends[..., None])[..., 0].tolist()
            results += [tuple(row[len(row) - len(tail) :]) for row, tail in zip(chosen, tails)]
        return results

    @torch.no_grad()
    def values(self, prefixes: Sequence[Tokens]) -> list[float]:
        if self.value_head is None:
            raise ValueError(
                "This model has no value head; train one (reason-train expert-iteration or ppo) "
                "or choose another guide"
            )
        return self._at_ends(prefixes, self.value_head)

    @torch.no_grad()
    def rewards(self, prefixes: Sequence[Tokens]) -> list[float]:
        if self.reward_head is None:
            raise ValueError(
                "This model has no process reward head; train one (reason-train reward-model) or "
                "choose another guide"
            )
        return [1 / (1 + math.exp(-x)) for x in self._at_ends(prefixes, self.reward_head)]

    def _at_ends(self, prefixes: Sequence[Tokens], head: torch.nn.Linear) -> list[float]:
        """What a head says at the end of each prefix."""
        results: list[float] = []
        for start in range(0, len(prefixes), self.max_rows):
            rows = [(BOS, *prefix) for prefix in prefixes[start : start + self.max_rows]]
            ends = read(self.network, rows, self._memory).hidden
            results += head(ends.float())[:, 0].tolist()
        return results

    def hidden(self, ids: torch.Tensor, attention: torch.Tensor) -> torch.Tensor:
        """Last hidden states (B, T, H) of padded ids (B, T), with position ids that count from
        each row's first real token."""
        positions = (attention.cumsum(-1) - 1).clamp(min=0)
        body = self.network.model if self._compiled is None else self._compiled
        out = body(input_ids=ids, attention_mask=attention, position_ids=positions, use_cache=False)
        return out.last_hidden_state

    def save(self, folder: Path) -> None:
        """Write a checkpoint that vLLM, OpenRLHF and `AutoModelForCausalLM` load as it is;
        adapters are merged in it."""
        folder.mkdir(parents=True, exist_ok=True)
        transformers_logging.disable_progress_bar()
        network = merged(self.network) if has_adapters(self.network) else self.network
        network.save_pretrained(folder)
        bos_tokenizer().save_pretrained(folder)
        for name, head in self.heads.items():
            save_file(dict(head.state_dict()), folder / f"{name}.safetensors")

    @classmethod
    def load(cls, path: str) -> HFModel:
        """Load a checkpoint folder or a hub id.

        Raises:
            FileNotFoundError: no such folder, or one that lacks the weights or the tokenizer.
            ValueError: the checkpoint's tokenizer is not this project's.
        """
        folder = Path(path)
        if folder.is_dir():
            for name in ("config.json", "tokenizer.json"):
                if not (folder / name).is_file():
                    raise FileNotFoundError(
                        f"{folder} is not a model with a tokenizer: it has no {name}"
                    )
        elif path.startswith((".", "/", "~")) or path.count("/") != 1:
            raise FileNotFoundError(f"No model folder {path!r} (a hub id has the form owner/name)")
        # Progress bars of their own would break ours.
        transformers_logging.disable_progress_bar()
        tokenizer = AutoTokenizer.from_pretrained(path)
        if tokenizer.get_vocab() != fast_tokenizer().get_vocab():
            raise ValueError(
                f"The tokenizer of {path!r} has {len(tokenizer)} tokens and is not reason-env's; "
                "only checkpoints made by reason-train can be searched so far"
            )
        network = AutoModelForCausalLM.from_pretrained(path, dtype=torch.float32)
        network.eval()
        model = cls(network)
        if (folder / VALUE_HEAD_FILE).is_file():
            model.add_value_head()
            model.heads["value_head"].load_state_dict(load_file(folder / VALUE_HEAD_FILE))
        if (folder / REWARD_HEAD_FILE).is_file():
            model.add_reward_head()
            model.heads["reward_head"].load_state_dict(load_file(folder / REWARD_HEAD_FILE))
        return model


def _left_padded(rows: Sequence[Tokens]) -> tuple[torch.Tensor, torch.Tensor]:
    """Ids and attention mask (1 = real token), int64, both (B, longest row)."""
    longest = max(len(row) for row in rows)
    ids = torch.tensor([[PAD] * (longest - len(row)) + list(row) for row in rows])
    lengths = torch.tensor([len(row) for row in rows])
    attention = (torch.arange(longest) >= longest - lengths[:, None]).long()
    return ids, attention
