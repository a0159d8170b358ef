"""Other people's secrets in a change: what stops a run, what warns, what the base allows, what a person accepts."""

import base64
import bz2
import gzip
import hashlib
import json
import lzma
import random
import string
import time
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, Redo
from moonmind.sample import source
from moonmind.stages.kit import archive_reading, secret_scan
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World

_RANDOM = random.Random(11)
_SIGNS = string.ascii_letters + string.digits


def made(count: int, signs: str = _SIGNS) -> str:
    return "".join(_RANDOM.choices(signs, k=count))


def pem(kind: str) -> str:
    body = "\n".join(made(64, _SIGNS + "+/") for _ in range(12))
    return f"-----BEGIN {kind}-----\n{body}\n-----END {kind}-----\n"


def token(claims: Mapping[str, Any]) -> str:
    parts = ({"alg": "HS256", "typ": "JWT"}, claims)
    head = ".".join(base64.urlsafe_b64encode(json.dumps(part).encode()).decode().rstrip("=") for part in parts)
    return f"{head}.{made(43)}"


GHP = f"ghp_{made(36)}"
LIVE = {
    "GitHub": f'TOKEN = "{GHP}"\n',
    "GitHub fine-grained": f"x=github_pat_{made(22)}_{made(59)}\n",
    "GitHub Actions": f"x=ghs_{made(36)}\n",
    "AWS": f"aws_access_key_id = AKIA{made(16, string.ascii_uppercase + '234567')}\n",
    "OpenSSH": pem("OPENSSH PRIVATE KEY"),
    "RSA": pem("RSA PRIVATE KEY"),
    "PGP": pem("PGP PRIVATE KEY BLOCK"),
    "a key in a string": json.dumps({"private_key": pem("PRIVATE KEY")}) + "\n",
    "a key without its end": pem("EC PRIVATE KEY")[:300],
    "GitLab": f"t: glpat-{made(20)}\n",
    "OpenAI": f"OPENAI_API_KEY=sk-proj-{made(74)}T3BlbkFJ{made(74)}\n",
    "some sk-": f"k = 'sk-{made(40)}7'\n",
    "Anthropic": f"k = 'sk-ant-api03-{made(93)}AA'\n",
    "Slack": f"xoxb-{made(12, string.digits)}-{made(13, string.digits)}-{made(24)}\n",
    "Slack webhook": f"https://hooks.slack.com/services/T{made(8, string.ascii_uppercase)}/B{made(10, string.ascii_uppercase)}/{made(24)}\n",
    "Stripe": f"sk_live_{made(24)}\n",
    "Google": f"key=AIza{made(35)}\n",
    "npm": f"//registry.npmjs.org/:_authToken=npm_{made(36)}\n",
    "PyPI": f"password = pypi-AgEIcHlwaS5vcmc{made(150)}\n",
    "SendGrid": f"SG.{made(22)}.{made(43)}\n",
    "Discord": f"https://discord.com/api/webhooks/{made(18, string.digits)}/{made(68)}\n",
    "netrc": f"machine github.com\n  login bob\n  password {made(20)}\n",
    "JWT": f"t = '{token({'sub': 'bob', 'exp': int(time.time()) + 9999})}'\n",
    "base64 of a token": base64.b64encode(f"token = {GHP}".encode()).decode() + "\n",
    "a comment that excuses": f'TOKEN = "{GHP}"  # gitleaks:allow pragma: allowlist secret\n',
}
ONLY_WARNED = {
    "Stripe test key": f"sk_test_{made(24)}\n",
    "old JWT": f"t = '{token({'sub': 'bob', 'exp': 1516239022})}'\n",
    "placeholder": 'password = "your-password-here1"\n',
}
HARMLESS = {
    "prose": "A token is a secret that nobody may see; ghp_ and sk- begin such.\n",
    "placeholder": 'TOKEN = "ghp_xxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxxx"\n',
    "AWS's example": "AKIAIOSFODNN7EXAMPLE\n"[:4] + "\n",
    "digest": f"sha256:{hashlib.sha256(b'x').hexdigest()}\n",
    "css": "div.sk-estimator-doc-link-with-a-very-long-name {}\n",
    "header": '"-----BEGIN PRIVATE KEY-----" in text\n',
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    made_world = World(tmp_path)
    assert isinstance(made_world.step(Stage.DISCOVER), Done)
    yield made_world
    made_world.agent.forget(str(made_world.run_id))


def work(world: World, files: Mapping[str, str | bytes]) -> None:
    def edit(folder: Path) -> None:
        for name, content in files.items():
            (folder / name).parent.mkdir(parents=True, exist_ok=True)
            (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())

    assert isinstance(world.submit_with(edit), Done)


def refused(world: World) -> Failed:
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Failed), outcome
    assert outcome.error.code == "secret_suspected"
    return outcome


def test_every_live_shape_stops_the_run_with_its_line_and_no_value(world: World) -> None:
    work(world, {f"src/{number}.txt": "\n\n" + text for number, text in enumerate(LIVE.values())})
    outcome = refused(world)
    found = {item["path"]: item for item in outcome.error.details["findings"]}
    names = list(LIVE)
    missing = [name for number, name in enumerate(names) if f"src/{number}.txt" not in found]
    assert not missing
    assert all(item["line"] >= 3 and item["fingerprint"] for item in found.values())
    said = str(outcome) + world.artifacts.read("apply/output.json").decode()
    for text in LIVE.values():
        assert not any(word in said for word in text.split() if len(word) > 30)


def test_a_hit_keeps_the_work_privately_and_a_retry_goes_on_from_it(world: World) -> None:
    work(world, {"src/a.py": LIVE["GitHub"], "src/b.py": "b = 1\n"})
    refused(world)
    (path,) = world.artifacts.of("codex_patch")
    assert GHP.encode() not in world.artifacts.read(path)
    assert b"+b = 1" in world.artifacts.read(path)
    hidden = world.artifacts.hidden(path)
    assert hidden is not None
    assert GHP.encode() in hidden
    mode = (world.folder / "artifacts" / str(world.run_id) / "private" / path).stat().st_mode
    assert mode & 0o777 == 0o600
    # On another host too, from the private patch; and the agent is not asked again.
    world.on_host("two")
    again = refused(world)
    (finding,) = again.error.details["findings"]
    world.checkpoints[Stage.APPLY] = {"accepted": [{"fingerprint": finding["fingerprint"], "why": "a test's own key"}]}
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    assert GHP in (world.vcs.read(REPOSITORY, outcome.result["commit"], "src/a.py") or b"").decode()
    assert any("src/a.py:1" in text and "a test's own key" in text for text in outcome.result["warnings"])


def test_accepting_one_secret_does_not_accept_another(world: World) -> None:
    work(world, {"src/a.py": LIVE["GitHub"], "src/b.py": LIVE["Stripe"]})
    first, _ = refused(world).error.details["findings"]
    world.checkpoints[Stage.APPLY] = {"accepted": [{"fingerprint": first["fingerprint"], "why": "x"}]}
    (left,) = refused(world).error.details["findings"]
    assert left["path"] == "src/b.py"


def test_weaker_signs_and_files_of_credentials_warn(world: World) -> None:
    names = [".env", "deploy/.env.production", "home/.kube/config", "home/.docker/config.json", "keys/id_rsa", "a.p12"]
    work(world, {f"src/{n}.txt": text for n, text in enumerate(ONLY_WARNED.values())} | dict.fromkeys(names, "x\n"))
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    warnings = "\n".join(outcome.result["warnings"])
    assert [name for name in names if f"{name}: " not in warnings] == []
    assert [n for n in range(len(ONLY_WARNED)) if f"src/{n}.txt:" not in warnings] == []


def test_what_is_no_secret_passes_without_a_word(world: World) -> None:
    work(world, {f"src/{n}.txt": text for n, text in enumerate(HARMLESS.values())} | {".env.example": "TOKEN=\n"})
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    assert [text for text in outcome.result["warnings"] if "secret" in text] == []


@pytest.mark.parametrize(
    ("name", "content"),
    [
        ("data.bin", b"\0\1\2" + GHP.encode() + b"\0\xff"),
        ("utf16.txt", f"token {GHP}".encode("utf-16")),
        ("wide.dat", f"token {GHP}".encode("utf-16-le")),
        ("marked.txt", b"\xff\xfe" + GHP.encode() + b"\n"),
        ("marked-big.txt", b"\xfe\xffAAA" + GHP.encode()),
        ("utf32.txt", f"token {GHP}".encode("utf-32")),
        ("package-lock.json", GHP.encode()),
        ("logo.svg", b"<svg><!-- " + GHP.encode() + b" --></svg>"),
        (f"src/{GHP}.txt", b"x"),
        ("(file names)", GHP.encode()),
        ("log.gz", gzip.compress(GHP.encode(), mtime=0)),
        ("log.bz2", bz2.compress(GHP.encode())),
        ("log.xz", lzma.compress(GHP.encode())),
        ("image.png", gzip.compress(f"token {GHP}".encode("utf-16"), mtime=0)),
    ],
)
@pytest.mark.in_every_run(4)
def test_every_kind_of_file_is_looked_into(world: World, name: str, content: bytes) -> None:
    work(world, {name: content})
    refused(world)


def based_on(tmp_path: Path, name: str, content: str) -> World:
    files: Any = {**source.files(), name: content.encode()}
    made_world = World(tmp_path, files=files)
    assert isinstance(made_world.step(Stage.DISCOVER), Done)
    return made_world


@pytest.mark.parametrize(
    ("name", "content"),
    [
        (".gitleaksignore", "src/a.py:github-pat:1\n"),
        (".gitleaks.toml", "[allowlist]\npaths = ['''^src/''']\n"),
    ],
)
def test_allow_files_of_the_base_are_honored(tmp_path: Path, name: str, content: str) -> None:
    world = based_on(tmp_path, name, content)
    work(world, {"src/a.py": LIVE["GitHub"]})
    assert isinstance(world.step(Stage.APPLY), Done)


def test_allow_files_of_the_change_count_for_nothing(world: World) -> None:
    allow = "[allowlist]\npaths = ['''.*''']\n"
    work(world, {"src/a.py": LIVE["GitHub"], ".gitleaks.toml": allow, ".gitleaksignore": "src/a.py:github-pat:1\n"})
    refused(world)


def test_a_secret_that_stood_there_before_is_not_the_changes(tmp_path: Path) -> None:
    world = based_on(tmp_path, "src/old.py", LIVE["GitHub"])

    def edit(folder: Path) -> None:
        text = (folder / "src/old.py").read_text()
        (folder / "src/old.py").unlink()
        (folder / "src/moved.py").write_text("# moved\n" + text)

    assert isinstance(world.submit_with(edit), Done)
    assert isinstance(world.step(Stage.APPLY), Done)


@pytest.mark.parametrize("shape", ["GitHub", "OpenSSH", "base64 of a token"])
@pytest.mark.in_every_run(1)
def test_notes_send_the_change_back_to_the_agent_with_its_work(world: World, shape: str) -> None:
    work(world, {"src/a.py": LIVE[shape], "src/b.py": "b = 1\n"})
    refused(world)
    world.notes = "Read the token from the environment."
    asked = world.step(Stage.APPLY)
    assert isinstance(asked, Redo), asked
    assert asked.stage is Stage.SUBMIT
    assert "src/a.py" in asked.note
    assert not any(word in asked.note for word in LIVE[shape].split() if len(word) > 30)
    # Also on a host that has nothing of the run but its artifacts.
    world.on_host("two")
    world.plays({"write": "src/a.py", "content": "import os\n"})
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    assert (world.workspace / "src/b.py").read_text() == "b = 1\n"
    assert isinstance(world.step(Stage.APPLY), Done)


@pytest.mark.parametrize("after", [None, "small\n", f"{GHP}\n"])
@pytest.mark.in_every_run(1)
def test_an_old_file_that_is_too_large_to_read_hinders_no_look(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, after: str | None
) -> None:
    monkeypatch.setattr(secret_scan, "PATCH_LIMIT", 1000)
    world = based_on(tmp_path, "old.txt", "x\n" * 1000)

    def edit(folder: Path) -> None:
        (folder / "old.txt").unlink()
        if after is not None:
            (folder / "old.txt").write_text(after)
        (folder / "src").mkdir(exist_ok=True)
        (folder / "src/a.py").write_text(LIVE["GitHub"])

    assert isinstance(world.submit_with(edit), Done)
    refused(world)


def test_compressed_content_that_is_not_looked_through_is_named(world: World, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(archive_reading, "LIMIT", 1000)
    work(world, {"a.gz": gzip.compress(bytes(2000)), "b.bz2": bz2.compress(bytes(2000))})
    outcome = world.step(Stage.APPLY)
    assert isinstance(outcome, Done), outcome
    warnings = "\n".join(outcome.result["warnings"])
    assert [name for name in ("a.gz: it is compressed", "b.bz2: it is compressed") if name not in warnings] == []
