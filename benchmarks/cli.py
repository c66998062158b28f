"""`reason-bench`: the console entry point; the commands are in `benchmarks.commands`."""

from __future__ import annotations

import sys

from reason_env.console import run_app


def main() -> None:
    """Run the command line (see `run_app`)."""
    # Agents are found like scripts: from the folder one is in.
    sys.path.insert(0, "")
    run_app("benchmarks.study_commands:app", ("typer", "rich"), "bench")


if __name__ == "__main__":
    main()
