"""OpenRLHF's own code, to compare ours with: its wheel lies in a folder of its own (see the
Makefile), without what it depends on."""

from __future__ import annotations

import importlib
import sys
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from types import ModuleType
from unittest.mock import MagicMock, patch

import pytest
from transformers import AutoTokenizer  # noqa: F401 (it would look into the stubs)

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
    # Importing the compiler alone takes seconds, and warns.
    with _stubbed(), patch("torch.compile", lambda function: function):
        return importlib.import_module(name)


@contextmanager
def _stubbed() -> Iterator[None]:
    """While the wheel's modules are imported and no longer: others look whether these exist."""
    lacking = [stub for stub in _STUBS if stub not in sys.modules]
    sys.modules.update({stub: MagicMock() for stub in lacking})
    try:
        yield
    finally:
        for stub in lacking:
            del sys.modules[stub]
