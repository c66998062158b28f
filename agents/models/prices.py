"""What a server's tokens cost, from a table that says since when and where from.

A table is a JSON file (`prices.json` is the one that comes along):

    {"currency": "USD", "unit": "per million tokens", "prices": [
      {"model": "gpt-4.1-mini", "host": "api.openai.com", "prompt": 0.4, "completion": 1.6,
       "date": "2026-05-07", "source": "https://..."}]}

`host` may be left out: the price then holds wherever the model is. A model that is not in the table
has no known cost, which is not a cost of 0. Discounts, as for prompts that the server has read
before, are not known either: a cost is what the list price comes to.
"""

from __future__ import annotations

import json
import math
from dataclasses import asdict, dataclass, fields
from importlib.resources import files
from pathlib import Path
from typing import Any

UNIT = "per million tokens"


@dataclass(frozen=True, slots=True)
class Price:
    """A row of the table.

    Attributes:
        model: name, as requests name it.
        prompt, completion: `currency` per million tokens read, and generated.
        currency: `USD`.
        date: when the source said so, YYYY-MM-DD.
        source: where it is said.
        host: of the server; empty: any.
    """

    model: str
    prompt: float
    completion: float
    currency: str
    date: str
    source: str
    host: str = ""

    def cost(self, prompt_tokens: int, completion_tokens: int) -> float:
        """In `currency`."""
        return (self.prompt * prompt_tokens + self.completion * completion_tokens) / 1e6

    def to_json(self) -> dict[str, Any]:
        return {**asdict(self), "unit": UNIT}


def load_prices(path: str | None = None) -> tuple[Price, ...]:
    """Read a table.

    Args:
        path: of a JSON file; None: the table that comes along.

    Raises:
        OSError: no such file.
        ValueError: not a table; says where and why.
    """
    if path is None:
        text = (files("agents.models") / "prices.json").read_text(encoding="utf-8")
    else:
        text = Path(path).read_text(encoding="utf-8")
    try:
        return _rows(json.loads(text))
    except ValueError as error:
        raise ValueError(f"{path or 'prices.json'} is no price table: {error}") from error


def find_price(prices: tuple[Price, ...], model: str, host: str) -> Price | None:
    """The row of a model, that of the host before one for any; None: its price is not known."""
    rows = [row for row in prices if row.model == model and row.host in ("", host)]
    return max(rows, key=lambda row: bool(row.host), default=None)


def _rows(table: Any) -> tuple[Price, ...]:
    if not isinstance(table, dict) or not isinstance(table.get("prices"), list):
        raise ValueError('expected {"currency": ..., "unit": ..., "prices": [...]}')
    if table.get("unit") != UNIT:
        raise ValueError(f"the unit must be {UNIT!r}, received {table.get('unit')!r}")
    wanted = [field.name for field in fields(Price)]
    rows = []
    for number, row in enumerate(table["prices"], 1):
        if not isinstance(row, dict):
            raise ValueError(f"row {number} is no object")
        whole = {"currency": table.get("currency"), "host": "", **row}
        if set(whole) != set(wanted):
            odd = sorted(set(whole) ^ set(wanted))
            raise ValueError(f"row {number} needs {', '.join(wanted)}; look at {', '.join(odd)}")
        for name, value in whole.items():
            if name in ("prompt", "completion"):
                number_like = isinstance(value, int | float) and not isinstance(value, bool)
                if not number_like or not 0 <= value < math.inf:
                    raise ValueError(f"row {number}: {name} must be 0 or more, received {value!r}")
            elif not isinstance(value, str):
                raise ValueError(f"row {number}: {name} must be text, received {value!r}")
        rows.append(Price(**whole))
    return tuple(rows)
