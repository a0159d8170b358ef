import os
import stat
from pathlib import Path

from moonmind.engine.host import Host, this_host
from tests.support.databases import HOST, at_once


def test_a_host_is_the_same_for_ever(tmp_path: Path) -> None:
    first = this_host(tmp_path / "state")
    assert this_host(tmp_path / "state") == first
    assert this_host(tmp_path / "other").id != first.id
    assert [path.name for path in (tmp_path / "state").iterdir()] == ["host-id"]


def test_only_its_user_may_look_into_a_state_folder(tmp_path: Path) -> None:
    this_host(tmp_path / "state")
    assert stat.S_IMODE((tmp_path / "state").stat().st_mode) == 0o700


def test_processes_that_start_at_once_agree_on_one_id(tmp_path: Path) -> None:
    found = at_once(8, lambda _: this_host(tmp_path / "state"))
    assert len({host.id for host in found if isinstance(host, Host)}) == 1
    assert not [problem for problem in found if isinstance(problem, Exception)]


def test_an_owner_names_host_process_and_one_claim() -> None:
    host = Host(HOST, "a-host")
    first, second = host.new_owner(), host.new_owner()
    assert first != second
    assert first.startswith(f"a-host:{os.getpid()}:")
