"""The commands of `reason-board`: pack a run, verify a bundle, add it, render the board."""

from __future__ import annotations

import json
import sys
from dataclasses import asdict
from pathlib import Path
from typing import Annotated

import typer
from rich.console import Console
from rich.table import Table
from rich.text import Text

from leaderboards import board, bundle, entries, verify
from leaderboards.entries import NotAccepted
from leaderboards.verify import Result

REFUSED = 1
"""Exit code for a bundle that does not pass."""

app = typer.Typer(
    help="Pack runs, verify bundles by replay, and render the leaderboard.",
    no_args_is_help=True,
    add_completion=False,
    pretty_exceptions_enable=False,
)
Entries = Annotated[Path, typer.Option("--entries", help="Folder of the entries.")]


@app.command()
def pack(
    run: Annotated[Path, typer.Argument(help="A finished run folder of `reason-bench run`.")],
    out: Annotated[Path, typer.Argument(help="NAME.tar.gz, or a new directory.")],
    name: Annotated[str, typer.Option(help="Who submits it; shown on the board.")],
    link: Annotated[str, typer.Option(help="An https address, or empty.")] = "",
    notes: Annotated[str, typer.Option(help="How to repeat the run.")] = "",
) -> None:
    """Make a bundle of a finished run, without machine paths."""
    print(f"Packed: {bundle.pack(run, out, bundle.Submitter(name, link, notes))}")


@app.command("verify")
def verify_command(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory or .tar.gz.")],
    as_json: Annotated[bool, typer.Option("--json", help="The result as JSON.")] = False,
) -> None:
    """Replay every recorded action and recompute the score; exit code 1 if refused."""
    result = verify.verify(path)
    if as_json:
        print(json.dumps({"accepted": result.accepted, **asdict(result)}, indent=2))
    else:
        show(result)
    if not result.accepted:
        raise typer.Exit(REFUSED)


@app.command()
def add(
    path: Annotated[Path, typer.Argument(metavar="BUNDLE", help="Directory or .tar.gz.")],
    folder: Entries = entries.ENTRIES,
    partial: Annotated[
        bool, typer.Option("--partial", help="Accept a run of part of a suite too.")
    ] = False,
) -> None:
    """Verify a bundle and add it to the entries; nothing is overwritten."""
    try:
        print(f"Added: {entries.add_entry(path, folder, partial=partial)}")
    except NotAccepted as error:
        show(error.result)
        print(f"Not added: {error}", file=sys.stderr)
        raise typer.Exit(REFUSED) from None


@app.command()
def render(
    out: Annotated[Path, typer.Argument(help="Folder for the pages.")] = Path("build/board"),
    folder: Entries = entries.ENTRIES,
) -> None:
    """Verify all entries again and write the board as static pages."""
    print(f"Board: {board.render(folder, out)}")


def show(result: Result) -> None:
    """Print a result for people. What a bundle says goes through `Text`: no markup."""
    if result.score is not None:
        score, accuracy = result.score, result.score.accuracy
        table = Table(show_header=False, box=None)
        for key, value in {
            "suite": result.suite,
            "player": " ".join(filter(None, [result.player, result.label])),
            "strategy": result.strategy or "agent",
            "division": result.division,
            "accuracy": f"{accuracy.value:.1%}, 95 % interval {accuracy.low:.1%} to "
            f"{accuracy.high:.1%} ({score.solved} of {score.episodes})",
            "tokens": f"{score.tokens:.0f} per problem, budget {result.budget_tokens or 'none'}",
            "tier": f"{result.tier}: the actions earn this score; who chose them is not proved",
        }.items():
            table.add_row(key, Text(value))
        Console().print(table)
    for note in result.notes:
        print(f"note: {note}")
    for discrepancy in result.discrepancies:
        print(discrepancy)
    print("ACCEPTED" if result.accepted else "REFUSED")
