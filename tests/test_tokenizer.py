"""Text to ids and back: exact, total over the charset, and loud outside it."""

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from reason_env.tokenizer import (
    BOS,
    CHARSET,
    EOS,
    PAD,
    PIECES,
    SPECIALS,
    TOKENIZER,
    Tokenizer,
    encode_lines,
)

TEXTS = st.text(alphabet=sorted(CHARSET), max_size=200)


@settings(deadline=None, derandomize=True)
@given(TEXTS)
def test_every_text_round_trips(text: str) -> None:
    assert TOKENIZER.decode(TOKENIZER.encode(text)) == text


@pytest.mark.parametrize(
    ("text", "pieces"),
    [
        ("20 7 3 -> 39\n", ["20", " ", "7", " ", "3", " -> ", "39", "\n"]),
        ("13 * 3 = 39", ["13", " * ", "3", " = ", "39"]),
        ("1234567", ["123", "456", "7"]),
        ("1000", ["100", "0"]),
        ("007", ["0", "0", "7"]),
        ("0", ["0"]),
        ("-5/12", ["-", "5", "/", "12"]),
        ("answer: 7", ["answer: ", "7"]),
        ("answer:", list("answer:")),
        ("> 7", ["> ", "7"]),
        ("undo", ["undo"]),
        ("check: dead", ["check: dead"]),
        ("<bos>", list("<bos>")),
        ("", []),
    ],
)
def test_pieces(text: str, pieces: list[str]) -> None:
    assert [TOKENIZER.text_of(i) for i in TOKENIZER.encode(text)] == pieces


def test_vocabulary_is_sound() -> None:
    vocabulary = TOKENIZER.vocabulary
    assert len(set(vocabulary)) == len(vocabulary) == len(TOKENIZER)
    assert [vocabulary[i] for i in (PAD, BOS, EOS)] == list(SPECIALS)
    assert all(set(text) <= CHARSET for text in vocabulary[len(SPECIALS) :])
    assert {chr(c) for c in range(32, 127)} | {"\n"} == CHARSET
    for text in (*CHARSET, *PIECES, *map(str, range(1000))):
        assert len(TOKENIZER.encode(text)) == 1
    assert vocabulary[TOKENIZER.newline] == "\n"
    assert Tokenizer().vocabulary == vocabulary


def test_specials_stand_for_nothing() -> None:
    ids = TOKENIZER.encode("1 + 2")
    assert TOKENIZER.decode([BOS, *ids, EOS, PAD]) == "1 + 2"


@pytest.mark.parametrize("character", ["é", "\t", "\u2212", "\x00", "\ufffd", "\uff17"])
def test_outside_characters_raise_and_are_named(character: str) -> None:
    with pytest.raises(ValueError, match=rf"U\+{ord(character):04X}.*position 4.*normalise"):
        TOKENIZER.encode(f"1 + {character}")


@pytest.mark.parametrize("token", [-1, len(TOKENIZER), 10**9])
def test_unknown_ids_raise(token: int) -> None:
    with pytest.raises(ValueError, match=f"{token}.*outside"):
        TOKENIZER.decode([token])


def test_encode_lines() -> None:
    assert encode_lines(["1 + 2", ""]) == TOKENIZER.encode("1 + 2\n\n")
    assert encode_lines([]) == []
