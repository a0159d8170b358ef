"""Codex cannot work here: the run says so before an agent starts, and a retry that would fail again is refused."""

from collections.abc import Callable, Iterator
from contextlib import ExitStack
from typing import Any

import pytest

from tests.support.agents import codex_binary
from tests.support.engines import ENGINES, SHORT_LEASES, Engine, engine_of

NOT_MENDED = {"MOONMIND_AGENT": "codex", "MOONMIND_FORGE": "local", "CODEX_HOME": "codex-home"}
"""A Codex home that is not there, below each process's own working directory."""

With = Callable[[str], Engine]


@pytest.fixture(params=ENGINES)
def with_codex(request: pytest.FixtureRequest) -> Iterator[With]:
    """Starts an engine whose agent is the Codex at a path, with no login at all."""
    with ExitStack() as stack:

        def start(binary: str) -> Engine:
            settings = NOT_MENDED | SHORT_LEASES | {"CODEX_BIN": binary}
            made = stack.enter_context(engine_of(request.param, request, settings))
            made.start()
            return made

        yield start


def assert_refused(engine: Engine, run: dict[str, Any], check: str) -> None:
    """Failed by that check, with advice, an audit and no agent; and its retry is refused with the same advice."""
    members = engine.team
    assert (run["status"], run["currentTaskName"]) == ("failed", "submit")
    assert (run["error"]["code"], run["error"]["details"]["check"]) == ("credential_invalid", check)
    assert run["error"]["remediation"]
    assert (run["credentialAudit"]["codexStatus"], run["credentialAudit"]["githubStatus"]) == ("failed", "skipped")
    assert run["credentialAudit"]["codexMessage"]
    assert run["codexTaskId"] is None
    assert [task["state"] for task in run["tasks"]] == ["succeeded", "failed", "waiting", "waiting", "waiting"]
    answer = members.post(f"/{run['id']}/retry")
    assert answer.status_code == 409, answer.text
    refused = answer.json()
    assert (refused["code"], refused["details"]["check"]) == ("credential_invalid", check)
    assert refused["remediation"] == run["error"]["remediation"]
    assert members.show(run["id"]) == run
    # No supervisor was ever asked to run anything.
    assert not (members.state / "jobs").exists()


@pytest.mark.codex_real
def test_codex_without_a_login_fails_the_run_and_a_retry_before_it_is_fixed_is_refused(with_codex: With) -> None:
    binary = codex_binary()
    if binary is None:
        pytest.skip("there is no codex binary")
    engine = with_codex(binary)
    run = engine.team.finish(engine.team.create())
    assert_refused(engine, run, "codex.login")
    assert "CODEX_API_KEY" in run["error"]["remediation"]


def test_a_missing_codex_ends_the_same_way(with_codex: With) -> None:
    engine = with_codex("/nonexistent/codex")
    run = engine.team.finish(engine.team.create())
    assert_refused(engine, run, "codex.binary")
    assert "/nonexistent/codex" in run["error"]["message"]
