"""The commands of `reason-board round`: sealed rounds, whose problems nobody can choose."""

from __future__ import annotations

import datetime
import json
from pathlib import Path
from typing import Annotated

import typer

from benchmarks.suite import load_suite
from leaderboards import rounds
from leaderboards.commitments import run_digest
from leaderboards.rounds import ROUNDS, Round

app = typer.Typer(
    help="Sealed rounds: players are committed to before their problems exist.",
    no_args_is_help=True,
)
Name = Annotated[str, typer.Argument(metavar="ROUND", help="Name of the round.")]
Folder = Annotated[Path, typer.Option("--rounds", help="Folder of the rounds.")]


@app.command()
def new(
    name: Name,
    suite: Annotated[str, typer.Option(help="Suite that is played, on new problems.")],
    key: Annotated[
        Path | None, typer.Option(help="New file for the secret key. [default: ROUND.key]")
    ] = None,
    folder: Folder = ROUNDS,
) -> None:
    """Organiser: open a round. Publish its folder; keep the key secret, and a copy of it."""
    key_file = key or Path(f"{name}.key")
    made = rounds.new_round(name, load_suite(suite), key_file, _today(), folder)
    print(f"Round: {made.folder}\nKey, secret until the end: {key_file}")


@app.command()
def commit(
    name: Name,
    submitter: Annotated[
        str, typer.Option("--name", help="As the bundle will have it (`pack --name`).")
    ],
    run: Annotated[
        Path | None,
        typer.Argument(
            help="Run folder of the player on the round's suite; --limit 1 is enough. What counts "
            "is its weights, strategy, settings and code, not its score."
        ),
    ] = None,
    digest: Annotated[
        str | None, typer.Option(help="In place of RUN: the digest that it gave elsewhere.")
    ] = None,
    folder: Folder = ROUNDS,
) -> None:
    """Submitter: commit to a player, before its problems exist: one more line in the log."""
    if (run is None) == (digest is None):
        raise ValueError("Name the player's run folder or its digest, and not both")
    found = rounds.load_round(name, folder)
    if run is not None:
        digest = run_digest(run, found.suite)
    line = rounds.commit(found, submitter, str(digest), _today())
    print(
        f"Commitment {line.number} of round {name}: {line.digest}\n"
        f"Its problems, once the organiser allows: reason-board round suite {name} "
        f"{line.digest[:16]} OUT.json"
    )


@app.command()
def suite(
    name: Name,
    digest: Annotated[str, typer.Argument(help="Of the player, or how it begins.")],
    out: Annotated[Path, typer.Argument(help="New JSON file, for `reason-bench run OUT`.")],
    key: Annotated[
        Path | None, typer.Option(help="Organiser's key. [default: the published one]")
    ] = None,
    folder: Folder = ROUNDS,
) -> None:
    """Write the suite that a committed player plays: by the organiser, or once the key is out."""
    found = rounds.load_round(name, folder)
    sealed = found.sealed_suite(found.find(digest), None if key is None else rounds.read_key(key))
    with out.open("x", encoding="utf-8") as file:
        file.write(json.dumps(sealed.to_json(), indent=2) + "\n")
    print(f"Suite: {out}")


@app.command()
def reveal(
    name: Name,
    key: Annotated[Path, typer.Option(help="The key's file.")],
    folder: Folder = ROUNDS,
) -> None:
    """Organiser: publish the key. Nobody can commit any more, and anyone can check all seeds."""
    rounds.reveal(rounds.load_round(name, folder), rounds.read_key(key), _today())
    _print(rounds.load_round(name, folder))


@app.command("list")
def list_command(folder: Folder = ROUNDS) -> None:
    """Show the rounds, each checked: its log, and its key once that is published."""
    for name in rounds.round_names(folder):
        _print(rounds.load_round(name, folder))


def _print(found: Round) -> None:
    state = f"key published {found.revealed}" if found.key else "key not published yet"
    print(f"{found.name}: {found.suite.name}, opened {found.opened}, {state}")
    for line in found.commitments.lines:
        print(f"  {line.number}. {line.date} {line.digest[:16]} {line.submitter}")


def _today() -> str:
    return datetime.date.today().isoformat()
