"""What a server has and can do, found out at the start: a setting that it does not take is one
clear error then, and not one of every episode's."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import replace
from typing import Any

from agents.models.server_answers import Answer, Interface
from agents.models.server_client import Client, Junk, NotServed, Refused, ServerError
from agents.models.server_requests import Dialect, request_body

_TEXT = "1 + 1 ="
_INTERFACES: tuple[Interface, ...] = ("completions", "chat")


def only_model(client: Client) -> str:
    """The one model that the server lists.

    Raises:
        ServerError: it lists none, or several.
    """
    names = _models(client)
    if len(names) == 1:
        return names[0]
    url = client.address.shown
    raise ServerError(
        f"{url} lists {len(names)} models ({', '.join(names) or 'none'}): name one, as in "
        f"{url}#{names[0] if names else 'NAME'}"
    )


def find_dialect(
    client: Client, name: str, wanted: str, count: Callable[[Any, Interface], Answer]
) -> Dialect:
    """How a model has to be asked, by requests of one token.

    Args:
        name: of the model.
        wanted: `completions`, `chat`, or `auto`: the first of them that is served.
        count: checks and counts an answer.

    Raises:
        ServerError: the model is not served in any way that was allowed.
    """

    async def probe(dialect: Dialect) -> Dialect:
        body = request_body(dialect, name, _TEXT, max_tokens=1, temperature=1.0, seed=0)
        try:
            answer = await client.ask(
                dialect.interface, body, lambda value: count(value, dialect.interface)
            )
        except Refused as refusal:
            other = dialect.without(refusal)
            if other is None:
                raise
            return await probe(other)
        return replace(dialect, logprobs=dialect.logprobs and bool(answer.pieces))

    faults: list[str] = []
    for interface in _INTERFACES:
        if wanted in ("auto", interface):
            try:
                [dialect] = client.all(probe, [Dialect(interface)])
                return dialect
            except (Refused, NotServed) as fault:
                faults.append(f"{interface}: {fault}")
    raise ServerError(
        f"{client.address.shown} does not serve the model {name!r}{_others(client, name)}. "
        f"{'; '.join(faults)}"
    )


def _others(client: Client, name: str) -> str:
    """What the server has instead, if the model is not among it."""
    try:
        names = _models(client)
    except (ServerError, Refused):
        return ""
    return f" (it lists {', '.join(names)})" if names and name not in names else ""


def _models(client: Client) -> list[str]:
    """Names of the models that the server lists."""

    def read(value: Any) -> list[str]:
        rows = value.get("data") if isinstance(value, dict) else None
        if not isinstance(rows, list):
            raise Junk(f"no list of models: {value!r:.80}")
        names = [row.get("id") for row in rows if isinstance(row, dict)]
        return [name for name in names if isinstance(name, str)][:20]

    async def ask(path: str) -> list[str]:
        return await client.ask(path, {}, read)

    [names] = client.all(ask, ["models"])
    return names
