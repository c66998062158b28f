"""The published JSON Schema, against what runs write and against the files in the repository."""

import json
from pathlib import Path

import jsonschema
import pytest

import benchmarks
from benchmarks.records import SCHEMAS, schema
from benchmarks.runner import run_suite

PUBLISHED = Path(benchmarks.__file__).parent / "schemas"


@pytest.fixture(scope="module")
def written(tmp_path_factory):
    folder = tmp_path_factory.mktemp("run") / "random"
    run_suite("smoke", folder, agent="random", progress=False)
    lines = (folder / "episodes.jsonl").read_text().splitlines()
    return {"run": json.loads((folder / "run.json").read_text()), "episode": json.loads(lines[0])}


@pytest.mark.parametrize("name", SCHEMAS)
def test_the_published_files_are_up_to_date(name):
    # `reason-bench schema NAME > benchmarks/schemas/NAME.schema.json` writes one again.
    assert json.loads((PUBLISHED / f"{name}.schema.json").read_text()) == schema(name)


@pytest.mark.parametrize("name", SCHEMAS)
def test_every_field_is_described(name):
    for field, about in schema(name)["properties"].items():
        assert about.get("description"), field


def validator(name):
    kind = jsonschema.Draft202012Validator
    kind.check_schema(schema(name))
    return kind(schema(name))


@pytest.mark.parametrize("name", SCHEMAS)
def test_what_a_run_writes_is_valid(name, written):
    validator(name).validate(written[name])


@pytest.mark.parametrize(
    ("name", "field", "bad"),
    [
        ("episode", "index", -1),
        ("episode", "index", "0"),
        ("episode", "solved", 1),
        ("episode", "status", "fine"),
        ("episode", "tokens", [[-1]]),
        ("episode", "ledger", {"generated_tokens": 1}),
        ("episode", "verified", True),
        ("run", "status", "finished"),
        ("run", "episodes", -1),
        ("run", "config", []),
        ("run", "config", {"limit": "all"}),
        ("run", "score", 1.0),
    ],
)
def test_what_is_wrong_is_not(name, field, bad, written):
    assert not validator(name).is_valid({**written[name], field: bad})


def test_no_such_schema():
    with pytest.raises(ValueError, match="Did you mean 'episode'"):
        schema("episodes")
