"""A change with a suspected secret goes back to its agent once a person wrote what to do about it."""

from collections.abc import Iterator
from pathlib import Path

import pytest

from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, Redo
from tests.support.stage_parts import REPOSITORY
from tests.support.stage_world import World, discovered, failed

TOKEN, OTHER = "ghp_aB3dE5fG7hJ9kL1mN3pQ5rS7tU9vW1xY3zA5", "glpat-aB3dE5fG7hJ9kL1mN3pQ"
KEY = "-----BEGIN OPENSSH PRIVATE KEY-----\n" + "b3BlbnNzaC1rZXktdjEAAAAABG5vbmUAAAAEbm9uZQ\n" * 8
KEY += "-----END OPENSSH PRIVATE KEY-----\n"
FINDINGS = {
    "a token": ("src/a.py", f"\nT = '{TOKEN}'\n".encode(), "src/a.py:2", TOKEN),
    "a key": ("deploy/key.pem", KEY.encode(), "deploy/key.pem:1", KEY.split("\n")[1]),
    "a binary file": ("data.bin", b"\0\1\2" + OTHER.encode() + b"\0\xff", "data.bin", OTHER),
    "a name": (f"src/{TOKEN}.txt", b"x", "(file names)", TOKEN),
}


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with discovered(World(tmp_path)) as made:
        yield made


@pytest.mark.parametrize("kind", FINDINGS)
def test_notes_send_the_work_and_the_finding_back_to_the_agent(world: World, kind: str) -> None:
    name, content, place, value = FINDINGS[kind]
    elsewhere = kind in ("a key", "a binary file")

    def work(folder: Path) -> None:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).write_bytes(content)
        (folder / "kept.py").write_text("kept = 1\n")

    first = world.submit_with(work)
    assert isinstance(first, Done)
    for _ in range(2):
        # A retry alone judges the kept work again and asks nobody.
        refused = failed(world.step(Stage.APPLY))
        assert refused.error.code == "secret_suspected"
    if elsewhere:
        world.on_host("two")
    world.notes = "Take it out: read it from the environment."
    back = world.step(Stage.APPLY)
    assert isinstance(back, Redo), back
    rules = {item["rule"] for item in refused.error.details["findings"]}
    assert any(f"{place}: {rule}" in back.note for rule in rules)
    if elsewhere:
        world.on_host("three")
        world.vcs.fetch(world.forge.repository(REPOSITORY))
    world.plays({"delete": name}, {"write": "more.py", "content": "x = 1\n"})
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done), done
    assert done.result["codexTaskId"] == first.result["codexTaskId"]
    prompt = world.artifacts.read("codex/prompt-2.md").decode()
    assert back.note in prompt
    assert world.notes in prompt
    assert value not in prompt
    applied = world.step(Stage.APPLY)
    assert isinstance(applied, Done), applied
    tree = {file["path"] for file in applied.result["files"]}
    assert {"kept.py", "more.py"} <= tree
    assert name not in tree
    assert not any(value.encode() in world.artifacts.read(path) for path in world.artifacts.of("codex_patch"))


def test_an_agent_that_leaves_the_secret_in_place_is_refused_again(world: World) -> None:
    assert isinstance(world.submit_with(lambda folder: (folder / "a.py").write_text(TOKEN)), Done)
    assert isinstance(world.step(Stage.APPLY), Failed)
    world.notes = "Take it out."
    assert isinstance(world.step(Stage.APPLY), Redo)
    world.plays({"write": "more.py", "content": "x = 1\n"})
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    again = world.step(Stage.APPLY)
    assert isinstance(again, Failed), "the notes are those that the agent has read"
    assert again.error.code == "secret_suspected"
