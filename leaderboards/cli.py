"""`reason-board`: the console entry point; the commands are in `leaderboards.commands`."""

from __future__ import annotations

import os
import sys

from reason_env.errors import MissingExtra, require


def main() -> None:
    """Run the command line; a user's mistake ends in one line and exit code 2, a refused bundle
    in exit code 1.

    With REASON_DEBUG=1 in the environment mistakes keep their traceback.
    """
    try:
        for package in ("typer", "rich", "jinja2"):
            require(package, "bench")
        from leaderboards.commands import app

        app()
    except (ValueError, OSError, MissingExtra) as error:
        if os.environ.get("REASON_DEBUG"):
            raise
        # Plain print: rich may be what is missing, and messages quote paths as they are.
        print(f"error: {error}", file=sys.stderr)
        sys.exit(2)


if __name__ == "__main__":
    main()
