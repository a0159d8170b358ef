"""Artifacts, credential audits, cooldowns and hosts: rows beside a run."""

from datetime import UTC, datetime
from uuid import UUID, uuid4

from moonmind.db.unit_of_work import Database
from moonmind.runs.records import CredentialAudit
from tests.support.databases import HOST, add_run, next_instant, register_host

FAR = datetime(2100, 1, 1, 12, 30, 15, 123456, tzinfo=UTC)
LOG = {"type": "codex_logs", "path": "logs/codex.jsonl", "content_type": "application/x-ndjson"}


def test_an_artifact_grows_and_is_sealed_under_one_path(database: Database) -> None:
    run, other = add_run(database), add_run(database)
    with database.write() as unit:
        unit.artifacts.save(run.id, **LOG, size=None, digest=None)
        unit.artifacts.save(other.id, **LOG, size=None, digest=None)
    with database.read() as unit:
        growing = unit.artifacts.get(run.id, LOG["path"])
    assert growing is not None
    assert (growing.size, growing.digest, growing.type) == (None, None, "codex_logs")
    with database.write() as unit:
        unit.artifacts.save(run.id, **LOG, size=5_000_000_000, digest="sha256:ab")
        unit.artifacts.save(run.id, type="codex_patch", path="p", content_type="text/x-diff", size=1, digest="sha256:c")
    with database.read() as unit:
        sealed, patch = unit.artifacts.list(run.id)
        assert unit.artifacts.get(run.id, "nothing") is None
        assert unit.artifacts.get(run.id, "p") == patch
        assert len(unit.artifacts.list(other.id)) == 1
    assert (sealed.size, sealed.digest, sealed.created_at) == (5_000_000_000, "sha256:ab", growing.created_at)


def test_a_runs_last_audit_counts(database: Database) -> None:
    run = add_run(database)
    audit = CredentialAudit(run.id, "passed", "logged in", FAR, "failed", "403\x00", None, {"CODEX_ENV": "prod"})
    with database.write() as unit:
        assert unit.audits.get(run.id) is None
        unit.audits.save(CredentialAudit(run.id, "failed", "", None, "skipped", "", None, {}))
        unit.audits.save(audit)
    with database.read() as unit:
        found = unit.audits.get(run.id)
    assert found is not None
    assert found.github_message == "403"
    assert (found.codex_status, found.codex_checked_at, found.snapshot) == ("passed", FAR, {"CODEX_ENV": "prod"})


def test_a_cooldown_lasts_until_its_time(database: Database) -> None:
    with database.write() as unit:
        assert unit.cooldowns.get("codex") is None
        unit.cooldowns.set("codex", FAR, "quota")
        unit.cooldowns.set("github", unit.now(), "rate limit")
    with database.write() as unit:
        cooldown = unit.cooldowns.get("codex")
        assert unit.cooldowns.get("github") is None
        assert cooldown is not None
        assert (cooldown.name, cooldown.until, cooldown.reason) == ("codex", FAR, "quota")
        unit.cooldowns.set("codex", unit.now(), "reset")
        assert unit.cooldowns.get("codex") is None


def test_a_host_is_registered_once_and_seen_again(database: Database) -> None:
    other = uuid4()
    register_host(database)
    register_host(database, other)
    next_instant(database)
    with database.write() as unit:
        unit.hosts.register(HOST, "a-host")
        first, second = unit.hosts.list()
    assert (first.id, second.id, first.name) == (HOST, other, "a-host")
    assert first.seen_at > first.registered_at
    next_instant(database)
    register_host(database)
    with database.read() as unit:
        again = next(one for one in unit.hosts.list() if one.id == HOST)
        assert isinstance(unit.hosts.installation(), UUID)
    assert again.registered_at == first.registered_at
    assert again.seen_at > first.seen_at
