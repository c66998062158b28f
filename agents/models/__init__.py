"""Language models behind one small protocol."""

from __future__ import annotations

from typing import TYPE_CHECKING

from agents.models.base import LanguageModel
from agents.models.server_address import is_server

if TYPE_CHECKING:
    from agents.models.server_config import ServerConfig


def load_model(path: str, server: ServerConfig | None = None) -> LanguageModel:
    """The model in a checkpoint folder, of a hub id, or behind a server's address.

    Args:
        path: folder, hub id, or `http(s)://HOST[:PORT]/v1[#MODEL]`.
        server: how a server is asked; None: as `ServerConfig` has it.

    Raises:
        MissingExtra: torch or transformers is not installed (extra `train`), or openai (extra
            `server`).
        FileNotFoundError, ValueError: see `agents.models.hf.HFModel.load`.
        ServerError: see `agents.models.server.ServerModel`.
    """
    from reason_env.errors import require

    if is_server(path):
        from agents.models.server import ServerModel

        return ServerModel(path, server)
    if server is not None:
        raise ValueError(
            f"Settings of a server are for a model behind one; received the local model {path!r}: "
            "leave them out, or give the address of a server (http://HOST:PORT/v1#MODEL)"
        )
    require("torch", "train")
    require("transformers", "train")
    from agents.models.hf import HFModel

    return HFModel.load(path)
