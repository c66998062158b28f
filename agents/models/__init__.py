"""Language models behind one small protocol."""

from __future__ import annotations

from agents.models.base import LanguageModel


def load_model(path: str) -> LanguageModel:
    """The model in a checkpoint folder, or of a hub id.

    Raises:
        MissingExtra: torch or transformers is not installed (extra `train`).
        FileNotFoundError, ValueError: see `agents.models.hf.HFModel.load`.
    """
    from reason_env.errors import require

    require("torch", "train")
    require("transformers", "train")
    from agents.models.hf import HFModel

    return HFModel.load(path)
