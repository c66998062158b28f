"""What a server says, as tokens of ours: cut, charged, and with log-probabilities that add up."""

import math

import pytest
from hypothesis import given
from hypothesis import strategies as st

from agents.models.server_answers import (
    UNKNOWN_LINES,
    Answer,
    completion_of,
    is_blank,
    read_answer,
)
from agents.models.server_client import Junk
from reason_env import lines
from reason_env.tokenizer import EOS, TOKENIZER

NEWLINE = TOKENIZER.newline


def completion(text, limit=64, interface="completions", **fields):
    return completion_of(Answer(text, **fields), limit, interface)


def spell(tokens):
    return "".join("<eos>" if token == EOS else TOKENIZER.text_of(token) for token in tokens)


@pytest.mark.parametrize(
    ("text", "fields", "line", "stopped"),
    [
        ("1 + 2 = 3", {}, "1 + 2 = 3\n", True),
        ("1 + 2 = 3\n4", {}, "1 + 2 = 3\n", True),
        ("1 + 2 = 3\n4", {"cut": True}, "1 + 2 = 3\n", True),
        ("1 + 2 =", {"cut": True}, "1 + 2 =", False),
        ("1 + 2 = 3", {"ended": True}, "1 + 2 = 3<eos>", True),
        ("1 + 2 = 3", {"ended": False}, "1 + 2 = 3\n", True),
        ("", {}, "<eos>", True),
        ("", {"ended": True}, "<eos>", True),
        ("", {"ended": False}, "\n", True),
        ("\n\n", {}, "\n", True),
        ("", {"cut": True}, "", False),
        ("2 \u00d7 3 = 6\r\n", {}, "2 * 3 = 6 \n", True),
        ("caf\u00e9 \u2603", {}, "caf? ?\n", True),
    ],
)
def test_a_line_and_its_end(text, fields, line, stopped):
    found = completion(text, **fields)
    assert (spell(found.tokens), found.stopped) == (line, stopped)


@pytest.mark.parametrize(
    ("text", "line"),
    [
        ("answer: 7", "answer: 7\n"),
        ("\n```\n\n```python\nanswer: 7\n```", "answer: 7\n"),
        ("` answer: 7 `\nThat is it.", "answer: 7\n"),
        ("```\n```", "<eos>"),
        ("", "<eos>"),
        ("``", "``\n"),
    ],
)
def test_a_line_of_a_chat(text, line):
    # That a message has its end says nothing of the solution's.
    assert spell(completion(text, interface="chat", ended=True).tokens) == line
    assert is_blank(Answer(text)) == (line == "<eos>")
    assert not is_blank(Answer("", cut=True))


@pytest.mark.parametrize(
    ("limit", "fields", "kept", "stopped", "cost"),
    [
        (10, {}, 6, True, 6),
        (6, {}, 6, True, 6),
        (5, {}, 5, False, 5),
        (1, {}, 1, False, 1),
        # Of hidden reasoning no line is seen, but it was paid for.
        (10, {"completion_tokens": 8}, 6, True, 8),
        (64, {"completion_tokens": 50}, 6, True, 50),
        (64, {"completion_tokens": 90}, 0, False, 64),
        (64, {"completion_tokens": 40, "hidden_tokens": 40}, 6, True, 40),
        (42, {"completion_tokens": 42, "hidden_tokens": 40}, 2, False, 42),
        (10, {"completion_tokens": 2}, 6, True, 6),
    ],
)
def test_limits_and_charges(limit, fields, kept, stopped, cost):
    found = completion("1 + 2 = 3", limit, **fields)  # five tokens, and its end
    assert (len(found.tokens), found.stopped, found.cost) == (kept, stopped, cost)
    assert len(found.logprobs) == len(found.complements) == kept


def test_what_comes_after_the_line_is_charged():
    assert completion("1 + 2 = 3\n" + "and more " * 3).cost == 6 + 27
    assert completion("1 + 2 = 3\n" + "and more " * 99).cost == 64


# -- Log-probabilities -----------------------------------------------------------------------------


def test_each_number_is_on_the_first_token_that_its_piece_covers():
    text = "25 * 30 = 750"  # ours: 25, " * ", 30, " = ", 750, newline
    pieces = (("25 ", -1.0), ("*", -2.0), (" 3", -4.0), ("0 =", -8.0), (" 750", -16.0))
    found = completion(text, pieces=(*pieces, ("\n", -32.0)))
    assert found.logprobs == (-1.0, -2.0 - 4.0, -8.0, -16.0, 0.0, -32.0)
    assert math.exp(found.logprobs[0]) + math.exp(found.complements[0]) == pytest.approx(1)
    assert found.complements[4] == -math.inf


def test_pieces_after_the_line_are_not_its_own():
    pieces = (("1", -1.0), ("\n2", -2.0), ("3", -4.0))
    assert completion("1\n23", pieces=pieces).logprobs == (-1.0, -2.0)
    assert completion("1", pieces=pieces[:1]).logprobs == (-1.0, 0.0)


def test_a_chat_counts_from_where_its_line_begins():
    pieces = (("```", -1.0), ("\n", -2.0), ("1 +", -4.0), (" 2", -8.0), ("\n```", -16.0))
    found = completion("```\n1 + 2\n```", interface="chat", pieces=pieces)
    assert spell(found.tokens) == "1 + 2\n"
    assert found.logprobs == (-4.0, -8.0, 0.0, -16.0)


def test_pieces_that_spell_another_text_are_told_by_their_sum():
    found = completion(
        "\u2603!", pieces=(("bytes:\\xe2", -1.0), ("bytes:\\x98", -2.0), ("!", -4.0))
    )
    assert found.logprobs == (-7.0, 0.0, 0.0)


def test_unknown_likelihoods_are_even():
    for text in ("1", "1 + 2 = 3", ""):
        found = completion(text)
        assert sum(found.logprobs) == -math.log(UNKNOWN_LINES)
        assert math.exp(found.logprobs[0]) + math.exp(found.complements[0]) == pytest.approx(1)


@given(st.data())
def test_numbers_add_up_to_the_texts(data):
    text = data.draw(st.text(max_size=30).filter(lambda text: "\n" not in text))
    cuts = sorted(data.draw(st.lists(st.integers(0, len(text)), max_size=8)))
    pieces = [text[a:b] for a, b in zip([0, *cuts], [*cuts, len(text)])]
    numbers = data.draw(
        st.lists(st.integers(-30, 0), min_size=len(pieces) + 1, max_size=len(pieces) + 1)
    )
    given_pieces = tuple(zip([*pieces, "\n"], map(float, numbers)))
    found = completion(text, 10_000, pieces=given_pieces, ended=False)
    shown = lines.normalise(text).replace(lines.OUTSIDE, "?")
    assert spell(found.tokens) == shown + "\n"
    assert sum(found.logprobs) <= 0
    if "" not in pieces:  # (one at the text's end cannot be told from that end)
        assert sum(found.logprobs) == sum(numbers)


@given(
    st.text(max_size=200),
    st.integers(1, 40),
    st.sampled_from(["completions", "chat"]),
    st.booleans(),
    st.none() | st.integers(0, 300),
    st.integers(0, 100),
)
def test_nothing_escapes_the_limit(text, limit, interface, cut, reported, hidden):
    found = completion(
        text, limit, interface, cut=cut, completion_tokens=reported, hidden_tokens=hidden
    )
    assert len(found.tokens) == len(found.logprobs) == len(found.complements)
    assert len(found.tokens) <= found.cost <= limit
    assert found.cost >= min(limit, reported or 0)
    if found.stopped:
        assert found.tokens[-1] in (NEWLINE, EOS)
        assert hidden + len(found.tokens) <= limit
    assert not {NEWLINE, EOS} & set(found.tokens[:-1])


# -- Reading ---------------------------------------------------------------------------------------


def choice(**fields):
    return {"choices": [{"text": "1", "finish_reason": "stop", **fields}]}


@pytest.mark.parametrize(
    ("fields", "ended"),
    [
        ({}, None),
        ({"stop_reason": None}, None),
        ({"stop_reason": "\n"}, False),
        ({"stop_reason": 2}, True),
        ({"matched_stop": "\n"}, False),
        ({"matched_stop": 151645}, True),
        ({"logprobs": {"tokens": ["1", "\n"], "token_logprobs": [-1, -1]}}, False),
        ({"logprobs": {"tokens": ["1", "</s>"], "token_logprobs": [-1, -1]}}, True),
        ({"logprobs": {"tokens": ["1"], "token_logprobs": [-1]}}, None),
        ({"logprobs": {"tokens": ["other", "</s>"], "token_logprobs": [-1, -1]}}, None),
    ],
)
def test_who_ended_a_text(fields, ended):
    assert read_answer(choice(**fields), "completions").ended is ended


def test_usage_and_logprobs_are_read():
    value = choice(logprobs={"tokens": ["1"], "token_logprobs": [0.001]})
    value["usage"] = {"prompt_tokens": 3, "completion_tokens": True}
    read = read_answer(value, "completions")
    assert (read.prompt_tokens, read.completion_tokens) == (3, None)
    assert read.pieces == (("1", 0.0),)
    value = {"choices": [{"message": {"content": None}, "finish_reason": "length"}]}
    value["usage"] = {"completion_tokens": 9, "completion_tokens_details": {"reasoning_tokens": 8}}
    read = read_answer(value, "chat")
    assert (read.text, read.cut, read.hidden_tokens) == ("", True, 8)


@pytest.mark.parametrize(
    "value",
    [
        None,
        [],
        "text",
        {},
        {"choices": []},
        {"choices": [5]},
        {"error": {"message": "oops"}},
        choice(text=None),
        choice(text=7),
        choice(finish_reason=None),
        choice(finish_reason="whatever"),
        choice(finish_reason=["stop"]),
        choice(logprobs=[1]),
        choice(logprobs={"tokens": ["1"], "token_logprobs": []}),
        choice(logprobs={"tokens": ["1"], "token_logprobs": [None]}),
        choice(logprobs={"tokens": ["1"], "token_logprobs": [math.nan]}),
        choice(logprobs={"tokens": ["1"], "token_logprobs": [-(10**400)]}),
        choice(logprobs={"tokens": ["1"], "token_logprobs": [True]}),
        choice(logprobs={"tokens": [1], "token_logprobs": [-1.0]}),
        choice(logprobs={"tokens": "1", "token_logprobs": [-1.0]}),
    ],
)
def test_junk_is_no_answer(value):
    with pytest.raises(Junk):
        read_answer(value, "completions")


@pytest.mark.parametrize(
    "value",
    [
        choice(),
        choice(message="1"),
        choice(message={"content": 5}),
        choice(message={"content": "1"}, logprobs={"content": [5]}),
        choice(message={"content": "1"}, logprobs={"content": [{"token": "1"}]}),
    ],
)
def test_junk_is_no_chat(value):
    with pytest.raises(Junk):
        read_answer(value, "chat")
