"""Checkpoints: what is saved loads everywhere, unchanged, and half a checkpoint does not load."""

import shutil

import pytest
import torch
from transformers import AutoModelForCausalLM, AutoTokenizer

from agents.models import load_model
from agents.models.hf import HFModel
from agents.models.tiny import TinyConfig, tiny_model
from reason_env.tokenizer import BOS, TOKENIZER

PREFIX = TOKENIZER.encode("44 9 5 -> 30\n")


@pytest.fixture(scope="module")
def saved(make_tiny, tmp_path_factory):
    folder = tmp_path_factory.mktemp("checkpoint") / "model"
    make_tiny(values=True).save(folder)
    return folder


def test_loads_with_the_auto_classes(saved, make_tiny):
    network = AutoModelForCausalLM.from_pretrained(saved)
    tokenizer = AutoTokenizer.from_pretrained(saved)
    # As a server reads a prompt: with `<bos>` in front, which our models are used to.
    assert tokenizer("44 9 5 -> 30\n")["input_ids"] == [BOS, *PREFIX]
    ids = torch.tensor([[BOS, *PREFIX]])
    with torch.no_grad():
        assert torch.equal(network(ids).logits, make_tiny().network(ids).logits)


def test_the_loaded_model_is_the_saved_one(saved, make_tiny):
    model, loaded = make_tiny(values=True), HFModel.load(str(saved))
    assert loaded.digest == model.digest
    assert loaded.values([PREFIX]) == model.values([PREFIX])
    assert isinstance(load_model(str(saved)), HFModel)


def test_the_digest_is_of_the_content_and_not_of_the_place(saved, make_tiny, tmp_path):
    shutil.copytree(saved, tmp_path / "elsewhere")
    digest = HFModel.load(str(saved)).digest
    assert HFModel.load(str(tmp_path / "elsewhere")).digest == digest
    assert make_tiny(seed=1, values=True).digest != digest
    assert make_tiny(values=False).digest != digest
    changed = make_tiny(values=True)
    with torch.no_grad():
        changed.network.lm_head.weight[0, 0] += 1e-6
    assert changed.digest != digest


@pytest.mark.parametrize("name", ["config.json", "tokenizer.json"])
def test_half_a_checkpoint_is_refused(saved, tmp_path, name):
    shutil.copytree(saved, tmp_path / "model")
    (tmp_path / "model" / name).unlink()
    with pytest.raises(FileNotFoundError, match=f"it has no {name}"):
        HFModel.load(str(tmp_path / "model"))


def test_no_weights_is_an_os_error(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "model")
    (tmp_path / "model/model.safetensors").unlink()
    with pytest.raises(OSError, match=r"model\.safetensors"):
        HFModel.load(str(tmp_path / "model"))


@pytest.mark.parametrize("path", ["none", "./none", "/no/such/folder", "a/b/c"])
def test_a_missing_folder_is_named(path):
    with pytest.raises(FileNotFoundError, match=f"No model folder '{path}'"):
        HFModel.load(path)


def test_another_tokenizer_is_refused(saved, tmp_path):
    shutil.copytree(saved, tmp_path / "model")
    tokenizer = AutoTokenizer.from_pretrained(saved)
    tokenizer.add_tokens(["twelve"])
    tokenizer.save_pretrained(tmp_path / "model")
    with pytest.raises(ValueError, match="is not reason-env's"):
        HFModel.load(str(tmp_path / "model"))


def test_no_values_without_a_head(make_tiny):
    model = make_tiny()
    assert not model.has_values
    with pytest.raises(ValueError, match="no value head"):
        model.values([PREFIX])
    model.add_value_head()
    assert model.values([PREFIX, PREFIX[:3]]) == [0.0, 0.0]


def test_making_a_model_leaves_the_global_stream_alone():
    before = torch.get_rng_state()
    one, same, other = (tiny_model(TinyConfig(1, 32, 2), seed) for seed in (3, 3, 4))
    assert torch.equal(before, torch.get_rng_state())
    assert HFModel(one).digest == HFModel(same).digest != HFModel(other).digest
