"""What a stage may write while it works, for one claim."""

from datetime import UTC, datetime, timedelta
from uuid import uuid4

import pytest
from sqlalchemy import update

from moonmind.db.clock import db_now_plus
from moonmind.db.tables import attempt
from moonmind.engine.lease import HeldLease, LeaseLost, StopRequested
from moonmind.engine.stage_services import StageServices
from moonmind.errors import (
    CredentialInvalid,
    PatchRefused,
    RepositoryUnavailable,
)
from moonmind.ports.check import Check, CheckStatus
from moonmind.preflight.checks import Preflight
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RetryMode
from moonmind.runs.records import Claim, CredentialAudit, Run
from tests.support.databases import HOST, claim_run, everything, reach, set_columns
from tests.support.engine_room import PLAN, SECRET, EngineRoom, failed, passed

SOON = datetime(2031, 1, 1, tzinfo=UTC)


def services_of(
    room: EngineRoom, claim: Claim, *, max_agents: int = 1, lease: HeldLease | None = None
) -> StageServices:
    return StageServices(
        room.database,
        room.preflight,
        room.host,
        room.redactor,
        claim,
        lease or HeldLease(claim, 60.0),
        max_agents=max_agents,
    )


@pytest.fixture
def claim(room: EngineRoom) -> Claim:
    return claim_run(room.database, reach(room.database, Stage.SUBMIT).id, Stage.SUBMIT)


def audit(room: EngineRoom, claim: Claim) -> CredentialAudit:
    with room.database.read() as unit:
        found = unit.audits.get(claim.run.id)
    assert found is not None
    return found


# --- credentials ---------------------------------------------------------------------------------------------------


def test_good_credentials_are_written_down_with_versions_and_time(room: EngineRoom, claim: Claim) -> None:
    room.agent.checks = (passed("codex.binary", "codex 0.163", version="0.163"), passed("codex.login", "logged in"))
    room.forge.checks = (passed("forge.token", "may push", user="octo"),)
    services_of(room, claim).audit_credentials()
    found = audit(room, claim)
    assert (found.codex_status, found.codex_message) == ("passed", "codex 0.163; logged in")
    assert (found.github_status, found.github_message) == ("passed", "may push")
    (git,) = room.vcs.check()
    assert found.snapshot == {"version": "0.163", "user": "octo", **git.facts}
    assert found.codex_checked_at == found.github_checked_at is not None


def test_a_bad_credential_is_written_down_before_the_stage_fails(room: EngineRoom, claim: Claim) -> None:
    room.agent.checks = (Check("codex", CheckStatus.SKIPPED, "scripted"),)
    room.forge.checks = (failed("forge.token", f"the token {SECRET} has expired", "Make a new one."),)
    with pytest.raises(CredentialInvalid) as error:
        services_of(room, claim).audit_credentials()
    assert (error.value.details, error.value.advice) == ({"check": "forge.token"}, "Make a new one.")
    found = audit(room, claim)
    assert (found.codex_status, found.codex_checked_at) == ("skipped", None)
    assert (found.github_status, found.github_message) == ("failed", "the token [redacted] has expired")
    assert SECRET not in str(everything(room.database))


def test_a_missing_tool_stops_the_stage_too_and_leaves_the_credentials_audit_as_it_is(
    room: EngineRoom, claim: Claim
) -> None:
    missing = failed("speckit", "the command speckit is not installed", "Install it.")
    room.preflight = Preflight(room.agent, room.forge, room.vcs, (lambda: (missing,),))
    with pytest.raises(CredentialInvalid) as error:
        services_of(room, claim).audit_credentials()
    assert (error.value.message, error.value.details) == (missing.message, {"check": "speckit"})
    found = audit(room, claim)
    assert (found.codex_status, found.github_status) == ("passed", "passed")


def test_no_secret_gets_into_the_snapshot(room: EngineRoom, claim: Claim) -> None:
    room.agent.checks = (passed("codex.login", environment=f"KEY={SECRET}"),)
    services_of(room, claim).audit_credentials()
    assert audit(room, claim).snapshot["environment"] == "KEY=[redacted]"


def test_a_repository_that_discover_may_not_see_is_a_failed_forge_credential(room: EngineRoom, claim: Claim) -> None:
    services_of(room, claim).note_refused_credential(RepositoryUnavailable("octo/demo cannot be seen"))
    found = audit(room, claim)
    assert (found.github_status, found.github_message) == ("failed", "octo/demo cannot be seen")
    assert (found.codex_status, found.codex_checked_at) == ("skipped", None)


def test_the_forge_alone_is_audited_where_a_run_ends_before_it_needs_an_agent(room: EngineRoom, claim: Claim) -> None:
    room.forge.checks = (failed("github.push", f"may not push, says {SECRET}", "Fix it."), passed("x", user="octo"))
    services_of(room, claim).audit_forge()
    found = audit(room, claim)
    assert (found.github_status, found.github_message) == ("failed", "may not push, says [redacted]")
    assert (found.codex_status, found.codex_checked_at) == ("skipped", None)
    assert found.snapshot == {"user": "octo"}


# --- slots and cooldowns -------------------------------------------------------------------------------------------


def test_slots_are_this_hosts_and_a_run_takes_one_only(room: EngineRoom, claim: Claim) -> None:
    other = claim_run(room.database, reach(room.database, Stage.SUBMIT).id, Stage.SUBMIT)
    assert [services_of(room, one).take_slot() for one in (claim, claim, other)] == [True, True, False]
    assert services_of(room, other, max_agents=2).take_slot()
    assert room.read(claim.run).agent_host == HOST


def test_a_claim_that_was_overtaken_takes_no_slot(room: EngineRoom, claim: Claim) -> None:
    set_columns(room.database, claim.run.id, fence=claim.fence + 1)
    before = everything(room.database)
    assert not services_of(room, claim).take_slot()
    assert everything(room.database) == before


def test_a_cooldown_is_the_whole_installations_until_it_ends(room: EngineRoom, claim: Claim) -> None:
    services = services_of(room, claim)
    assert services.cooldown("codex") is None
    services.set_cooldown("codex", SOON, f"quota of {SECRET}")
    other = claim_run(room.database, reach(room.database, Stage.SUBMIT).id, Stage.SUBMIT)
    assert services_of(room, other).cooldown("codex") == SOON
    assert services_of(room, other).cooldown("github") is None
    assert SECRET not in str(everything(room.database))


@pytest.mark.parametrize(("flag", "refusal"), [("lost", LeaseLost), ("cancelled", StopRequested)])
def test_nothing_is_written_without_the_lease(
    room: EngineRoom, claim: Claim, flag: str, refusal: type[Exception]
) -> None:
    lease = HeldLease(claim, 60.0)
    setattr(lease, flag, True)
    services = services_of(room, claim, lease=lease)
    before = everything(room.database)
    for write in (
        services.audit_credentials,
        lambda: services.note_refused_credential(RepositoryUnavailable("no")),
        services.take_slot,
        lambda: services.set_cooldown("codex", SOON, "quota"),
    ):
        with pytest.raises(refusal):
            write()
    assert everything(room.database) == before


# --- history -------------------------------------------------------------------------------------------------------


def test_the_features_last_other_run_is_what_came_before(room: EngineRoom) -> None:
    feature = "specs/001-demo"
    applied = room.reach(Stage.FINALIZE, repository="octo/demo", notes="be careful")
    set_columns(room.database, applied.id, feature_key=feature, status="cancelled", **ended())
    unfinished = room.reach(Stage.APPLY, repository="octo/demo")
    set_columns(room.database, unfinished.id, feature_key=feature, status="cancelled", **ended())
    run = room.reach(Stage.APPLY, repository="Octo/Demo")
    services = services_of(room, claim_run(room.database, run.id, Stage.APPLY))
    found = services.earlier_run(feature, Stage.APPLY)
    assert found is not None
    assert (found.id, found.notes, found.results[Stage.DISCOVER]) == (applied.id, "be careful", PLAN)
    assert (found.results[Stage.PUBLISH], found.error) == ({"v": 1, "from": "publish"}, None)
    assert services.earlier_run("specs/002-other", Stage.APPLY) is None
    assert services.earlier_run(feature, Stage.APPLY, kind="phase") == found
    assert services.earlier_run(feature, Stage.APPLY, kind="ticks") is None


def test_a_run_that_a_stage_refused_came_before_with_its_error(room: EngineRoom) -> None:
    ticked = room.reach(Stage.FINALIZE, repository="octo/demo")
    set_columns(room.database, ticked.id, feature_key="specs/001-demo", status="cancelled", **ended())
    refused = room.reach(Stage.APPLY, repository="octo/demo", notes="be careful")
    room.reports(Stage.APPLY, PatchRefused("it writes into .git"))
    room.execute(refused, Stage.APPLY)
    set_columns(room.database, refused.id, feature_key="specs/001-demo")
    run = room.reach(Stage.SUBMIT, repository="octo/demo")
    found = services_of(room, claim_run(room.database, run.id, Stage.SUBMIT)).earlier_run("specs/001-demo", Stage.APPLY)
    assert found is not None
    assert (found.id, found.error and found.error.code) == (refused.id, PatchRefused.code)
    assert set(found.results) == {Stage.DISCOVER, Stage.SUBMIT}


def test_the_commits_of_a_run_are_those_of_all_its_rounds_and_of_no_other(room: EngineRoom) -> None:
    runs = [room.reach(Stage.PUBLISH, repository=name) for name in ("octo/demo", "octo/other")]
    for number, run in enumerate(runs):
        recorded = update(attempt).where(attempt.c.run_id == run.id, attempt.c.stage == Stage.APPLY)
        with room.database._engine.begin() as connection:
            connection.execute(recorded.values(result={"commit": str(number) * 40}))
    services = services_of(room, claim_run(room.database, runs[0].id, Stage.PUBLISH))
    assert services.commits_of([runs[0].id, uuid4()]) == {"0" * 40}
    assert services.commits_of(run.id for run in runs) == {"0" * 40, "1" * 40}
    assert services.commits_of([]) == frozenset()
    set_columns(room.database, runs[0].id, status="failed", lease_owner=None, lease_until=None, **ended())
    with room.database.write() as unit:
        unit.requests.retry(
            runs[0].id, RetryMode.RESTART_FROM_DISCOVERY, notes=None, deadline_seconds=60, chain_id=uuid4()
        )
    assert services.commits_of([runs[0].id]) == {"0" * 40}


def recorded_approval(room: EngineRoom, repository: str, approval: object, *, stage: Stage = Stage.APPLY) -> Run:
    made = room.reach(Stage.PUBLISH, repository=repository)
    with room.database._engine.begin() as connection:
        written = update(attempt).where(attempt.c.run_id == made.id, attempt.c.stage == stage)
        connection.execute(written.values(result={"approval": approval}))
    over(room, made)
    return made


def over(room: EngineRoom, run: Run) -> None:
    set_columns(room.database, run.id, status="failed", lease_owner=None, lease_until=None, **ended())


def test_an_approval_of_a_recipe_is_found_in_its_repository_for_that_recipe_alone(room: EngineRoom) -> None:
    first = {"by": "ana", "recipe": "a" * 64, "paths": [".moonmind.yml"]}
    recorded_approval(room, "octo/demo", first)
    recorded_approval(room, "octo/other", {"by": "bo", "recipe": "b" * 64})
    recorded_approval(room, "octo/demo", {"by": "cy", "recipe": "c" * 64}, stage=Stage.SUBMIT)
    for said in (None, {"by": "di"}, {"by": "di", "recipe": None}):
        recorded_approval(room, "octo/demo", said)
    claimed = claim_run(room.database, room.reach(Stage.APPLY, repository="Octo/Demo").id, Stage.APPLY)
    services = services_of(room, claimed)
    assert services.approval_of_recipe("a" * 64) == first
    assert [services.approval_of_recipe(sign * 64) for sign in "bcd"] == [None, None, None]
    over(room, claimed.run)
    newer = {**first, "by": "eve"}
    retried = recorded_approval(room, "octo/demo", newer)
    assert services.approval_of_recipe("a" * 64) == newer
    with room.database.write() as unit:
        unit.requests.retry(
            retried.id, RetryMode.RESTART_FROM_DISCOVERY, notes=None, deadline_seconds=60, chain_id=uuid4()
        )
    assert services.approval_of_recipe("a" * 64) == newer, "also of a round that was opened again"


def ended() -> dict[str, object]:
    return {"dispatch_after": None, "completed_at": db_now_plus(0.0)}


def test_a_pause_is_counted_by_the_databases_clock_and_never_shortened(room: EngineRoom, claim: Claim) -> None:
    services = services_of(room, claim)
    with room.database.read() as unit:
        before = unit.now()
    until = services.extend_cooldown("forge", 300, f"wait, says {SECRET}")
    assert timedelta(seconds=300) <= until - before < timedelta(seconds=330)
    assert services.cooldown("forge") == until
    assert services.extend_cooldown("forge", 5, "again") == until
    assert services.extend_cooldown("forge", 900, "longer") > until
    assert SECRET not in str(everything(room.database))


# --- workflows -----------------------------------------------------------------------------------------------------


def test_a_token_without_the_scope_is_refused_for_workflows_and_written_down(room: EngineRoom, claim: Claim) -> None:
    room.forge.checks = (passed("github.token", tokenKind="classic"), passed("github.scopes", tokenScopes="repo"))
    with pytest.raises(CredentialInvalid, match=r"\.github/workflows/ci\.yml"):
        services_of(room, claim).check_workflows((".github/workflows/ci.yml",))
    found = audit(room, claim)
    assert found.github_status == "failed"
    assert "lacks the scope `workflow`" in found.github_message
    room.forge.checks = (
        passed("github.token", tokenKind="classic"),
        passed("github.scopes", tokenScopes="repo, workflow"),
    )
    services_of(room, claim).check_workflows((".github/workflows/ci.yml",))
    assert audit(room, claim).github_status == "passed"


def test_a_token_whose_right_cannot_be_known_is_warned_of_in_the_audit(room: EngineRoom, claim: Claim) -> None:
    room.forge.checks = (passed("github.token", tokenKind="fine-grained"),)
    services_of(room, claim).check_workflows((".github/workflows/ci.yml",))
    found = audit(room, claim)
    assert found.github_status == "passed"
    assert "only known at the push" in found.github_message
