"""What is listed of work that apply has not judged: nothing before a look, and no file that holds a secret after it."""

import base64
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

import pytest

from moonmind.bootstrap import STAGES
from moonmind.errors import NotFound, ScannerError
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Done, Failed, Suspend
from moonmind.stages.kit.patches import NOT_SEEN_YET, read_kept
from tests.integration.stages.apply.test_secret_findings import GHP, made, pem
from tests.support.stage_world import World, discovered

KEY = pem("RSA PRIVATE KEY")
CUT = KEY[: KEY.index("-----END")]
CLEAN = {"write": "src/clean.py", "content": "clean = 1\n"}
SHAPES: Mapping[str, tuple[str, str]] = {
    "a token": ("src/a.py", f'TOKEN = "{GHP}"\n'),
    "a key without its end": ("key.pem", CUT),
    "base64": ("a.txt", base64.b64encode(f"token = {GHP}".encode()).decode() + "\n"),
    "a lock file": ("package-lock.json", f'{{"x": "{GHP}"}}\n'),
}
SECRETS = [GHP, SHAPES["base64"][1].strip()[12:52], *CUT.split("\n")[1:-1]]


@pytest.fixture
def world(tmp_path: Path) -> Iterator[World]:
    with discovered(World(tmp_path)) as made_world:
        yield made_world


def wrote(world: World, shape: str, *end: Mapping[str, Any]) -> None:
    path, content = SHAPES[shape]
    world.plays({"write": path, "content": content}, CLEAN, *end)


def listed(world: World) -> bytes:
    patches = world.artifacts.of("codex_patch")
    assert patches
    return b"\n".join(world.artifacts.read(path) for path in patches)


def kept(world: World) -> bytes:
    return b"\n".join(world.artifacts.hidden(path) or b"" for path in world.artifacts.of("codex_patch"))


def shows_only_what_is_clean(world: World) -> None:
    assert b"+clean = 1" in listed(world)
    assert b"Withheld" in listed(world)
    assert [secret for secret in SECRETS if secret.encode() in listed(world)] == []
    assert any(secret.encode() in kept(world) for secret in SECRETS)


def test_finished_work_is_listed_once_it_has_been_looked_through(world: World) -> None:
    wrote(world, "a token")
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    assert listed(world) == NOT_SEEN_YET.encode()
    world.plays(CLEAN)
    assert isinstance(world.step(Stage.APPLY), Failed)
    shows_only_what_is_clean(world)


@pytest.mark.parametrize("shape", SHAPES)
def test_unfinished_work_of_a_cancelled_run_shows_no_secret(world: World, shape: str) -> None:
    wrote(world, shape)
    world.step(Stage.SUBMIT)
    world.wait_for_agent()
    STAGES[Stage.SUBMIT].abandon(world.context(Stage.SUBMIT))
    shows_only_what_is_clean(world)


@pytest.mark.parametrize("end", ["failed", "call_limit", "stalled", "timed_out", "quota"])
def test_work_of_an_agent_that_did_not_complete_shows_no_secret(world: World, end: str) -> None:
    wrote(world, "a token", {"end": end, "message": "It ended."})
    assert isinstance(world.drive(Stage.SUBMIT), Failed | Suspend)
    shows_only_what_is_clean(world)


def test_finished_work_of_a_run_that_ends_before_apply_shows_no_secret(world: World) -> None:
    wrote(world, "a token")
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    STAGES[Stage.APPLY].abandon(world.context(Stage.APPLY))
    shows_only_what_is_clean(world)


@pytest.mark.parametrize("stage", [Stage.SUBMIT, Stage.APPLY])
def test_where_the_scanner_fails_nothing_is_listed(world: World, monkeypatch: pytest.MonkeyPatch, stage: Stage) -> None:
    def broken(*_: object) -> None:
        raise ScannerError("The secret scanner ended with 2.")

    monkeypatch.setattr(world.scanner, "scan", broken)
    wrote(world, "a token")
    if stage is Stage.APPLY:
        assert isinstance(world.drive(Stage.SUBMIT), Done)
        failed = world.step(Stage.APPLY)
        assert isinstance(failed, Failed)
        assert failed.error.code == ScannerError("x").code
    else:
        world.step(Stage.SUBMIT)
        world.wait_for_agent()
    STAGES[stage].abandon(world.context(stage))
    assert listed(world) == NOT_SEEN_YET.encode()
    assert GHP.encode() in kept(world)


@pytest.mark.parametrize("error", [OSError(28, "No space left on device"), MemoryError(), ValueError("odd")])
@pytest.mark.parametrize("stage", [Stage.SUBMIT, Stage.APPLY])
def test_whatever_breaks_the_look_the_work_is_kept(
    world: World, monkeypatch: pytest.MonkeyPatch, stage: Stage, error: Exception
) -> None:
    def broken(*_: object) -> None:
        raise error

    wrote(world, "a token")
    if stage is Stage.APPLY:
        assert isinstance(world.drive(Stage.SUBMIT), Done)
    else:
        world.step(Stage.SUBMIT)
        world.wait_for_agent()
    monkeypatch.setattr(world.scanner, "scan", broken)
    left = STAGES[stage].abandon(world.context(stage))
    assert stage is Stage.APPLY or (left["wip"] and left["partialPatch"])
    assert listed(world) == NOT_SEEN_YET.encode()
    assert GHP.encode() in kept(world)


@pytest.mark.parametrize(
    "text", [NOT_SEEN_YET, "Withheld 'a': rule x.\n", "diff --git a/x b/x\nWithheld 'a': rule x.\n"]
)
def test_a_sentence_is_never_taken_for_the_work(world: World, text: str) -> None:
    world.artifacts.save("codex_patch", "patches/agent-1.diff", text.encode(), "text/x-diff")
    with pytest.raises(NotFound):
        read_kept(world.context(Stage.APPLY), "patches/agent-1.diff")


def test_a_patch_of_an_earlier_program_is_taken_back_and_kept(world: World) -> None:
    wrote(world, "a token")
    done = world.drive(Stage.SUBMIT)
    assert isinstance(done, Done)
    path = done.result["patchPath"]
    whole = world.artifacts.hidden(path) or b""
    (world.folder / "artifacts" / str(world.run_id) / "private" / path).unlink()
    world.artifacts.save("codex_patch", path, whole, "text/x-diff")
    assert isinstance(world.step(Stage.APPLY), Failed)
    shows_only_what_is_clean(world)


def test_work_goes_on_from_what_is_kept_not_from_what_is_listed(world: World) -> None:
    wrote(world, "a token", {"end": "failed", "message": made(5)})
    assert isinstance(world.drive(Stage.SUBMIT), Failed)
    world.on_host("two")
    world.plays({"write": "b.py", "content": "b = 1\n"})
    assert isinstance(world.drive(Stage.SUBMIT), Done)
    assert (world.workspace / "src/a.py").read_text() == SHAPES["a token"][1]
