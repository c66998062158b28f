"""What is not published: keys and passwords, and where somebody's files lie."""

from __future__ import annotations

import base64
import json

import pytest

from leaderboards.privacy import find_secret, without_paths

A, B = "aB3" * 40, "Zx9" * 40
SECRETS = {
    "OpenAI": f"sk-{A[:48]}",
    "OpenAI project": f"sk-proj-{A[:20]}_{B[:20]}-x",
    "Anthropic": f"sk-ant-api03-{A[:40]}",
    "OpenRouter": f"sk-or-v1-{'0a' * 32}",
    "Hugging Face": f"hf_{A[:34]}",
    "GitHub": f"ghp_{A[:36]}",
    "GitHub app": f"ghs_{A[:36]}",
    "GitHub fine-grained": f"github_pat_{A[:22]}_{B[:59]}",
    "GitLab": f"glpat-{A[:20]}",
    "AWS": "AKIA" + "ABCD" * 4,
    "AWS session": "ASIA" + "ABCD" * 4,
    "AWS secret": f"aws_secret_access_key = {A[:40]}",
    "Google": f"AIza{A[:35]}",
    "Google token": f"ya29.{A[:60]}",
    "Slack": "xoxb-" + "123456789012-" + A[:20],
    "Slack app": "xapp-1-" + A[:20],
    "Stripe": f"sk_live_{A[:24]}",
    "Groq": f"gsk_{A[:52]}",
    "NVIDIA": f"nvapi-{A[:60]}",
    "PyPI": f"pypi-AgEIcHlwaS5vcmc{A[:40]}",
    "JWT": f"eyJ{A[:20]}.eyJ{A[:40]}.{B[:30]}",
    "PEM": "-----BEGIN PRIVATE KEY-----",
    "PEM of a kind": "-----BEGIN RSA PRIVATE KEY-----",
    "OpenSSH": "-----BEGIN OPENSSH PRIVATE KEY-----",
    "PGP": "-----BEGIN PGP PRIVATE KEY BLOCK-----",
    "bearer": f"Authorization: Bearer {A[:12]}",
    "bearer in JSON": f'"authorization": "Bearer {A[:12]}"',
    "bearer alone": f"curl -H 'bearer {A[:24]}'",
    "basic": "Authorization: Basic dXNlcjpwYXNzd29yZA==",
    "password in an address": "postgres://ada:hunter2@db.example/x",
    "token in an address": f"https://oauth2:{A[:20]}@git.example/x.git",
    "named": "api_key='a1b2c3d4e5f6'",
    "password": "PASSWORD: correcthorse1",
}
ORDINARY = [
    "task-specific-instruction-tuned-model-v2",
    "risk-averse-decision-making-process-of-agents",
    "disk-usage-of-the-whole-machine-in-bytes",
    "the secret is 12345678",
    "password: swordfish",
    "answer: password",
    "the key: 1234567890",
    "tokens: 1234567890",
    "max_tokens=4096, budget_tokens=16384",
    "sk-learn",
    "hf_hub_download",
    "bearer of good news that everyone was waiting for",
    "2 : 3 = 4 : 6 @ home",
    "https://example.org:8443/a@b",
    "http://localhost:8000/v1",
    "git@github.com:org/model.git",
    "4b502d102dc30ad171bdaefdb961062863b27a58",
    "e3b0c44298fc1c149afbf4c8996fb92427ae41e4649b934ca495991b7852b855",
    "AKIA is a prefix",
    "25 * 3 = 75; 75 - 3 = 72",
    r"\frac{1}{2} + \sqrt{2}",
    "eyJust a word.eyJ.x",
    "-----BEGIN PUBLIC KEY-----",
    base64.b64encode(bytes(range(90))).decode(),
]


@pytest.mark.parametrize("text", SECRETS.values(), ids=SECRETS)
def test_secret(text):
    for around in (text, f"see {text}, please", f"key={text}", f"({text})", f"\n{text}\n"):
        assert find_secret(around)
        assert find_secret({"a": [around]})
        assert find_secret({around: 1})


@pytest.mark.parametrize("text", ORDINARY)
def test_ordinary_text(text):
    assert find_secret([text, {"text": text}]) is None


@pytest.mark.parametrize("name", ["api_key", "OPENAI_API_KEY", "password", "access_token"])
def test_secret_by_its_key(name):
    assert find_secret({"options": {name: "swordfish4"}})
    assert find_secret({"options": {name: None, "max_tokens": "12345678x"}}) is None


@pytest.mark.parametrize(
    "text",
    ["sk-", "eyJ", "eyJaaaaaaaa.", "://", "://a:", "bearer ", "password:", "a1", "authorization: "],
)
def test_no_text_takes_long(soon, text):
    soon(2, find_secret, text * 50_000)
    soon(2, find_secret, " " + text + "a" * 300_000)


PATHS = {
    "/home/ada/models/tiny": "tiny",
    "/tmp/x y/tiny": "tiny",
    "~/models/tiny": "tiny",
    "~ada/models/tiny": "tiny",
    "/opt/models/": "models",
    r"C:\Users\ada\tiny": "tiny",
    "C:/Users/ada/tiny": "tiny",
    r"\\server\share\ada\tiny": "tiny",
    r"\\?\C:\Users\ada\tiny": "tiny",
    "file:///home/ada/tiny": "tiny",
    "../../home/ada/tiny": "tiny",
    "file /home/ada/x.py not found": "file x.py not found",
    "see ~ada/x and ~/y": "see x and y",
    "PATH=/usr/bin:/home/ada/bin": "PATH=bin:bin",
    r"on \\srv\c$\Users\ada\x now": "on x now",
    "No such file: '/home/ada lovelace/x y.txt'": "No such file: 'x y.txt'",
    r"in 'C:\\Users\\ada l\\x.py', line 3": "in 'x.py', line 3",
    # The last name is a person's.
    "/home/ada": "...",
    "/home/ada/": "...",
    "/Users/ada": "...",
    r"C:\Users\ada": "...",
    r"\\server\home\ada": "...",
    "at /home/ada: no": "at ...: no",
}
NO_PATHS = [
    "Qwen/Qwen3-0.6B",
    "https://example.org/home/ada",
    "s3://bucket/home/x",
    "runs/tiny",
    "../data/x",
    "3 / 4 and/or 1/2",
    "/",
    r"\frac{1}{2}",
    "25 * 3 = 75",
]


@pytest.mark.parametrize("text", PATHS)
def test_paths_are_cut(text):
    assert without_paths({"a": [text, 1, None]}) == {"a": [PATHS[text], 1, None]}


@pytest.mark.parametrize("text", NO_PATHS)
def test_what_is_no_path_stays(text):
    assert without_paths(text) == text


@pytest.mark.parametrize("text", ["/", "\\", "'/", "../", "~a", "C:\\", "a:/", "ab", "file:"])
def test_no_path_takes_long(soon, text):
    assert soon(2, without_paths, "x " + text * 50_000)


def test_json_of_a_record(runs):
    for line in (runs["random"] / "episodes.jsonl").read_text().splitlines():
        assert find_secret(json.loads(line)) is None
