"""What the three console commands have in common: mistakes end in one line, not in a traceback."""

from __future__ import annotations

import importlib
import os
import sys
from collections.abc import Sequence

from reason_env.errors import MissingExtra, require


def run_app(app: str, packages: Sequence[str], extra: str) -> None:
    """Run a typer application; a user's mistake ends in one line and exit code 2.

    With REASON_DEBUG=1 in the environment mistakes keep their traceback.

    Args:
        app: `"module:attribute"`, imported once the packages are known to be there.
        packages: what the application needs.
        extra: the extra that brings them.
    """
    # Before torch is loaded: its threads would wait for each other in busy loops, which costs a
    # small model several times its time where other programs run as well.
    os.environ.setdefault("OMP_WAIT_POLICY", "PASSIVE")
    module, _, attribute = app.partition(":")
    try:
        for package in packages:
            require(package, extra)
        getattr(importlib.import_module(module), attribute)()
    except (ValueError, OSError, MissingExtra) as error:
        if os.environ.get("REASON_DEBUG"):
            raise
        # Plain print: rich may be what is missing, and messages quote paths as they are.
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)
