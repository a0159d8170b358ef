"""What a process may say of a retry when others do the work."""

from uuid import UUID, uuid4

import pytest

from moonmind.db.clock import db_now_plus
from moonmind.db.tables import host
from moonmind.engine.stage_context import StageContext
from moonmind.errors import CredentialInvalid, ErrorInfo, VcsRefused
from moonmind.ports.check import Check
from moonmind.preflight.checks import Preflight
from moonmind.preflight.retry_precheck import RetryPrecheck
from moonmind.runs.chain import Stage
from moonmind.runs.machine import Failed, Outcome
from tests.support.databases import HOST, register_host
from tests.support.engine_room import EngineRoom, failed, passed

NO_BINARY = failed("codex.binary", "there is no `codex` on PATH", "Install it.")
NO_LOGIN = failed("codex.login", "no login", "Run `codex login`.")
BAD_KEY = failed("codex.key", "the service refuses the key", "Replace the key.")
NO_TOOL = failed("speckit", "speckit is not installed", "Install it.")


def precheck(room: EngineRoom, *tools: Check, works_here: bool = False, host_id: UUID | None = HOST) -> RetryPrecheck:
    preflight = Preflight(room.agent, room.forge, room.vcs, (lambda: tools,))
    return RetryPrecheck(room.database, preflight, works_here=works_here, host_id=host_id)


def failed_by(room: EngineRoom, *checks: Check, tools: tuple[Check, ...] = ()) -> UUID:
    """Let the audit of a run's own submit find these, as a worker would."""
    run = room.reach(Stage.SUBMIT)
    preflight = room.contexts._preflight
    room.contexts._preflight = Preflight(room.agent, room.forge, room.vcs, (lambda: tools,))
    room.agent.checks = checks

    def work(context: StageContext) -> Outcome:
        context.services.audit_credentials()
        return Failed(ErrorInfo("e", "the probes passed"))

    room.does(Stage.SUBMIT, work)
    room.execute(run, Stage.SUBMIT)
    room.contexts._preflight = preflight
    return run.id


def refused(room: EngineRoom, probe: RetryPrecheck, run_id: UUID, stage: Stage = Stage.SUBMIT) -> str | None:
    """Return the check that the retry is refused for; None when it is accepted."""
    try:
        probe.refuse(room.read(run_id), room.stages[stage].needs)
    except CredentialInvalid as error:
        return str(error.details["check"])
    return None


@pytest.mark.parametrize("missing", [NO_BINARY, NO_LOGIN])
def test_what_only_the_workers_have_is_missed_nowhere_else(room: EngineRoom, missing: Check) -> None:
    run = room.reach(Stage.SUBMIT)
    room.reports(Stage.SUBMIT, VcsRefused("git does not take it"))
    room.execute(run, Stage.SUBMIT)
    room.agent.checks = (missing,)
    assert refused(room, precheck(room), run.id) is None
    assert refused(room, precheck(room, works_here=True), run.id) == missing.name


def test_what_the_run_failed_by_on_this_host_and_is_still_so_is_refused(room: EngineRoom) -> None:
    run_id = failed_by(room, NO_LOGIN)
    assert refused(room, precheck(room), run_id) == "codex.login"
    room.agent.checks = (NO_BINARY, NO_LOGIN)
    assert refused(room, precheck(room), run_id) == "codex.binary"
    room.agent.checks = (passed("codex.login"),)
    assert refused(room, precheck(room), run_id) is None


def test_what_the_run_failed_by_on_another_host_is_left_to_that_hosts_audit(room: EngineRoom) -> None:
    run_id = failed_by(room, NO_BINARY)
    assert refused(room, precheck(room, host_id=uuid4()), run_id) is None
    other = uuid4()
    register_host(room.database, other)
    assert refused(room, precheck(room), run_id) is None
    with room.database._engine.begin() as connection:
        connection.execute(host.update().where(host.c.id == other).values(seen_at=db_now_plus(-600.0)))
    assert refused(room, precheck(room), run_id) == "codex.binary"


def test_a_key_that_the_service_refuses_is_bad_wherever_it_is_asked(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    room.agent.checks = (BAD_KEY,)
    assert refused(room, precheck(room), run.id) == "codex.key"
    room.agent.checks = (passed("codex.key"),)
    room.forge.checks = (failed("github.token", "it has expired"),)
    assert refused(room, precheck(room), run.id) == "github.token"


def test_a_missing_tool_counts_like_a_missing_agent(room: EngineRoom) -> None:
    run = room.reach(Stage.SUBMIT)
    assert refused(room, precheck(room, NO_TOOL, works_here=True), run.id) == "speckit"
    assert refused(room, precheck(room, NO_TOOL, works_here=True), run.id, Stage.APPLY) is None
    assert refused(room, precheck(room, NO_TOOL), run.id) is None
    run_id = failed_by(room, passed("codex.login"), tools=(NO_TOOL,))
    assert refused(room, precheck(room, NO_TOOL), run_id) == "speckit"
    assert refused(room, precheck(room), run_id) is None
