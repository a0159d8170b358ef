"""What is asked of an engine, by what it says about itself."""

from pathlib import Path
from typing import Any

import pytest

from moonmind.adapters.sandboxes.docker import Docker, Engine, Image, _csv
from moonmind.adapters.sandboxes.sandbox_options import SandboxOptions
from moonmind.errors import SandboxFailed
from moonmind.ports.sandbox import Mount

ABLE = {"MemoryLimit": True, "SwapLimit": True, "CpuCfsQuota": True, "PidsLimit": True, "NCPU": 4}
SECCOMP = ["name=seccomp,profile=default"]


def wall(info: dict[str, Any], **options: Any) -> list[str]:
    sandbox = Docker(SandboxOptions(Path("/state"), "i", "h", **options))
    sandbox.user = (65534, 65534)
    return list(sandbox._wall(Engine.of({"SecurityOptions": SECCOMP, **ABLE, **info})))


def value(words: list[str], option: str) -> str | None:
    return words[words.index(option) + 1] if option in words else None


@pytest.mark.parametrize(
    ("missing", "options"),
    [
        ("MemoryLimit", {"--memory", "--memory-swap"}),
        ("SwapLimit", {"--memory-swap"}),
        ("CpuCfsQuota", {"--cpus"}),
        ("PidsLimit", {"--pids-limit"}),
    ],
)
def test_a_limit_that_cannot_be_had_is_left_out_and_no_other(missing: str, options: set[str]) -> None:
    every = {"--memory", "--memory-swap", "--cpus", "--pids-limit"}
    assert every <= set(wall({}, cpus=2.0))
    assert every - set(wall({missing: False}, cpus=2.0)) == options
    assert len(Engine.of({"SecurityOptions": SECCOMP, **ABLE, missing: False}).unable) == 1


def test_an_engine_that_says_nothing_can_do_nothing() -> None:
    assert Engine.of({}).unable == ("memory", "swap", "cpus", "processes", "system calls")


def test_a_rootless_engine_runs_jobs_as_its_own_user() -> None:
    assert value(wall({}), "--user") == "65534:65534"
    assert value(wall({"SecurityOptions": [*SECCOMP, "name=rootless"]}), "--user") == "0:0"


def test_users_that_are_mapped_to_others_are_not_for_jobs() -> None:
    assert value(wall({}), "--userns") is None
    assert value(wall({"SecurityOptions": [*SECCOMP, "name=userns"]}), "--userns") == "host"


@pytest.mark.parametrize(("asked", "given"), [(0.5, "0.5"), (4.0, "4"), (64.0, "4")])
def test_no_more_cores_are_asked_for_than_there_are(asked: float, given: str) -> None:
    assert value(wall({}, cpus=asked), "--cpus") == given


@pytest.mark.parametrize("options", [["name=seccomp,profile=unconfined"], ["name=apparmor"], []])
def test_an_engine_without_a_filter_of_system_calls_is_named(options: list[str]) -> None:
    assert Engine.of({**ABLE, "SecurityOptions": options}).unable == ("system calls",)


@pytest.mark.parametrize(
    ("field", "written"),
    [
        ("source=/a", "source=/a"),
        ("source=/a b", "source=/a b"),
        ("source=/a,b", '"source=/a,b"'),
        ('source=/a"b', '"source=/a""b"'),
        ("source=/a=b", "source=/a=b"),
    ],
)
def test_a_path_is_one_field_of_a_mount(field: str, written: str) -> None:
    assert _csv("type=bind", field) == f"type=bind,{written}"


@pytest.mark.parametrize("path", ["/a\nb", "/a\rb", "/a\0b", "/a ", " /a", "/a\t"])
def test_a_path_that_no_mount_can_hold_is_refused(path: str) -> None:
    with pytest.raises(SandboxFailed):
        _csv(f"source={path}")


def room(*mounts: Mount) -> list[str]:
    sandbox = Docker(SandboxOptions(mounts[0].source, "i", "h"))
    return list(sandbox._room(mounts, Image("i", "", ()), Engine.of({})))


@pytest.mark.parametrize("name", ["a:/etc", "a,b", "a\\b"])
def test_names_that_an_overlay_would_read_as_options_are_refused(tmp_path: Path, name: str) -> None:
    for folder in ("upper", "work", name):
        (tmp_path / folder).mkdir(parents=True)
    with pytest.raises(SandboxFailed, match="colons"):
        room(Mount(tmp_path, "/workspace"), Mount(tmp_path / name, "/x", writable=True, upper=tmp_path / "upper"))


@pytest.mark.parametrize("target", ["x", "/", "/proc/x", "/dev", "/sys", "/a/../b"])
def test_targets_that_cannot_be_meant_are_refused(tmp_path: Path, target: str) -> None:
    with pytest.raises(SandboxFailed, match="cannot be shown"):
        room(Mount(tmp_path, target))


@pytest.mark.parametrize("place", ["a", "a/b"])
def test_nothing_is_mounted_where_a_job_left_a_link(tmp_path: Path, place: str) -> None:
    (tmp_path / "a").symlink_to("/etc")
    with pytest.raises(SandboxFailed, match="over a link"):
        room(Mount(tmp_path, "/workspace", writable=True), Mount(tmp_path, f"/workspace/{place}"))


@pytest.mark.parametrize("name", ["a:b", "a,b", "a\\b"])
def test_below_a_folder_that_an_overlay_would_misread_there_are_copies(tmp_path: Path, name: str) -> None:
    (tmp_path / "link").symlink_to(tmp_path / name)
    for folder in (name, "link"):
        assert not Docker(SandboxOptions(tmp_path / folder, "i", "h")).overlays()
