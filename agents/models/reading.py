"""Reading prefixes and writing on from them, with keys and values kept so that nothing is read
twice.

A search asks for a line after a prefix, then for the value of that prefix with the line, then for
another line after it: all but the last few tokens were read before. While a `Memory` is open, the
keys and values of every prefix stay, each as what it adds to the prefix before it, so that many
lines after one prefix share what they have in common.
"""

from __future__ import annotations

from collections.abc import Collection, Iterator, Sequence
from dataclasses import dataclass, field
from typing import Any

import torch
from transformers import Cache, DynamicCache
from transformers.cache_utils import DynamicLayer

from reason_env.tokenizer import PAD

_ROOM = 16
"""Columns that a cache grows by."""
_MOST_LONGER = 0.75
"""Up to this share of a batch's rows are read apart, where the others need one token only."""


@dataclass(frozen=True, slots=True, eq=False)
class Passage:
    """Keys and values of some tokens after a parent's.

    Attributes:
        kept: (layers, 2, heads, tokens, head size); keys first.
        length: of the prefix that it ends, `<bos>` included.
    """

    parent: Passage | None
    kept: torch.Tensor
    length: int

    def whole(self) -> torch.Tensor:
        """Keys and values of the prefix from its start, like `kept`."""
        parts = []
        passage: Passage | None = self
        while passage is not None:
            parts.append(passage.kept)
            passage = passage.parent
        return torch.cat(parts[::-1], dim=3)


@dataclass(slots=True)
class Memory:
    """What was read, by prefix.

    Attributes:
        limit: bytes to keep. When they are full everything is forgotten and read again as needed:
            that costs one reading in as many as fit, and no order of use can defeat it.
        ends: tokens that end lines: prefixes are looked for up to these.
    """

    limit: int
    ends: Collection[int]
    passages: dict[tuple[int, ...], Passage] = field(default_factory=dict)
    size: int = 0

    def find(self, row: tuple[int, ...]) -> Passage | None:
        """The longest known prefix of a row, the row itself included."""
        for end in (len(row), len(row) - 1):
            if found := self.passages.get(row[:end]):
                return found
        for place in range(len(row) - 1, 0, -1):
            if row[place] in self.ends:
                for end in (place + 1, place):
                    if found := self.passages.get(row[:end]):
                        return found
        return None

    def keep(self, row: tuple[int, ...], parent: Passage | None, kept: torch.Tensor) -> Passage:
        """Remember a row whose last tokens, after the parent's, have these keys and values."""
        if self.size > self.limit:
            self.passages.clear()
            self.size = 0
        passage = Passage(parent, kept, len(row))
        self.passages[row] = passage
        self.size += kept.numel() * kept.element_size()
        return passage


class _Roomy(DynamicLayer):
    """A cache layer with room to grow into, where a `DynamicLayer` copies itself at each token."""

    _buffer: torch.Tensor
    keys: torch.Tensor
    values: torch.Tensor

    def update(
        self, key_states: torch.Tensor, value_states: torch.Tensor, *args: Any, **kwargs: Any
    ) -> tuple[torch.Tensor, torch.Tensor]:
        if not self.is_initialized:
            self.lazy_initialization(key_states, value_states)
        used, new = self.get_seq_length(), key_states.shape[-2]
        if used == 0 or used + new > self._buffer.shape[-2]:
            rows, heads, _, width = key_states.shape
            buffer = key_states.new_empty(2, rows, heads, used + new + _ROOM, width)
            if used:
                buffer[0, :, :, :used], buffer[1, :, :, :used] = self.keys, self.values
            self._buffer = buffer
        self._buffer[0, :, :, used : used + new] = key_states
        self._buffer[1, :, :, used : used + new] = value_states
        self.keys, self.values = self._buffer[:, :, :, : used + new]
        return self.keys, self.values

    def hold(self, kept: torch.Tensor) -> None:
        """Start from these keys and values, (2, rows, heads, columns, head size)."""
        self.lazy_initialization(kept[0], kept[1])
        self._buffer = kept
        self.keys, self.values = kept

    def select(self, rows: torch.Tensor, first: int) -> None:
        """Keep some rows, and the columns from `first` on."""
        _, _, heads, _, width = self._buffer.shape
        used = self.get_seq_length() - first
        buffer = self._buffer.new_empty(2, len(rows), heads, used + _ROOM, width)
        buffer[:, :, :, :used] = self._buffer[:, rows, :, first : first + used]
        self._buffer = buffer
        self.keys, self.values = buffer[:, :, :, :used]


@dataclass(slots=True)
class Reading:
    """Rows of tokens as a network has read them, to write on from.

    Attributes:
        hidden: last hidden state of each row's last token, (B, H).
        attention: which columns of the cache are a row's own, int64 (B, T).
        lengths: tokens of each row, int64 (B,).
        passages: what is remembered of each row, if anything is.
    """

    network: Any
    cache: Cache
    hidden: torch.Tensor
    attention: torch.Tensor
    lengths: torch.Tensor
    passages: list[Passage | None]

    def select(self, rows: Sequence[int]) -> None:
        """Keep these rows, in this order; a row may be there more than once."""
        if list(rows) == list(range(len(self.lengths))):
            return
        index = torch.tensor(rows)
        self.attention, self.lengths = self.attention[index], self.lengths[index]
        first = int(self.attention.argmax(-1).min())  # columns before it are nobody's any more
        self.attention = self.attention[:, first:]
        for layer in self.cache.layers:
            if isinstance(layer, _Roomy):
                layer.select(index, first)
            else:
                layer.batch_select_indices(index)
                first = 0
        self.hidden = self.hidden[index]
        self.passages = [self.passages[row] for row in rows]

    def write(self, tokens: Sequence[int]) -> None:
        """Add a token to each row."""
        ones = self.attention.new_ones(len(tokens), 1)
        self.attention = torch.cat([self.attention, ones], dim=1)
        out = self.network.model(
            input_ids=torch.tensor(tokens)[:, None],
            attention_mask=self.attention,
            position_ids=self.lengths[:, None],
            past_key_values=self.cache,
            use_cache=True,
        )
        self.lengths = self.lengths + 1
        self.hidden = out.last_hidden_state[:, -1]

    def last(self, rows: Sequence[int], columns: int) -> Iterator[torch.Tensor]:
        """Keys and values of the last columns of some rows, each as in `Passage.kept`."""
        # Of all rows in one copy, which their passages share.
        kept = _stacked(self.cache, columns, torch.tensor(rows))
        return iter(kept.unbind(2))


def read(network: Any, rows: Sequence[tuple[int, ...]], memory: Memory | None = None) -> Reading:
    """Read rows of tokens (`<bos>` included), as far as they are not remembered.

    Args:
        rows: of one token or more each.
    """
    cache = DynamicCache(config=network.config)
    plain = all(type(layer) is DynamicLayer for layer in cache.layers)
    if not plain:
        memory = None  # layers that forget by themselves, as sliding windows do
    found = [memory.find(row) if memory else None for row in rows]
    # The last token is read in any case: its hidden state is what is wanted.
    known = [min(f.length, len(row) - 1) if f else 0 for f, row in zip(found, rows)]
    longer = [row[:-1] for row, n in zip(rows, known) if len(row) > n + 1]
    if memory and 0 < len(longer) < _MOST_LONGER * len(rows):
        # The others would be padded to the length of these: read what is before their last tokens.
        read(network, longer, memory)
        return read(network, rows, memory)
    past, rest = max(known), max(len(row) - n for row, n in zip(rows, known))
    ids = torch.full((len(rows), rest), PAD)
    attention = torch.zeros((len(rows), past + rest), dtype=torch.long)
    for i, (row, n) in enumerate(zip(rows, known)):
        new = row[n:]
        ids[i, rest - len(new) :] = torch.tensor(new)
        attention[i, past - n : past] = 1
        attention[i, past + rest - len(new) :] = 1
    if plain:
        cache = Cache(layers=[_Roomy() for _ in cache.layers])
        if past:
            _recall(cache, found, known, past, rest)
    out = network.model(
        input_ids=ids,
        attention_mask=attention,
        position_ids=(attention.cumsum(-1) - 1).clamp(min=0)[:, past:],
        past_key_values=cache,
        use_cache=True,
    )
    lengths = torch.tensor([len(row) for row in rows])
    reading = Reading(network, cache, out.last_hidden_state[:, -1], attention, lengths, found)
    if memory:
        added = _stacked(cache, rest)
        for i, (row, passage) in enumerate(zip(rows, found)):
            unknown = len(row) - (passage.length if passage else 0)
            if unknown:
                kept = added[:, :, i, :, rest - unknown :]
                reading.passages[i] = memory.keep(row, passage, kept)
    return reading


def _recall(
    cache: Cache, found: Sequence[Passage | None], known: Sequence[int], past: int, rest: int
) -> None:
    """Fill an empty cache with what is remembered, on the right of `past` columns."""
    first = next(passage for passage in found if passage)
    layers, _, heads, _, width = first.kept.shape
    # Zeros where a row has less: what is masked must still be a number.
    kept = first.kept.new_zeros(layers, 2, len(found), heads, past, width)
    for row, (passage, n) in enumerate(zip(found, known)):
        if passage:
            kept[:, :, row, :, past - n :] = passage.whole()[:, :, :, :n]
    for layer, own in zip(cache.layers, kept):
        assert isinstance(layer, _Roomy)
        layer.hold(own)


def _stacked(cache: Cache, columns: int, rows: torch.Tensor | None = None) -> torch.Tensor:
    """The last columns of all layers: (layers, 2, rows, heads, columns, head size)."""
    parts = []
    for layer in cache.layers:
        for kept in (layer.keys, layer.values):
            assert kept is not None
            end = kept[:, :, kept.shape[2] - columns :]
            parts.append(end if rows is None else end[rows])
    return torch.stack(parts).unflatten(0, (-1, 2))
