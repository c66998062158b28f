"""Models behind a server: faults pass or stop the run, and what comes of it is the same."""

import time

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from scripted_server import NAME, PASSING, QUICK, SLOW, ScriptedServer, play

from agents.models import load_model
from agents.models.base import Completion
from agents.models.server import REDRAWS, ServerModel
from agents.models.server_client import ServerError
from agents.models.server_config import ServerConfig, backoff
from reason_env.tokenizer import EOS, TOKENIZER

PROMPTS = ["44 9 5 -> 30\n", "20 7 3 -> 39\n20 - 7 = 13\n", "50 25 3 2 -> 11\n", "1 2 -> 3\n"]
PLAYED = [play(prompt, seed) + "\n" for seed, prompt in enumerate(PROMPTS)]
QUICKLY = ServerConfig(retries=3, timeout=10, backoff=lambda tries: 0.0)
NEWLINE = TOKENIZER.newline


def made(server, name=f"#{NAME}", **settings):
    config = {"retries": 3, "timeout": 10, "backoff": lambda tries: 0.0, **settings}
    return ServerModel(server.url + name, ServerConfig(**config))


def write(model, temperature=1.0, limits=64, without=None, prompts=PROMPTS):
    return model.generate(
        [TOKENIZER.encode(prompt) for prompt in prompts],
        stop=(NEWLINE, EOS),
        temperature=temperature,
        max_tokens=[limits] * len(prompts),
        seeds=range(len(prompts)),
        without=without,
    )


@pytest.fixture(scope="module")
def expected():
    with ScriptedServer() as server:
        return write(made(server))


def lines(completions):
    return [TOKENIZER.decode(completion.tokens) for completion in completions]


def test_lines_come_as_written(expected):
    assert lines(expected) == PLAYED
    assert all(completion.stopped for completion in expected)
    assert [one.cost for one in expected] == [len(one.tokens) for one in expected]


def test_what_is_sent():
    with ScriptedServer(completions=True) as server:
        model = load_model(f"{server.url}#{NAME}", QUICKLY)
        write(model, temperature=0.7, limits=9)
    bodies = {body["prompt"]: body for path, body, _ in server.requests[1:]}
    assert set(bodies) == set(PROMPTS)
    assert {path for path, *_ in server.requests} == {"/v1/completions"}
    for seed, prompt in enumerate(PROMPTS):
        # Log-probabilities were asked for at the start, where the server gave none.
        assert bodies[prompt] == {
            "model": NAME,
            "prompt": prompt,
            "max_tokens": 9,
            "temperature": 0.7,
            "stop": ["\n"],
            "seed": seed,
        }


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_passes_changes_nothing(fault, expected):
    with ScriptedServer() as server:
        model = made(server, timeout=0.5 if fault in SLOW else 10)
        server.faults = [fault]
        assert write(model) == expected
    assert len(server.answered) == 1 + len(PROMPTS)
    assert model.usage()["requests"] == 2 + len(PROMPTS)
    assert model.usage()["retries"] == 1


@pytest.mark.parametrize("fault", PASSING)
def test_a_fault_that_does_not_pass_stops_with_one_clear_error(fault):
    with ScriptedServer() as server:
        model = made(server, timeout=0.2 if fault in SLOW else 10, retries=2)
        server.forever = fault
        with pytest.raises(ServerError) as raised:
            write(model, prompts=PROMPTS[:1])
    message = str(raised.value)
    assert server.url in message
    assert "try 3 of 3" in message
    assert "the same command goes on where it stopped" in message
    assert len(server.requests) == 1 + 3


@pytest.mark.parametrize(
    ("fault", "fix"),
    [("401", "OPENAI_API_KEY"), ("403", "another key"), ("404", "/v1"), ("429 long", "86400")],
)
def test_what_no_retry_can_help_stops_at_once(fault, fix):
    with ScriptedServer() as server:
        model = made(server)
        server.forever = fault
        with pytest.raises(ServerError, match=fix):
            write(model, prompts=PROMPTS[:1])
    assert len(server.requests) == 2


@given(st.lists(st.sampled_from(QUICK), max_size=9))
@settings(
    max_examples=25, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture]
)
def test_any_faults_that_end_well_change_nothing(expected, faults):
    with ScriptedServer() as server:
        model = made(server, retries=len(faults))
        server.faults = list(faults)
        assert write(model) == expected
        # Every request got one good answer, and each fault cost one more.
        assert len(server.answered) == 1 + len(PROMPTS)
        assert model.usage()["requests"] == 1 + len(PROMPTS) + len(faults)


def test_nobody_there():
    with ScriptedServer() as server:
        url = server.url
    with pytest.raises(ServerError, match="ConnectError"):
        ServerModel(f"{url}#x", ServerConfig(retries=1, backoff=lambda tries: 0.0))


def test_one_request_refused_costs_that_row_alone(expected):
    def refuse(body):
        if body.get("prompt") == PROMPTS[1]:
            error = {"message": "maximum context length is 9", "code": "context_length_exceeded"}
            return 400, {"error": error}
        return None

    with ScriptedServer(refuse=refuse) as server:
        model = made(server)
        found = write(model)
    assert found[1].failed == "HTTP 400: maximum context length is 9"
    assert [found[0], *found[2:]] == [expected[0], *expected[2:]]
    assert model.usage()["refused"] == 1
    assert model.usage()["retries"] == 0


def test_a_content_filter_refuses_too():
    def alter(answer):
        answer["choices"][0]["finish_reason"] = "content_filter"
        return answer

    with ScriptedServer() as server:
        model = made(server)
        server.alter = alter
        [found] = write(model, prompts=PROMPTS[:1])
    assert "content filter" in found.failed
    assert not found.stopped


def test_identifiers_in_a_refusal_are_left_out():
    """Two runs record the same error."""

    def refuse(body):
        said = f"request req-{body['seed']:032x} is too long"
        return (400, {"error": {"message": said}}) if body.get("prompt") in PROMPTS else None

    with ScriptedServer(refuse=refuse) as server:
        found = write(made(server))
    assert {one.failed for one in found} == {"HTTP 400: request ... is too long"}


# -- Pace ------------------------------------------------------------------------------------------


def test_retry_after_and_backoff_are_waited_for():
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    config = ServerConfig(retries=3, backoff=lambda tries: 100.0 * tries)
    with ScriptedServer() as server:
        model = ServerModel(f"{server.url}#{NAME}", config, sleep=sleep)
        server.faults = ["500", "503"]
        write(model, prompts=PROMPTS[:1])
        assert waits == [100.0, 200.0]


def test_a_server_that_asks_for_time_gets_it_from_all():
    waits = []

    async def sleep(seconds):
        waits.append(round(seconds))

    with ScriptedServer(faults=["429 minute"]) as server:
        config = ServerConfig(concurrency=1, retries=1, backoff=lambda tries: 5.0)
        model = ServerModel(f"{server.url}#{NAME}", config, sleep=sleep)
        assert waits == [5, 60]
        # Nobody has waited in truth: what comes next is told to wait as well.
        write(model, prompts=PROMPTS[:2])
        assert waits == [5, 60, 60, 60]


def test_requests_are_spread_over_a_minute():
    waits = []

    async def sleep(seconds):
        waits.append(seconds)

    with ScriptedServer() as server:
        model = ServerModel(
            f"{server.url}#{NAME}", ServerConfig(requests_per_minute=0.01), sleep=sleep
        )
        write(model)
    # One in 6000 seconds, of which the machine may have taken a few.
    assert [round(wait / 6000) for wait in waits] == [1, 2, 3, 4]


def test_no_more_requests_at_once_than_allowed():
    at_once, most = [0], [0]

    def slow(prompt, seed):
        at_once[0] += 1
        most[0] = max(most[0], at_once[0])
        time.sleep(0.02)
        at_once[0] -= 1
        return "hm"

    with ScriptedServer(write=slow) as server:
        write(made(server, concurrency=3), prompts=PROMPTS * 3)
    assert most[0] <= 3


def test_backoff_grows_within_bounds():
    for tries in range(1, 40):
        longest = min(30.0, 0.5 * 2 ** (tries - 1))
        assert longest / 2 <= backoff(tries) <= longest


# -- What a server can do --------------------------------------------------------------------------


def test_the_only_model_is_found():
    with ScriptedServer() as server:
        assert made(server, name="").name == NAME


def test_several_models_are_listed_to_choose_from():
    with (
        ScriptedServer(models=("a", "b")) as server,
        pytest.raises(ServerError, match=r"2 models \(a, b\).*#a"),
    ):
        made(server, name="")


def test_an_unknown_model_is_named_with_those_there_are():
    with ScriptedServer() as server, pytest.raises(ServerError, match=f"'x' .it lists {NAME}"):
        made(server, name="#x")


def test_auto_takes_completions_then_chat():
    with ScriptedServer() as server:
        assert made(server).interface == "completions"
    with ScriptedServer(completions=False) as server:
        assert made(server).interface == "chat"
        with pytest.raises(ServerError, match=r"completions: .*404"):
            made(server, interface="completions")


def test_the_digest_is_of_name_and_interface():
    with ScriptedServer() as one, ScriptedServer(models=(NAME, "b")) as other:
        digest = made(one).digest
        assert digest == made(other).digest
        assert len({digest, made(other, "#b").digest, made(one, interface="chat").digest}) == 3


@pytest.mark.parametrize("parameter", ["logprobs", "seed", "stop"])
def test_a_parameter_that_is_not_taken_is_left_out(parameter, expected):
    def refuse(body):
        error = {"message": "unsupported", "param": parameter}
        return (400, {"error": error}) if parameter in body else None

    with ScriptedServer(refuse=refuse) as server:
        found = write(made(server))
        assert not any(parameter in body for body in server.answered)
    if parameter != "seed":
        assert lines(found) == lines(expected)


def test_a_chat_server_with_the_newer_limit():
    def refuse(body):
        error = {"message": "use max_completion_tokens", "param": "max_tokens"}
        return (400, {"error": error}) if "max_tokens" in body else None

    with ScriptedServer(refuse=refuse) as server:
        write(made(server, interface="chat"), limits=17)
    assert {body["max_completion_tokens"] for body in server.answered[1:]} == {17}


def test_settings_that_the_server_refuses_altogether_are_one_error_at_the_start():
    refused = (400, {"error": {"message": "temperature must be 1", "param": "temperature"}})
    with (
        ScriptedServer(refuse=lambda body: refused) as server,
        pytest.raises(ServerError, match="temperature must be 1"),
    ):
        made(server)


# -- Without replacement ---------------------------------------------------------------------------


def drawn(text):
    tokens = (*TOKENIZER.encode(text), NEWLINE)
    return Completion(tokens, (-1.0,) * len(tokens), (-1.0,) * len(tokens), True)


def test_a_known_line_is_drawn_again_and_charged():
    with ScriptedServer(write=lambda prompt, seed: f"{seed % 7} + 1 = 2") as server:
        model = made(server)
        [first] = write(model, prompts=PROMPTS[:1])
        before = len(server.answered)
        [second] = write(model, prompts=PROMPTS[:1], without=[[first]])
        draws = len(server.answered) - before
    assert second.tokens != first.tokens
    assert draws == 2
    assert second.cost == 2 * len(first.tokens)


def test_where_there_is_no_other_line_the_known_one_comes_back():
    with ScriptedServer(write=lambda prompt, seed: "hm") as server:
        model = made(server)
        before = len(server.answered)
        [again] = write(model, prompts=PROMPTS[:1], without=[[drawn("hm")]])
        assert len(server.answered) - before == 1 + REDRAWS
    assert again.tokens == drawn("hm").tokens
    assert again.cost == (1 + REDRAWS) * len(again.tokens)


def test_drawing_again_stays_within_the_limit():
    with ScriptedServer(write=lambda prompt, seed: "hm") as server:
        model = made(server)
        [again] = write(model, prompts=PROMPTS[:1], without=[[drawn("hm")]], limits=5)
    assert again.cost <= 5
    assert not again.stopped


# -- Chat ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "text",
    [
        "1 + 2 = 3",
        "1 + 2 = 3\n3 + 4 = 7\n",
        "```\n1 + 2 = 3\n```",
        "\n\n  1 + 2 = 3  ",
        "`1 + 2 = 3`",
        "```text\n`1 + 2 = 3`\nmore\n```",
    ],
)
@pytest.mark.parametrize("logprobs", [False, True])
def test_the_next_line_is_found_in_a_chat(text, logprobs):
    with ScriptedServer(write=lambda *_: text, logprobs=logprobs) as server:
        [found] = write(made(server, interface="chat"), prompts=PROMPTS[:1])
    assert TOKENIZER.decode(found.tokens) == "1 + 2 = 3\n"
    assert found.stopped
    assert len(found.tokens) <= found.cost <= 64


def test_a_chat_that_says_nothing_gives_up_after_one_more_try():
    with ScriptedServer(write=lambda *_: "```\n```") as server:
        model = made(server, interface="chat")
        before = len(server.answered)
        [found] = write(model, prompts=PROMPTS[:1])
        assert len(server.answered) == before + 2
    assert found.tokens == (EOS,)
    assert ["stop" in body for body in server.answered[before:]] == [True, False]


def test_the_chat_layout():
    with ScriptedServer() as server:
        model = made(server, interface="chat")
        write(model, prompts=["the problem\na line\n"])
    assert model.prompt_style == "verbose"
    [message] = server.answered[-1]["messages"]
    assert message["role"] == "user"
    instruction, _, text = message["content"].partition("\n\n")
    assert "the one line that comes next" in instruction
    assert text == "the problem\na line\n"


# -- Limits ----------------------------------------------------------------------------------------


def test_a_server_that_minds_no_limit_is_charged_the_limit():
    with ScriptedServer(obedient=False) as server:
        model = made(server)
        found = write(model, limits=20)
        assert model.usage()["completion_tokens"] > 1000
    assert all(one.stopped and one.cost == 20 for one in found)
    assert lines(found) == PLAYED


# -- Secrets ---------------------------------------------------------------------------------------


def test_the_key_is_sent_and_never_shown(monkeypatch):
    monkeypatch.setenv("OPENAI_API_KEY", "sk-very-secret-key")

    def refuse(body):
        if body["max_tokens"] == 1:
            return None
        return 400, {"error": {"message": "your key sk-very-secret-key is too long"}}

    with ScriptedServer(refuse=refuse) as server:
        model = made(server)
        [found] = write(model, prompts=PROMPTS[:1])
        assert server.requests[0][2]["authorization"] == "Bearer sk-very-secret-key"
        assert "very-secret" not in found.failed + repr(model.usage())
        server.refuse, server.write = lambda body: None, lambda *_: "my sk-very-secret-key"
        [told] = write(model, prompts=PROMPTS[:1])
        assert TOKENIZER.decode(told.tokens) == "my [hidden]\n"
        server.refuse = lambda body: (401, {"error": "no sk-very-secret-key here"})
        with pytest.raises(ServerError) as raised:
            write(model, prompts=PROMPTS[:1])
        assert "very-secret" not in str(raised.value)
        assert "[hidden]" in str(raised.value)


def test_a_key_that_is_none_changes_no_line(monkeypatch, expected):
    monkeypatch.setenv("OPENAI_API_KEY", "1")
    with ScriptedServer() as server:
        assert write(made(server)) == expected


def test_without_a_key_a_local_server_is_asked_all_the_same(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ScriptedServer() as server:
        made(server)
    assert server.requests[0][2]["authorization"] == "Bearer none"


def test_a_password_and_a_query_in_the_address_are_used_and_not_shown(monkeypatch):
    monkeypatch.delenv("OPENAI_API_KEY", raising=False)
    with ScriptedServer() as server:
        url = server.url.replace("http://", "http://me:pass%40word@") + "?version=2026-sesame"
        model = ServerModel(f"{url}#{NAME}", QUICKLY)
        path, _, headers = server.requests[0]
        assert path == "/v1/completions?version=2026-sesame"
        assert headers["authorization"] == "Basic bWU6cGFzc0B3b3Jk"
        server.refuse = lambda body: (403, {"error": "not pass@word, and no 2026-sesame"})
        with pytest.raises(ServerError) as raised:
            write(model, prompts=PROMPTS[:1])
    assert model.url == server.url
    for secret in ("pass", "sesame", "me:"):
        assert secret not in str(raised.value)
        assert secret not in str(model.usage())


# -- Arguments -------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    "settings",
    [
        {"concurrency": 0},
        {"retries": -1},
        {"timeout": 0},
        {"requests_per_minute": 0},
        {"interface": "chats"},
    ],
)
def test_settings_out_of_range_are_refused(settings):
    with pytest.raises(ValueError, match=next(iter(settings))):
        ServerConfig(**settings)


@pytest.mark.parametrize(
    "url", ["http://", "ftp://host/v1", "http://me:sesame@/v1", "https://[/v1"]
)
def test_what_is_no_address(url):
    with pytest.raises(ValueError, match="address of a server") as raised:
        ServerModel(url)
    assert "sesame" not in str(raised.value)


def test_settings_of_a_server_for_a_local_model():
    with pytest.raises(ValueError, match="models/x"):
        load_model("models/x", ServerConfig())


def test_it_works_within_a_running_loop():
    """As in a notebook."""
    import asyncio

    async def cell():
        with ScriptedServer() as server:
            return write(made(server))

    assert len(asyncio.run(cell())) == len(PROMPTS)


def test_other_requests_are_refused():
    with ScriptedServer() as server:
        model = made(server)
    with pytest.raises(ValueError, match="no other stop"):
        model.generate([[5]], stop=(EOS,), temperature=1.0, max_tokens=[1], seeds=[0])
    for ask in (model.values, model.rewards):
        with pytest.raises(ValueError, match="head"):
            ask([[5]])
    with pytest.raises(ValueError, match="how likely"):
        model.logprobs([[5]], [[6]])
