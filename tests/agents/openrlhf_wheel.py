"""OpenRLHF's own code, to compare ours with: its wheel lies in a folder of its own (see the
Makefile), without what it depends on."""

from __future__ import annotations

import importlib
import sys
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock, patch

import pytest

ROOT = Path(sys.prefix) / "openrlhf"
# What its modules import and a machine without GPUs lacks: none of it runs in what is compared.
_TRAINER = "openrlhf.trainer.ray"
_STUBS = ("deepspeed", "ray", "vllm", f"{_TRAINER}.launcher", f"{_TRAINER}.vllm_engine")


def openrlhf_module(name: str) -> ModuleType:
    """The wheel's module of that name, `openrlhf.models.loss`, without running the packages'
    `__init__` files, which import what only a training machine has."""
    if not ROOT.is_dir():
        pytest.skip(f"OpenRLHF's wheel is not in {ROOT}: `make test` puts it there")
    for file in sorted((ROOT / "openrlhf").rglob("__init__.py")):
        package = ".".join(file.parent.relative_to(ROOT).parts)
        if package not in sys.modules:
            module = ModuleType(package)
            module.__path__ = [str(file.parent)]
            sys.modules[package] = module
    for stub in _STUBS:
        sys.modules.setdefault(stub, MagicMock())
    # Importing the compiler alone takes seconds, and warns.
    with patch("torch.compile", lambda function: function):
        return importlib.import_module(name)
