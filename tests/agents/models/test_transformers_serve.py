"""The same model on disk and behind `transformers serve`: one real server, not of our making."""

import os
import signal
import socket
import subprocess
import sys
import time
import urllib.request

import pytest

from agents.models.hf import HFModel
from agents.models.server import ServerModel
from agents.models.server_client import ServerError
from agents.models.server_config import ServerConfig
from agents.search import load_strategy, run_searches
from reason_env.tokenizer import EOS, TOKENIZER

TEMPLATE = "{% for message in messages %}{{ message['content'] }}{% endfor %}"
PROMPTS = [
    "44 9 5 -> 30\n",
    "48 16 13 -> 45\n16 - 13\n> 48 3 -> 45\n",
    "1 2 3 -> 4\n",
    "20 7 3 -> 39\n",
    "44 9 5 -> 30\n44 - 9\n",
]


@pytest.fixture(scope="module")
def saved(_trained, tmp_path_factory):
    folder = tmp_path_factory.mktemp("served") / "model"
    _trained.save(folder)
    # For its other interface: a chat that is but the text of the last message.
    (folder / "chat_template.jinja").write_text(TEMPLATE)
    return folder


@pytest.fixture(scope="module")
def url(saved, tmp_path_factory):
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    log = tmp_path_factory.mktemp("log") / "serve.txt"
    command = ["-m", "transformers.cli.transformers", "serve", str(saved)]
    command += ["--host", "127.0.0.1", "--port", str(port), "--device", "cpu"]
    offline = {**os.environ, "HF_HUB_OFFLINE": "1", "OMP_NUM_THREADS": "1"}
    with log.open("wb") as output:
        server = subprocess.Popen(
            [sys.executable, *command], stdout=output, stderr=subprocess.STDOUT, env=offline
        )
    try:
        wait_for(f"http://127.0.0.1:{port}/health", server, log)
        yield f"http://127.0.0.1:{port}/v1#{saved}"
    finally:
        server.send_signal(signal.SIGINT)
        try:
            server.wait(30)
        except subprocess.TimeoutExpired:
            server.kill()
            server.wait()


def wait_for(url, server, log):
    for _ in range(1800):
        if server.poll() is not None:
            break
        try:
            with urllib.request.urlopen(url, timeout=5):
                return
        except OSError:
            time.sleep(0.1)
    pytest.fail(f"transformers serve did not start: {log.read_text()[-2000:]}")


def write(model, temperature=0.0, limits=24):
    return model.generate(
        [TOKENIZER.encode(prompt) for prompt in PROMPTS],
        stop=(TOKENIZER.newline, EOS),
        temperature=temperature,
        max_tokens=[limits] * len(PROMPTS),
        seeds=range(len(PROMPTS)),
    )


@pytest.fixture(scope="module")
def served(url):
    return ServerModel(url, ServerConfig(concurrency=2, retries=1))


def test_it_is_asked_for_completions_without_logprobs(served):
    assert served.interface == "completions"
    assert not served.has_logprobs


def test_the_lines_are_those_of_the_model_on_disk(served, saved):
    local = HFModel.load(str(saved))
    theirs, ours = write(served), write(local)
    assert [TOKENIZER.decode(one.tokens) for one in theirs] == [
        TOKENIZER.decode(one.tokens) for one in ours
    ]
    assert len({one.tokens for one in ours}) >= 3
    assert max(len(one.tokens) for one in ours) >= 4
    assert [one.stopped for one in theirs] == [one.stopped for one in ours]
    # Its tokenizer is ours, so that both count alike.
    assert [one.cost for one in theirs] == [one.cost for one in ours]


def test_lines_cut_at_a_limit_are_the_same_too(served, saved):
    theirs, ours = write(served, limits=3), write(HFModel.load(str(saved)), limits=3)
    assert [one.tokens for one in theirs] == [one.tokens for one in ours]
    assert not all(one.stopped for one in ours)


def test_a_search_finds_the_same(served, saved, make_envs):
    for name in ("greedy", "beam"):
        options = {"temperature": 0.0, "width": 1} if name == "beam" else {}
        found = [
            run_searches(model, make_envs(3), load_strategy(name, **options), [0] * 3, 64)
            for model in (served, HFModel.load(str(saved)))
        ]
        for theirs, ours in zip(*found, strict=True):
            assert theirs.actions == ours.actions
            assert theirs.ledger.generated_tokens == ours.ledger.generated_tokens


def test_its_chat_is_served(url):
    model = ServerModel(url, ServerConfig(interface="chat", concurrency=2, retries=1))
    for one in write(model, limits=8):
        assert one.failed is None
        assert one.cost <= 8
    assert model.usage()["requests"] >= 1 + len(PROMPTS)


def test_a_wrong_name_is_one_clear_error(url):
    with pytest.raises(ServerError, match="does not serve the model 'other'"):
        ServerModel(url.partition("#")[0] + "#other", ServerConfig(retries=0))
