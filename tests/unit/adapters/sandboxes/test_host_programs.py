import os
from collections.abc import Callable
from pathlib import Path

import pytest

from moonmind.adapters.sandboxes.host_programs import host_programs


@pytest.fixture
def host(tmp_path: Path) -> Path:
    """Return a system of its own: `usr/bin` with programs, `etc/os-release`, and a folder that is not shown."""
    for name in ("usr/bin", "usr/lib", "elsewhere", "etc"):
        (tmp_path / name).mkdir(parents=True)
    for name in ("usr/bin/python3.11", "usr/bin/node", "usr/bin/less", "elsewhere/go", "elsewhere/python3.12"):
        (tmp_path / name).write_text("#!/bin/sh\n")
        (tmp_path / name).chmod(0o755)
    (tmp_path / "usr/bin/python3").symlink_to("python3.11")
    (tmp_path / "usr/bin/go").symlink_to(tmp_path / "elsewhere/go")
    (tmp_path / "etc/os-release").write_text("VERSION_ID=12\n")
    return tmp_path


def seen(host: Path, *more: Path) -> list[object]:
    return host_programs([str(host / "usr/bin"), "/nowhere"], [host / "usr", *more], host / "etc/os-release")


def names(found: list[object]) -> set[str]:
    return {Path(entry[0]).name for entry in found[1:] if isinstance(entry, list)}


def replaced(path: Path) -> None:
    """Do what a package's upgrade does."""
    new = path.with_name("new")
    new.write_text("#!/bin/bash\n")
    new.replace(path)


def test_the_interpreters_and_tools_that_jobs_see_are_listed(host: Path) -> None:
    assert names(seen(host)) == {"python3", "python3.11", "node"}
    assert names(seen(host, host / "elsewhere")) == {"python3", "python3.11", "node", "go"}
    assert seen(host) == seen(host), "it stays the same while nothing changes"


@pytest.mark.parametrize(
    "change",
    [
        lambda host: (host / "etc/os-release").write_text("VERSION_ID=13\n"),
        lambda host: replaced(host / "usr/bin/python3.11"),
        lambda host: replaced(host / "usr/bin/node"),
        lambda host: os.utime(host / "usr/bin/node", (1, 1)),
        lambda host: (host / "usr/bin/node").unlink(),
        lambda host: (host / "usr/bin/python3.12").write_text(""),
        lambda host: [(host / "usr/bin/python3").unlink(), (host / "usr/bin/python3").symlink_to("node")],
        lambda host: (host / "usr/bin/cargo").write_text(""),
    ],
    ids=["release", "python", "node", "time", "removed", "added", "link", "tool"],
)
def test_an_upgrade_of_the_system_is_noticed(host: Path, change: Callable[[Path], object]) -> None:
    before = seen(host)
    change(host)
    assert seen(host) != before


@pytest.mark.parametrize(
    "change",
    [
        lambda host: replaced(host / "usr/bin/less"),
        lambda host: replaced(host / "elsewhere/go"),
        lambda host: (host / "usr/bin/pythonic").write_text(""),
        lambda host: (host / "usr/bin/deno").symlink_to("nowhere"),
        lambda host: (host / "usr/bin/java").symlink_to("java"),
    ],
    ids=["other program", "not shown", "other name", "dead link", "circle"],
)
def test_what_no_build_uses_changes_nothing(host: Path, change: Callable[[Path], object]) -> None:
    before = seen(host)
    change(host)
    assert seen(host) == before
