"""Commands of `reason-bench` about what runs have recorded: merge, schema, log; on the app of
`commands`."""

from __future__ import annotations

import json
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.commands import app, show_run
from benchmarks.records import schema

__all__ = ["app"]


@app.command(name="merge")
def merge_shards(
    shards: Annotated[list[Path], typer.Argument(help="Run folders of all shards.")],
    out: Annotated[Path, typer.Option(help="A new run folder.")],
) -> None:
    """Make one run of all shards: the same records as of a run in one go."""
    from benchmarks.merge import merge

    show_run(merge(shards, out))


@app.command(name="schema")
def show_schema(
    name: Annotated[str, typer.Argument(help="run (run.json) or episode (episodes.jsonl).")],
) -> None:
    """The JSON Schema of what runs record."""
    typer.echo(json.dumps(schema(name), indent=2))


log = typer.Typer(help="Look after the records of a run.", no_args_is_help=True)
app.add_typer(log, name="log")


@log.command(name="check")
def check_log(
    run: Annotated[Path, typer.Argument(help="Run folder.")],
    replay: Annotated[
        bool, typer.Option("--replay", help="Play every recorded line again as well.")
    ] = False,
) -> None:
    """Say what is wrong with a run's records; exit code 1 if something is."""
    from benchmarks.log import check

    found = check(run, replay)
    for finding in found:
        typer.echo(str(finding))
    if found:
        raise typer.Exit(1)
    typer.echo(f"{run}: nothing is wrong")


@log.command(name="recover")
def recover_log(run: Annotated[Path, typer.Argument(help="Run folder.")]) -> None:
    """Keep every whole episode of a damaged run; the run command plays the others again."""
    from benchmarks.log import recover

    typer.echo(recover(run))
