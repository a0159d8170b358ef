"""What `doctor` says of this machine's programs and of the other hosts."""

import shutil
import sys
from pathlib import Path
from uuid import uuid4

import pytest

from moonmind import __version__
from moonmind.db.unit_of_work import Database
from moonmind.ports.check import CheckStatus
from moonmind.preflight.machine_checks import hosts, open_to_agents, speckit
from tests.support.databases import register_host
from tests.support.engine_room import IdleAgent


@pytest.mark.parametrize(
    ("count", "status"), [(0, CheckStatus.PASSED), (1, CheckStatus.PASSED), (3, CheckStatus.UNKNOWN)]
)
def test_several_hosts_are_counted_and_told_what_they_do_not_share(
    database: Database, count: int, status: CheckStatus
) -> None:
    for _ in range(count):
        register_host(database, uuid4())
    (found,) = hosts(database)
    assert found.status is status
    assert (f"{count} worker hosts" in found.message) is (count > 1)


def test_a_database_that_does_not_answer_is_said_in_words(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'no' / 'such' / 'folder.db'}")
    (found,) = hosts(database)
    database.dispose()
    assert found.status is CheckStatus.UNKNOWN
    assert found.message


def test_speckit_is_found_beside_this_program_and_missed_elsewhere(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (found,) = speckit()
    assert (found.status, found.facts) == (CheckStatus.PASSED, {"speckit": __version__})
    monkeypatch.setattr(sys, "executable", str(tmp_path / "python"))
    monkeypatch.setattr(shutil, "which", lambda _name: None)
    assert speckit()[0].status is CheckStatus.FAILED


@pytest.mark.parametrize(("reaches", "has_token", "said"), [(True, False, 1), (True, True, 0), (False, False, 0)])
def test_an_api_that_agents_could_call_is_said(reaches: bool, has_token: bool, said: int) -> None:
    found = open_to_agents(IdleAgent(reaches_host=lambda: reaches), has_token=has_token)
    assert [(check.name, check.status) for check in found] == [("api.token", CheckStatus.UNKNOWN)] * said
    assert all("MOONMIND_API_TOKEN" in check.remediation for check in found)
