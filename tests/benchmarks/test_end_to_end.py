"""A real (untrained) language model through every strategy: chunks and paths change nothing."""

import pytest
import torch

from agents.models import load_model
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from agents.search import strategy_names
from benchmarks.replay import replay
from benchmarks.runner import run_suite


@pytest.fixture(scope="module")
def model():
    torch.set_num_threads(1)  # a model this small loses by sharing its work
    return HFModel(tiny_model(TinyConfig(layers=1, width=32, heads=2)))


@pytest.mark.parametrize("strategy", strategy_names())
def test_chunks_change_nothing(model, strategy, tmp_path):
    arguments = {
        "model": model,
        "strategy": strategy,
        "budget_tokens": 48,
        "limit": 5,
        "progress": False,
    }
    runs = [run_suite("smoke", tmp_path / str(n), chunk=n, **arguments) for n in (64, 2)]
    first, second = ((run.folder / "episodes.jsonl").read_bytes() for run in runs)
    assert first == second
    for episode in runs[0].episodes:
        assert episode.status != "error", episode.error
        assert episode.ledger["generated_tokens"] <= 48
        outcome = replay(episode.env, episode.kwargs, episode.seed, episode.actions)
        assert outcome.terms.to_json() == episode.terms
        for line, tokens in zip(episode.actions, episode.tokens, strict=True):
            assert model.tokenizer.decode(tokens).removesuffix("\n") == line or line == "answer:"


def test_a_saved_model_is_the_same_model(model, tmp_path):
    model.save(tmp_path / "model")
    kept = run_suite("smoke", tmp_path / "a", model=model, limit=2, progress=False)
    loaded = run_suite("smoke", tmp_path / "b", model=tmp_path / "model", limit=2, progress=False)
    assert kept.episodes == loaded.episodes
    assert loaded.manifest.model == str(tmp_path / "model")


def test_the_digest_is_of_the_weights_and_not_of_the_place(model, tmp_path):
    model.save(tmp_path / "model")
    assert load_model(str(tmp_path / "model")).digest == model.digest


def test_mistakes_come_before_any_work(model, tmp_path):
    for arguments, message in (
        ({"strategy": "mcst"}, "Did you mean 'mcts'"),
        ({"strategy": "mcts", "options": {"simulation": 1}}, "Did you mean 'simulations'"),
        ({"strategy": "mcts", "guide": "value"}, "value head"),
    ):
        with pytest.raises(ValueError, match=message):
            run_suite("smoke", tmp_path / "run", model=model, progress=False, **arguments)
    with pytest.raises((ValueError, FileNotFoundError), match="none"):
        run_suite("smoke", tmp_path / "run", model=tmp_path / "none", progress=False)
    assert run_suite("smoke", tmp_path / "run", model=model, limit=1, progress=False).episodes
