"""`reason-board`: the console entry point; the commands are in `leaderboards.commands`."""

from __future__ import annotations

from reason_env.console import run_app


def main() -> None:
    """Run the command line (see `run_app`); a refused bundle ends in exit code 1."""
    run_app("leaderboards.commands:app", ("typer", "rich", "jinja2"), "bench")


if __name__ == "__main__":
    main()
