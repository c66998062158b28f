"""Prices: known with their date and source, or not known."""

import json
import re

import pytest
from scripted_server import NAME, ScriptedServer

from agents.models.prices import find_price, load_prices
from agents.models.server import ServerModel
from agents.models.server_config import ServerConfig
from reason_env.tokenizer import EOS, TOKENIZER

ROW = {"model": NAME, "prompt": 2, "completion": 10.0, "date": "2026-11-28", "source": "a bill"}
TABLE = {"currency": "EUR", "unit": "per million tokens", "prices": [ROW]}


def written(tmp_path, table):
    path = tmp_path / "prices.json"
    path.write_text(json.dumps(table))
    return str(path)


def test_ours_have_a_date_a_source_and_one_host_each():
    prices = load_prices()
    assert len({(price.model, price.host) for price in prices}) == len(prices) > 0
    for price in prices:
        assert re.fullmatch(r"20\d\d-\d\d-\d\d", price.date)
        assert price.source.startswith("https://")
        assert price.host
        assert 0 < price.prompt < price.completion


def test_a_price_is_that_of_the_model_at_its_host():
    prices = load_prices()
    name = prices[0].model
    assert find_price(prices, name, prices[0].host) == prices[0]
    assert find_price(prices, name, "localhost") is None
    assert find_price(prices, name + "-new", prices[0].host) is None


def test_a_row_without_a_host_is_for_all_but_those_with_their_own(tmp_path):
    rows = [ROW, {**ROW, "host": "here", "prompt": 1}]
    prices = load_prices(written(tmp_path, {**TABLE, "prices": rows}))
    assert find_price(prices, NAME, "here").prompt == 1
    assert find_price(prices, NAME, "there").prompt == 2


@pytest.mark.parametrize(
    ("table", "reason"),
    [
        ([], "expected"),
        ({**TABLE, "unit": "per token"}, "unit"),
        ({**TABLE, "prices": [5]}, "row 1"),
        ({**TABLE, "prices": [{**ROW, "prompt": -1}]}, "prompt"),
        ({**TABLE, "prices": [{**ROW, "prompt": "2"}]}, "prompt"),
        ({**TABLE, "prices": [{**ROW, "prompt": True}]}, "prompt"),
        ({**TABLE, "prices": [{**ROW, "completion": float("nan")}]}, "completion"),
        ({**TABLE, "prices": [{**ROW, "source": None}]}, "source"),
        ({**TABLE, "prices": [{**ROW, "promt": 1}]}, "promt"),
        ({**TABLE, "prices": [{"model": "x"}]}, "completion"),
        ({"unit": TABLE["unit"], "prices": [ROW]}, "currency"),
    ],
)
def test_what_is_no_table_is_refused(tmp_path, table, reason):
    with pytest.raises(ValueError, match=rf"prices\.json is no price table.*{reason}"):
        load_prices(written(tmp_path, table))


def ask(server, prices):
    model = ServerModel(f"{server.url}#{NAME}", ServerConfig(prices=prices))
    model.generate(
        [TOKENIZER.encode("44 9 5 -> 30\n")] * 3,
        stop=(TOKENIZER.newline, EOS),
        temperature=0.0,
        max_tokens=[64] * 3,
        seeds=[0, 1, 2],
    )
    return model.usage()


def test_usage_adds_up_and_costs_what_the_table_says(tmp_path):
    with ScriptedServer() as server:
        used = ask(server, written(tmp_path, TABLE))
    probe, line = (1, 2), (3, 6)  # tokens read and written, as that server counts
    assert used["requests"] == 4
    assert used["prompt_tokens"] == probe[0] + 3 * line[0]
    assert used["completion_tokens"] == probe[1] + 3 * line[1]
    assert used["cost"] == pytest.approx((2 * 10 + 10 * 20) / 1e6)
    assert used["price"] == {
        **ROW,
        "prompt": 2,
        "currency": "EUR",
        "host": "",
        "unit": TABLE["unit"],
    }
    json.dumps(used, allow_nan=False)


def test_an_unknown_price_is_no_price_of_nothing(tmp_path):
    with ScriptedServer() as server:
        used = ask(server, None)
    assert used["cost"] is None
    assert used["price"] is None


def test_uncounted_tokens_have_no_known_cost(tmp_path):
    with ScriptedServer(usage=False) as server:
        used = ask(server, written(tmp_path, TABLE))
    assert used["cost"] is None
    assert used["uncounted"] == 4
