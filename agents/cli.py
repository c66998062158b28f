"""`reason-train`: the console entry point; the commands are in `agents.commands`."""

from __future__ import annotations

import os
import sys

from reason_env.errors import MissingExtra, require


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit code 2.

    With REASON_DEBUG=1 in the environment mistakes keep their traceback.
    """
    try:
        for package in ("typer", "rich", "torch", "transformers", "tensorboard"):
            require(package, "train")
        from agents.commands import app

        app()
    except (ValueError, OSError, MissingExtra) as error:
        if os.environ.get("REASON_DEBUG"):
            raise
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
