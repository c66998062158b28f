"""Sealed rounds: seeds that follow from a commitment and a key, for anyone to check."""

from __future__ import annotations

import hashlib
import hmac
import json
import shutil
import stat
import sys
import types
from dataclasses import replace

import pytest
from typer.testing import CliRunner

from agents.agent import RandomLegalAgent
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from benchmarks.runner import run_suite
from benchmarks.suite import Suite, load_suite, resolve
from leaderboards.board import render
from leaderboards.bundle import Submitter, pack
from leaderboards.commands import app
from leaderboards.commitments import one_code, player_digest, run_digest
from leaderboards.entries import NotAccepted, add_entry, load_entries
from leaderboards.generation import Source
from leaderboards.ranking import rank
from leaderboards.regenerate import regenerate
from leaderboards.rounds import (
    commit,
    load_round,
    new_round,
    read_key,
    reveal,
    round_names,
)
from leaderboards.strict import Refused
from leaderboards.submission import check_submission
from leaderboards.verify import verify

DAY = "2026-01-02"


class Board:
    """A folder with a round on smoke, its key, and the ways of those who take part."""

    def __init__(self, folder):
        self.folder = folder
        self.rounds = folder / "rounds"
        self.entries = folder / "entries"
        self.key_file = folder / "spring.key"
        new_round("spring", load_suite("smoke"), self.key_file, DAY, self.rounds)

    @property
    def round(self):
        return load_round("spring", self.rounds)

    @property
    def key(self):
        return read_key(self.key_file)

    def commit(self, run, submitter="Ada"):
        digest = run_digest(run, self.round.suite)
        commit(self.round, submitter, digest, DAY)
        return digest

    def play(self, digest, name="run", submitter="Ada", **player):
        """Run the sealed suite of a commitment and pack it."""
        suite = self.round.sealed_suite(digest, self.key)
        run_suite(suite, self.folder / name, progress=False, **(player or {"agent": "expert"}))
        out = self.folder / f"{name}.tar.gz"
        return pack(self.folder / name, out, Submitter(submitter))

    def reveal(self):
        reveal(self.round, self.key, DAY)

    def verify(self, bundle):
        return verify(bundle, self.rounds)


@pytest.fixture
def board(tmp_path):
    return Board(tmp_path)


def codes(result):
    assert not result.accepted
    return [discrepancy.code for discrepancy in result.discrepancies]


def test_a_round_from_its_beginning_to_the_board(board, runs):
    digest = board.commit(runs["expert"])
    bundle = board.play(digest)
    assert codes(board.verify(bundle)) == ["not-revealed"]

    board.reveal()
    result = board.verify(bundle)
    assert result.accepted
    assert (result.suite, result.round) == ("smoke v1, round spring", "spring")
    assert (result.commitment, result.notes) == (digest, ())
    folder = add_entry(bundle, board.entries)
    (entry,) = load_entries(board.entries)
    assert entry.id == folder.name

    page = render(board.entries, board.folder / "site").read_text()
    for text in (
        board.key.hex(),
        digest[:16],
        f"entries/{entry.id}.html",
        "8 problems of a sealed",
    ):
        assert text in page
    page = (board.folder / "site" / "entries" / f"{entry.id}.html").read_text()
    assert f"spring, player <code>{digest[:16]}</code>" in page


def test_the_seed_is_the_hmac_of_key_digest_and_task(board, runs):
    # Written out, so that whoever checks a round can do it in five lines of any language.
    digest = board.commit(runs["expert"])
    (entry,) = board.round.sealed_suite(digest, board.key).entries
    task = [
        "spring",
        digest,
        "reason_env/Countdown-v0",
        {"level": 1, "split": "test"},
        8,
    ]
    text = json.dumps(task, separators=(",", ":"), sort_keys=True).encode()
    mac = hmac.new(board.key, text, hashlib.sha256).digest()
    assert entry.seed == int.from_bytes(mac[:8], "big") // 2


def test_every_player_and_every_round_has_problems_of_its_own(board, runs):
    expert, random = board.commit(runs["expert"]), board.commit(runs["random"])
    other = new_round("autumn", load_suite("smoke"), board.folder / "a.key", DAY, board.rounds)
    commit(other, "Ada", expert, DAY)
    other = load_round("autumn", board.rounds)
    public = load_suite("smoke")
    suites = [
        public,
        board.round.sealed_suite(expert, board.key),
        board.round.sealed_suite(random, board.key),
        other.sealed_suite(expert, read_key(board.folder / "a.key")),
    ]
    problems = [frozenset(item.problem for item in resolve(suite).items) for suite in suites]
    assert len(set().union(*problems)) >= 30  # of 32: a few easy problems may come twice
    again = resolve(board.round.sealed_suite(expert, board.key))
    assert again.hash == resolve(suites[1]).hash
    for suite in suites[1:]:
        assert Suite.from_json(json.loads(json.dumps(suite.to_json()))) == suite
        assert [e.episodes for e in suite.entries] == [e.episodes for e in public.entries]
        assert suite.budget_tokens == public.budget_tokens


def test_the_digest_is_of_everything_that_decides_what_is_written():
    config = {
        "suite": {},
        "suite_hash": "",
        "limit": None,
        "model_digest": "a",
        "strategy": "greedy",
        "options": {},
        "seed": 0,
    }
    code = {"reason_env": "1", "agents": "2"}
    digest = player_digest(config, {"width": 1}, code)
    # The problems are no part of it: they do not exist yet.
    elsewhere = config | {"suite": {"name": "x"}, "suite_hash": "b", "limit": 1}
    assert player_digest(elsewhere, {"width": 1}, code) == digest
    others = [
        player_digest(config | {"model_digest": "b"}, {"width": 1}, code),
        player_digest(config | {"strategy": "mcts"}, {"width": 1}, code),
        player_digest(config | {"options": {"x": 1}}, {"width": 1}, code),
        player_digest(config | {"options": {"x": True}}, {"width": 1}, code),
        player_digest(config | {"seed": 1}, {"width": 1}, code),
        player_digest(config | {"prompt": "verbose"}, {"width": 1}, code),
        player_digest(config, {"width": 2}, code),
        player_digest(config, {"width": 1}, code | {"agents": "3"}),
        player_digest(config, {"width": 1}, code | {"mine": "1"}),
    ]
    assert len({digest, *others}) == len(others) + 1


def test_a_few_problems_are_enough_to_commit(board, runs):
    run_suite("smoke", board.folder / "few", agent="expert", limit=1, progress=False)
    assert run_digest(board.folder / "few", board.round.suite) == board.commit(runs["expert"])


def test_a_model_in_a_round(board, tmp_path):
    model = tmp_path / "model"
    HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2))).save(model)
    player = {"model": model, "strategy": "mcts", "options": {"simulations": 2}, "seed": 3}
    run_suite("smoke", tmp_path / "few", limit=1, progress=False, **player)
    digest = board.commit(tmp_path / "few")
    bundle = board.play(digest, **player)
    shopped = board.play(digest, "shopped", **player | {"seed": 4})
    board.reveal()
    result = regenerate(bundle, Source(model), sample=None, rounds=board.rounds)
    assert (result.accepted, result.tier, result.commitment) == (True, "rerun", digest)
    assert codes(board.verify(shopped)) == ["not-committed"]


def test_another_player_than_was_committed_to(board, runs):
    digest = board.commit(runs["expert"])
    bundle = board.play(digest, agent="random")
    board.reveal()
    assert codes(board.verify(bundle)) == ["not-committed"]


def test_problems_of_another_commitment(board, runs):
    board.commit(runs["expert"])
    lucky = board.commit(runs["random"])
    bundle = board.play(lucky)  # the expert, on the random agent's problems
    board.reveal()
    assert codes(board.verify(bundle)) == ["wrong-suite"]


def test_a_run_under_other_code(board, runs):
    digest = board.commit(runs["expert"])
    bundle = board.play(digest)
    board.reveal()
    run = board.folder / "run" / "run.json"
    honest = json.loads(run.read_text())
    for number, (change, code) in enumerate(
        [
            ({"environment": honest["environment"] | {"code": {"agents": "0"}}}, "not-committed"),
            ({"environment": honest["environment"] | {"code": None}}, "no-code"),
            ({"environment": honest["environment"] | {"code": {}}}, "no-code"),
            ({"environment": {}}, "no-code"),
            ({"resumed_under": [{"code": {"agents": "0"}}]}, "changed-code"),
            ({"resumed_under": [{}]}, "changed-code"),
        ]
    ):
        run.write_text(json.dumps(honest | change))
        bundle = pack(board.folder / "run", board.folder / f"{number}", Submitter("Ada"))
        assert codes(board.verify(bundle)) == [code]
    with pytest.raises(Refused, match="wrong-type: resumed_under must be a list, received 5"):
        one_code(honest["environment"], 5)
    run.write_text(json.dumps(honest | {"resumed_under": [honest["environment"]]}))
    bundle = pack(board.folder / "run", board.folder / "same", Submitter("Ada"))
    assert board.verify(bundle).accepted


def test_only_who_committed_may_submit(board, runs):
    bundle = board.play(board.commit(runs["expert"]), submitter="Eve")
    board.reveal()
    assert codes(board.verify(bundle)) == ["not-committed"]


def test_tries_are_counted(board, runs):
    digest = board.commit(runs["expert"])
    board.commit(runs["random"])
    board.commit(runs["random"], submitter="Eve")
    bundle = board.play(digest)
    board.reveal()
    assert board.verify(bundle).notes == ("one of 2 players that Ada committed to in this round",)


def test_entries_of_a_round_share_a_table(board, runs):
    bundles = [
        board.play(board.commit(runs[agent], submitter), agent, submitter, agent=agent)
        for agent, submitter in (("expert", "Ada"), ("random", "Eve"))
    ]
    board.reveal()
    for bundle in bundles:
        add_entry(bundle, board.entries)
    entries = load_entries(board.entries)
    assert len({entry.result.suite_hash for entry in entries}) == 2
    (table,) = rank(entries)
    assert [row.entry.result.player for row in table.rows] == ["expert", "random"]


def test_a_commitment_without_an_entry_is_shown(board, runs):
    digest = board.commit(runs["expert"])
    board.commit(runs["expert"], submitter="Eve")
    bundle = board.play(digest)
    board.reveal()
    add_entry(bundle, board.entries)
    page = render(board.entries, board.folder / "site").read_text()
    rows = page.partition('id="rounds"')[2].partition("<tbody")[2].split("<tr")[1:3]
    assert ["Ada" in row for row in rows] == [True, False]
    assert ["entries/" in row for row in rows] == [True, False]
    assert ["none" in row for row in rows] == [False, True]


def test_a_limited_run_of_a_round_is_partial(board, runs):
    digest = board.commit(runs["expert"])
    suite = board.round.sealed_suite(digest, board.key)
    run_suite(suite, board.folder / "few", agent="expert", limit=3, progress=False)
    bundle = pack(board.folder / "few", board.folder / "few.tar.gz", Submitter("Ada"))
    board.reveal()
    assert board.verify(bundle).suite == "smoke v1, round spring, first 3"
    with pytest.raises(NotAccepted, match="Not the whole suite"):
        add_entry(bundle, board.entries)


def test_unknown_round(board, runs, tmp_path):
    bundle = board.play(board.commit(runs["expert"]))
    assert codes(verify(bundle, tmp_path / "none")) == ["unknown-round"]
    assert codes(verify(bundle)) == ["unknown-round"]
    for name in ("../rounds/spring", "", "spring/", "SPRING"):
        assert name not in round_names(board.rounds)


def test_the_key_is_secret_and_unlike_any_other(board):
    assert stat.S_IMODE(board.key_file.stat().st_mode) == 0o600
    assert hashlib.sha256(board.key).hexdigest() == board.round.key_sha256
    assert len(board.key) == 32
    assert board.key.hex() not in (board.rounds / "spring" / "round.json").read_text()
    new_round("autumn", load_suite("smoke"), board.folder / "a.key", DAY, board.rounds)
    assert read_key(board.folder / "a.key") != board.key


def test_another_key_than_the_round_was_opened_with(board, runs):
    digest = board.commit(runs["expert"])
    chosen = bytes(32)
    with pytest.raises(Refused, match="wrong-key"):
        board.round.sealed_suite(digest, chosen)
    with pytest.raises(Refused, match="wrong-key"):
        reveal(board.round, chosen, DAY)
    assert not (board.rounds / "spring" / "key.json").exists()
    # An organiser who writes the file by hand.
    board.reveal()
    path = board.rounds / "spring" / "key.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"key": chosen.hex()}))
    with pytest.raises(Refused, match="wrong-key"):
        board.round  # noqa: B018


def test_nobody_commits_once_the_key_is_out(board, runs):
    board.commit(runs["expert"])
    board.reveal()
    with pytest.raises(Refused, match=r"revealed: .* 2026-01-02"):
        board.commit(runs["random"])
    with pytest.raises(Refused, match="published already"):
        board.reveal()


@pytest.mark.parametrize("change", ["late", "taken out", "replaced"])
def test_commitments_changed_after_the_key_was_out(board, runs, change):
    board.commit(runs["expert"])
    board.commit(runs["random"])
    log = board.rounds / "spring" / "commitments.jsonl"
    before, later = log.read_bytes(), board.folder / "later"
    shutil.copytree(board.rounds, later)
    commit(load_round("spring", later), "Eve", "0" * 64, DAY)
    board.reveal()
    first, second = before.splitlines(keepends=True)
    log.write_bytes(
        {
            "late": (later / "spring" / "commitments.jsonl").read_bytes(),
            "taken out": first,
            "replaced": first + second.replace(b"Ada", b"Eve"),
        }[change]
    )
    with pytest.raises(Refused, match="committed-late"):
        board.round  # noqa: B018


def test_a_changed_commitment_breaks_the_chain(board, runs):
    board.commit(runs["expert"])
    board.commit(runs["random"])
    log = board.rounds / "spring" / "commitments.jsonl"
    log.write_bytes(log.read_bytes().replace(b"Ada", b"Eve", 1))
    with pytest.raises(Refused, match=r"broken-chain: .*commitments.jsonl, line 2"):
        board.round  # noqa: B018


def test_the_same_commitment_twice(board, runs):
    digest = board.commit(runs["expert"])
    with pytest.raises(Refused, match=r"committed-already: .*line 2: the same as in line 1"):
        board.commit(runs["expert"])
    board.commit(runs["expert"], submitter="Eve")  # of a model that both have
    assert [line.submitter for line in board.round.committed(digest)] == ["Ada", "Eve"]


@pytest.mark.parametrize(
    ("submitter", "digest", "code"),
    [
        ("", "0" * 64, "missing-field"),
        ("=1+1", "0" * 64, "unsafe-text"),
        ("a\u202eb", "0" * 64, "unsafe-text"),
        ("Ada", "0" * 63, "wrong-type"),
        ("Ada", "../../x", "wrong-type"),
    ],
)
def test_bad_commitment(board, submitter, digest, code):
    with pytest.raises(Refused, match=code):
        commit(board.round, submitter, digest, DAY)
    assert board.round.commitments.lines == ()


def test_a_run_on_another_suite_is_no_commitment(board, tmp_path):
    easier = replace(load_suite("smoke"), budget_tokens=1024)
    run_suite(easier, tmp_path / "easier", agent="expert", limit=1, progress=False)
    with pytest.raises(ValueError, match=r"a run on 'smoke', but .*--limit 1 is enough"):
        board.commit(tmp_path / "easier")


def test_an_agent_made_by_hand_is_no_commitment(board, tmp_path, monkeypatch):
    module = types.ModuleType("by_hand")
    module.make = RandomLegalAgent
    monkeypatch.setitem(sys.modules, "by_hand", module)
    run_suite("smoke", tmp_path / "run", agent="by_hand:make", limit=1, progress=False)
    with pytest.raises(Refused, match="no-code: by_hand was not loaded from files"):
        board.commit(tmp_path / "run")


@pytest.mark.parametrize("name", ["", "Spring", "a/b", "..", "a b", "a@b", "-a", "x" * 41])
def test_bad_round_name(board, name):
    with pytest.raises(Refused, match="wrong-name"):
        new_round(name, load_suite("smoke"), board.folder / "k", DAY, board.rounds)
    assert not (board.folder / "k").exists()


def test_nothing_is_overwritten(board):
    suite, spare = load_suite("smoke"), board.folder / "k"
    with pytest.raises(FileExistsError, match="choose another name"):
        new_round("spring", suite, spare, DAY, board.rounds)
    assert not spare.exists()
    with pytest.raises(FileExistsError):
        new_round("autumn", suite, board.key_file, DAY, board.rounds)
    assert round_names(board.rounds) == ["spring"]


def test_problems_from_a_list_cannot_be_sealed(board):
    with pytest.raises(Refused, match=r"public-problems: math-v1: .* list that everyone has"):
        new_round("sums", load_suite("math-v1"), board.folder / "k", DAY, board.rounds)


@pytest.mark.parametrize(
    ("file", "change", "code"),
    [
        ("round.json", {"format": 2}, "out-of-range"),
        ("round.json", {"name": "autumn"}, "unknown-value"),
        ("round.json", {"opened": "yesterday"}, "wrong-date"),
        ("round.json", {"suite": {}}, "wrong-suite"),
        ("round.json", {"key_sha256": "0"}, "wrong-type"),
        ("round.json", {"more": 1}, "unknown-field"),
        ("key.json", {"format": True}, "wrong-type"),
        ("key.json", {"revealed": ""}, "wrong-date"),
        ("key.json", {"commitments": 2}, "committed-late"),
        ("key.json", {"head": "0" * 64}, "committed-late"),
    ],
)
def test_damaged_files(board, runs, file, change, code):
    board.commit(runs["expert"])
    board.reveal()
    path = board.rounds / "spring" / file
    path.write_text(json.dumps(json.loads(path.read_text()) | change))
    with pytest.raises(Refused, match=code):
        board.round  # noqa: B018


def test_files_that_are_links(board, tmp_path):
    path = board.rounds / "spring" / "round.json"
    path.rename(tmp_path / "elsewhere")
    path.symlink_to(tmp_path / "elsewhere")
    with pytest.raises(Refused, match="not a plain file"):
        board.round  # noqa: B018


# Commitments by pull request.


@pytest.fixture
def checkouts(board, tmp_path):
    base, head = tmp_path / "base", tmp_path / "head"
    for folder in (base, head):
        (folder / "leaderboards").mkdir(parents=True)
        (folder / "README.md").write_text("x")
        shutil.copytree(board.rounds, folder / "leaderboards" / "rounds")
    return base, head


def in_head(head):
    return load_round("spring", head / "leaderboards" / "rounds")


def test_a_commitment_by_pull_request(checkouts):
    base, head = checkouts
    made = commit(in_head(head), "Ada", "1" * 64, DAY)
    assert check_submission(base, head) == made


@pytest.mark.parametrize(
    ("change", "code"),
    [
        (lambda log, folder: log.write_bytes(log.read_bytes() * 2), "wrong-number"),
        (lambda log, folder: log.write_bytes(log.read_bytes()[:-1]), "cut-off"),
        (lambda log, folder: log.write_bytes(b"x" * 2000), "too-long"),
        (lambda log, folder: (folder / "README.md").write_text("y"), "outside"),
        (lambda log, folder: (folder / "more.py").write_text("y"), "outside"),
        (lambda log, folder: (folder / "README.md").unlink(), "deleted"),
        (lambda log, folder: log.with_name("key.json").write_text("{}"), "outside"),
        (lambda log, folder: log.with_name("round.json").write_text("{}"), "outside"),
        (lambda log, folder: (log.unlink(), log.symlink_to("/etc/passwd")), "outside"),
        (lambda log, folder: commit(in_head(folder), "Ada", "2" * 64, DAY), "several-entries"),
    ],
)
def test_more_than_a_commitment_by_pull_request(checkouts, change, code):
    base, head = checkouts
    commit(in_head(head), "Ada", "1" * 64, DAY)
    change(head / "leaderboards" / "rounds" / "spring" / "commitments.jsonl", head)
    with pytest.raises(Refused, match=code):
        check_submission(base, head)


def test_a_commitment_by_pull_request_changes_no_earlier_one(checkouts):
    base, head = checkouts
    for folder in (base, head):
        commit(in_head(folder), "Eve", "2" * 64, DAY)
    log = head / "leaderboards" / "rounds" / "spring" / "commitments.jsonl"
    log.write_bytes(log.read_bytes().replace(b"Eve", b"Ada"))
    with pytest.raises(Refused, match="changed"):
        check_submission(base, head)


def test_commitments_to_two_rounds_by_pull_request(board, checkouts, tmp_path):
    base, head = checkouts
    for folder in (base, head):
        shutil.copytree(
            folder / "leaderboards/rounds/spring", folder / "leaderboards/rounds/autumn"
        )
        path = folder / "leaderboards/rounds/autumn/round.json"
        path.write_text(path.read_text().replace('"spring"', '"autumn"'))
    for name in ("spring", "autumn"):
        commit(load_round(name, head / "leaderboards/rounds"), "Ada", "1" * 64, DAY)
    with pytest.raises(Refused, match=r"outside: .*spring/commitments.jsonl' is changed"):
        check_submission(base, head)


def test_a_commitment_by_pull_request_after_the_key(board, checkouts):
    base, head = checkouts
    commit(in_head(head), "Ada", "1" * 64, DAY)
    reveal(in_head(base), board.key, DAY)
    shutil.copy(base / "leaderboards/rounds/spring/key.json", head / "leaderboards/rounds/spring")
    with pytest.raises(Refused, match="revealed"):
        check_submission(base, head)


def test_a_submitted_entry_brings_no_round_of_its_own(board, checkouts, runs, tmp_path):
    # The attacker opens a round, chooses its key, and plays lucky problems.
    base, head = checkouts
    shutil.rmtree(base / "leaderboards" / "rounds")
    shutil.rmtree(head / "leaderboards" / "rounds")
    bundle = board.play(board.commit(runs["expert"]))
    board.reveal()
    folder = add_entry(bundle, board.entries)
    shutil.copytree(board.rounds, head / "leaderboards" / "rounds")
    shutil.copytree(folder, head / "leaderboards" / "entries" / folder.name)
    with pytest.raises(Refused, match="outside"):
        check_submission(base, head)
    shutil.rmtree(head / "leaderboards" / "rounds")
    with pytest.raises(Refused, match="unknown-round"):
        check_submission(base, head)
    shutil.copytree(board.rounds, base / "leaderboards" / "rounds")
    shutil.copytree(board.rounds, head / "leaderboards" / "rounds")
    assert check_submission(base, head).id == folder.name


# The commands.


def test_commands(board, runs, tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)

    def call(*arguments, code=0):
        result = CliRunner().invoke(app, [*map(str, arguments)])
        assert result.exit_code == code, result.output
        return result.output

    def on(*arguments):
        return call("round", *arguments, "--rounds", board.rounds)

    on("new", "autumn", "--suite", "smoke")
    assert (tmp_path / "autumn.key").is_file()
    digest = run_digest(runs["expert"], load_suite("smoke"))
    assert digest in on("commit", "autumn", runs["expert"], "--name", "Ada")
    on("commit", "autumn", "--digest", "2" * 64, "--name", "Eve")
    on("suite", "autumn", digest[:8], "s.json", "--key", "autumn.key")
    run_suite("s.json", "run", agent="expert", progress=False)
    pack("run", "b.tar.gz", Submitter("Ada"))
    assert "not-revealed" in call("verify", "b.tar.gz", "--rounds", board.rounds, code=1)
    assert "key published" in on("reveal", "autumn", "--key", "autumn.key")
    assert "ACCEPTED" in call("verify", "b.tar.gz", "--rounds", board.rounds)
    assert "rerun" in call(
        "verify", "b.tar.gz", "--rounds", board.rounds, "--agent", "expert", "--rerun"
    )
    on("suite", "autumn", digest, "again.json")
    assert (tmp_path / "again.json").read_bytes() == (tmp_path / "s.json").read_bytes()
    listed = on("list")
    assert "spring: smoke, opened 2026-01-02, key not published yet" in listed
    assert digest[:16] in listed


def test_a_digest_by_its_beginning(board):
    for digest in ("2" * 64, "2" + "1" * 63):
        commit(board.round, "Ada", digest, DAY)
    assert board.round.find("21") == "2" + "1" * 63
    assert board.round.find("22") == "2" * 64
    for start in ("3", "", "2"):
        with pytest.raises(ValueError, match=rf"begin with '{start}'; there are: 2111.*, 2222"):
            board.round.find(start)
