"""Where a server is, and which of its models is meant: `http://localhost:8000/v1#NAME`."""

from __future__ import annotations

from dataclasses import dataclass
from urllib.parse import parse_qsl, unquote, urlsplit


@dataclass(frozen=True, slots=True)
class Address:
    """A server's address, taken apart.

    Attributes:
        shown: scheme, host and path: all that may be recorded or printed.
        base: what is connected to, `user:password@` included.
        query: what every request is sent with (`?api-version=...`).
        name: of the model; None: the only one that the server lists.
        secrets: texts that must not be shown.
    """

    shown: str
    base: str
    query: dict[str, str]
    name: str | None
    secrets: tuple[str, ...]

    @classmethod
    def parse(cls, url: str) -> Address:
        """Take a URL apart.

        Raises:
            ValueError: not an address of a server.
        """
        shown, parts = "", urlsplit("")
        try:
            parts = urlsplit(url)
            host = parts.hostname or ""
            port = "" if parts.port is None else f":{parts.port}"
            shown = f"{parts.scheme}://{f'[{host}]' if ':' in host else host}{port}"
        except ValueError:
            host = ""
        if not is_server(url) or not host:
            raise ValueError(
                "Expected the address of a server, http(s)://HOST[:PORT]/v1[#MODEL], received "
                f"{shown or url.rpartition('@')[2].partition('?')[0]!r}"
            )
        path = parts.path.rstrip("/")
        given = parts.netloc.rpartition("@")[0]
        query = dict(parse_qsl(parts.query, keep_blank_values=True))
        secrets = {given, parts.password, unquote(parts.password or ""), *query.values()}
        return cls(
            shown=shown + path,
            base=f"{parts.scheme}://{parts.netloc}{path}",
            query=query,
            name=parts.fragment or None,
            secrets=tuple(sorted((s for s in secrets if s), key=len, reverse=True)),
        )

    @property
    def host(self) -> str:
        """The host's name, without its port."""
        return urlsplit(self.base).hostname or ""


def is_server(model: str) -> bool:
    """Whether a model is named by a server's address, and not by a folder or hub id."""
    return model.lower().startswith(("http://", "https://"))


def shown_address(model: str) -> str:
    """A model as it may be recorded: an address without password and query, anything else as it
    is."""
    if not is_server(model):
        return model
    address = Address.parse(model)
    return address.shown + (f"#{address.name}" if address.name else "")
