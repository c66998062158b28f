"""`reason-bench`: the console entry point; the commands are in `benchmarks.commands`."""

from __future__ import annotations

import os
import sys

from reason_env.errors import MissingExtra, require


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit code 2.

    With REASON_DEBUG=1 in the environment mistakes keep their traceback.
    """
    # Agents are found like scripts: from the folder one is in.
    sys.path.insert(0, "")
    try:
        for package in ("typer", "rich"):
            require(package, "bench")
        from benchmarks.commands import app

        app()
    except (ValueError, OSError, MissingExtra) as error:
        if os.environ.get("REASON_DEBUG"):
            raise
        _complain(error)
        sys.exit(2)


def _complain(error: Exception) -> None:
    text = f"error: {error}"
    if isinstance(error, MissingExtra):  # rich may be what is missing
        print(text, file=sys.stderr)
        return
    from rich.console import Console
    from rich.text import Text

    Console(stderr=True, soft_wrap=True).print(Text(text, style="red"))


if __name__ == "__main__":
    main()
