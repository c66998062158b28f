"""`reason-train`: the console entry point; the commands are in `agents.commands`."""

from __future__ import annotations

from reason_env.console import run_app


def main() -> None:
    """Run the command line (see `run_app`)."""
    needed = ("typer", "rich", "torch", "transformers", "tensorboard")
    run_app("agents.commands:app", needed, "train")


if __name__ == "__main__":
    main()
