"""Models that refuse, charge more than they show, or do not say how likely their lines are."""

from dataclasses import replace

import pytest

from agents.models.scripted import ScriptedModel
from agents.search import check_searches, load_strategy, run_searches, strategy_names
from agents.search.guides import NOBODY, Guide, default_guide
from reason_env.tokenizer import TOKENIZER

PRIVATE = "Arithmetic-v0"
ASKS_NOBODY = {"greedy", "sample", "self_consistency"}


class Server(ScriptedModel):
    """A scripted model with the manners of a server."""

    has_logprobs = False

    def __init__(self, line="hm", spent=0, refused="", style=None):
        super().__init__(lambda text, seed: line)
        self.spent, self.refused, self.prompt_style = spent, refused, style
        self.read = []

    def generate(self, prefixes, **arguments):
        written = super().generate(prefixes, **arguments)
        texts = [TOKENIZER.decode(prefix) for prefix in prefixes]
        self.read += texts
        return [
            replace(
                one,
                spent=min(limit, self.spent),
                failed="HTTP 400" if text == self.refused else None,
            )
            for one, text, limit in zip(written, texts, arguments["max_tokens"])
        ]


@pytest.mark.parametrize("strategy", strategy_names())
def test_who_asks_a_guide_is_refused_where_there_is_none(make_envs, strategy):
    envs = make_envs(2, PRIVATE)
    before = [env.snapshot() for env in envs]
    model = Server()
    if strategy in ASKS_NOBODY:
        check_searches(model, envs, load_strategy(strategy))
    else:
        with pytest.raises(ValueError, match=r"Arithmetic.*there is none.*greedy"):
            check_searches(model, envs, load_strategy(strategy))
    assert [env.snapshot() for env in envs] == before
    assert model.calls == []


def test_a_weighted_vote_asks_and_a_plain_one_does_not(make_envs):
    envs = make_envs(1, PRIVATE)
    check_searches(Server(), envs, load_strategy("self_consistency", vote="majority"))
    with pytest.raises(ValueError, match="asks a guide"):
        check_searches(Server(), envs, load_strategy("self_consistency", vote="weighted"))


def test_every_strategy_is_served_where_there_is_a_guide(make_envs):
    for strategy in strategy_names():
        check_searches(Server(), make_envs(1), load_strategy(strategy))


def test_the_guides_that_need_no_likelihoods(make_envs):
    [public], [private] = make_envs(1), make_envs(1, PRIVATE)
    server, scripted = Server(), ScriptedModel(lambda text, seed: "hm")
    assert default_guide(server, public) == "public"
    assert default_guide(server, private) == NOBODY
    assert default_guide(scripted, private, server) == NOBODY
    assert default_guide(server, private, scripted) == "policy"
    assert Guide.parse(NOBODY).parts == ()
    with pytest.raises(ValueError, match=f"Unknown guide '{NOBODY}'"):
        Guide.parse(f"{NOBODY}+public")
    for guide in ("policy", "0.5*policy+public"):
        with pytest.raises(ValueError, match="gives none"):
            Guide.parse(guide).check(scripted, public, server)
        Guide.parse(guide).check(server, public, scripted)


def test_what_was_generated_unseen_is_charged(make_envs):
    [env] = make_envs(1)
    [plain] = run_searches(Server(), [env], load_strategy("greedy"), [0], 60)
    [env] = make_envs(1)
    [dear] = run_searches(Server(spent=20), [env], load_strategy("greedy"), [0], 60)
    assert dear.ledger.generated_tokens == 60
    assert dear.ledger.model_calls == 3 < plain.ledger.model_calls
    assert dear.ledger.generated_tokens > sum(map(len, dear.tokens))


def test_a_refused_prefix_fails_its_own_search(make_envs):
    envs = make_envs(3)
    model = Server(refused=envs[1].episode.text)
    found = run_searches(model, envs, load_strategy("greedy"), [0, 1, 2], 60)
    assert [one.error for one in found] == [None, "RequestRefused: HTTP 400", None]
    assert found[1].actions == ()
    assert found[1].ledger.model_calls == 1


def test_a_model_that_wants_the_rules_gets_them(make_envs):
    [plain] = make_envs(1)
    [told] = make_envs(1, prompt="verbose")
    for env in (plain, told):
        model = Server(style="verbose")
        run_searches(model, [env], load_strategy("greedy"), [0], 60)
        assert model.read[0] == told.task.prompt(told.episode.problem, "verbose") + "\n"
        assert model.read[1] == model.read[0] + "hm\n"
