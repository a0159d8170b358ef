import json
from collections.abc import Callable
from uuid import UUID

import pytest

from moonmind import __version__, bootstrap
from moonmind.cli import run_commands
from moonmind.db.unit_of_work import Database
from moonmind.errors import ErrorInfo, Unavailable
from moonmind.os_user import own_name
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run, RunFilter
from tests.support.databases import add_run, claim_run, events_of, everything, reach
from tests.support.terminal import Worker, end, keep, succeed

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
Meanwhile = Callable[..., None]
ID = UUID("11111111-2222-4333-8444-555555555555")
LOG = "submit/codex.jsonl"


def test_the_version_is_said(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("--version") == 0
    assert capsys.readouterr().out == f"moonmind {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_the_commands_and_the_exit_codes(moonmind: Command, capsys: Capture, arguments: tuple[str]) -> None:
    assert moonmind(*arguments) == 0
    said = capsys.readouterr().out
    for word in ("up", "run", "runs", "show", "logs", "retry", "cancel", "doctor", "Exit codes"):
        assert word in said


@pytest.mark.parametrize(
    "arguments",
    [("fly",), ("run",), ("run", "a/b", "--speed"), ("run", "a/b", "--from", "finalize"), ("runs", "--limit", "0")],
)
def test_a_wrong_command_line_is_explained_in_two_lines(
    moonmind: Command, capsys: Capture, arguments: tuple[str, ...]
) -> None:
    assert moonmind(*arguments) == 2
    out, err = capsys.readouterr()
    assert out == ""
    assert err.startswith("error: ")
    assert "--help" in err.splitlines()[-1]


def newest(database: Database) -> Run:
    with database.read() as unit:
        return unit.runs.page(RunFilter(), 1)[0]


def test_run_creates_a_run_of_what_was_asked(moonmind: Command, database: Database, capsys: Capture) -> None:
    assert moonmind("run", "acme/rockets", "--feature", "042-x", "--notes", "mind the gap") == 0
    run = newest(database)
    assert (run.repository, run.requested_key, run.notes) == ("acme/rockets", "042-x", "mind the gap")
    out, err = capsys.readouterr()
    assert f"moonmind show {str(run.id)[:8]} --watch" in out
    assert err == ""


def test_every_command_that_changes_something_leaves_its_user(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    assert moonmind("run", "acme/rockets") == 0
    run = newest(database)
    assert [moonmind("cancel", str(run.id)), moonmind("retry", str(run.id)), moonmind("cancel", str(run.id))] == [0] * 3
    kinds = {"run.created", "run.cancel_requested", "run.retried"}
    assert run.started_by == own_name()
    events = events_of(database, run.id)
    assert [event.actor for event in events if event.type.value in kinds] == [own_name()] * 4
    assert {event.actor for event in events if event.type.value not in kinds} == {None}
    capsys.readouterr()
    assert moonmind("show", str(run.id)) == 0
    out = capsys.readouterr().out
    said = [f"{what} by {own_name()} just now" for what in ("started", "cancelled", "retried", "cancelled")]
    assert [line for line in out.splitlines() if " by " in line] == said
    assert moonmind("show", str(run.id), "--json") == 0
    assert json.loads(capsys.readouterr().out)["startedBy"] == own_name()


@pytest.mark.parametrize(
    ("options", "selection", "shown"),
    [
        (["--story", "US1"], {"story": "US1"}, "only US1"),
        (["--phase", "3", "--skip", "T009"], {"phase": "3", "skip": ["T009"]}, "only 3, without T009"),
        (["--task", "T001-T005", "--task", "T9,T10"], {"tasks": ["T001-T005", "T9,T10"]}, "only T001-T005, T9,T10"),
        (["--skip", "T003"], {"skip": ["T003"]}, "without T003"),
    ],
)
def test_run_creates_a_run_of_the_tasks_that_were_chosen(
    moonmind: Command,
    database: Database,
    capsys: Capture,
    options: list[str],
    selection: dict[str, object],
    shown: str,
) -> None:
    assert moonmind("run", "acme/rockets", *options) == 0
    assert newest(database).selection == selection
    assert shown in capsys.readouterr().out


@pytest.mark.parametrize(
    ("options", "named"),
    [
        (["--story", "first"], "--story: 'first'"),
        (["--task", "T001-"], "--task: 'T001-'"),
        (["--task", "T001", "--task", "x" * 201], "--task: at most 200"),
        (["--skip", ""], "--skip: must not be blank"),
        (["--story", "US1", "--from", "apply"], "tasks cannot be selected together with --from"),
    ],
)
def test_a_choice_that_cannot_be_read_names_its_option(
    moonmind: Command, database: Database, capsys: Capture, options: list[str], named: str
) -> None:
    assert moonmind("run", "acme/rockets", *options) == 2
    assert named in capsys.readouterr().err
    assert everything(database)["run"] == []


def test_a_stage_to_start_from_needs_an_earlier_run(moonmind: Command, database: Database, capsys: Capture) -> None:
    assert moonmind("run", "acme/rockets", "--from", "apply") == 2
    assert "without --from" in capsys.readouterr().err
    assert everything(database)["run"] == []


def test_run_with_json_prints_one_document_in_the_wire_form(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("run", "acme/rockets", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["repository"], body["status"], len(body["tasks"])) == ("acme/rockets", "pending", 5)


def test_run_without_a_worker_queues_and_says_so(moonmind: Command, worker: Worker, capsys: Capture) -> None:
    worker.leave()
    assert moonmind("run", "acme/rockets", "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "pending"
    assert "moonmind up" in err


@pytest.mark.parametrize("repository", ["acme", "acme/rockets.git", "https://github.com/acme/rockets", "a/b/c", "a/.."])
def test_a_repository_that_is_none_is_refused(moonmind: Command, capsys: Capture, repository: str) -> None:
    assert moonmind("run", repository) == 2
    assert "is not owner/name" in capsys.readouterr().err


def test_watching_ends_with_the_run_and_its_exit_code(
    moonmind: Command, database: Database, meanwhile: Meanwhile, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(run_commands, "attended", lambda: True)

    def fail() -> None:
        end(database, newest(database).id, RunStatus.FAILED, error=ErrorInfo("git_failed", "it broke", "fix it"))

    meanwhile(lambda: claim_run(database, newest(database).id), fail)
    assert moonmind("run", "acme/rockets", "--watch") == 1
    out = capsys.readouterr().out
    assert "it broke (git_failed)" in out
    assert "fix it" in out


def test_watching_with_json_prints_each_change_and_the_end_last(
    moonmind: Command, database: Database, meanwhile: Meanwhile, capsys: Capture
) -> None:
    add_run(database, id=ID)
    meanwhile(lambda: None, lambda: claim_run(database, ID), lambda: end(database, ID, RunStatus.SUCCEEDED))
    assert moonmind("show", "1111", "--watch", "--json") == 0
    seen = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [run["status"] for run in seen] == ["pending", "running", "succeeded"]


def test_an_interrupt_ends_the_watching_and_says_that_the_run_goes_on(
    moonmind: Command, database: Database, meanwhile: Meanwhile, capsys: Capture
) -> None:
    add_run(database, id=ID)

    def interrupt() -> None:
        raise KeyboardInterrupt

    meanwhile(interrupt)
    assert moonmind("show", str(ID), "--watch") == 130
    assert "moonmind show 11111111 --watch" in capsys.readouterr().err


def test_runs_lists_what_there_is(moonmind: Command, database: Database, capsys: Capture) -> None:
    assert moonmind("runs") == 0
    assert "No runs yet" in capsys.readouterr().out
    succeed(database, id=ID, repository="acme/rockets", feature_key="specs/042-x", phase="Phase 1: Setup")
    assert moonmind("runs", "--status", "succeeded", "--repository", "acme/rockets") == 0
    out = capsys.readouterr().out
    for word in ("11111111", "succeeded", "acme/rockets", "042-x", "Phase 1: Setup"):
        assert word in out


def test_runs_with_json_prints_the_page(moonmind: Command, database: Database, capsys: Capture) -> None:
    add_run(database, id=ID)
    assert moonmind("runs", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert [run["id"] for run in body["items"]] == [str(ID)]
    assert body["nextCursor"] is None


def test_show_draws_the_stages_and_what_was_left(moonmind: Command, database: Database, capsys: Capture) -> None:
    succeed(database, id=ID, branch="moonmind/042-x", pull_request_url="https://forge/pull/1")
    keep(database, ID, "codex_logs", LOG, b"")
    assert moonmind("show", "11111111-2") == 0
    out = capsys.readouterr().out
    for word in ("discover", "finalize", "moonmind/042-x", "https://forge/pull/1", LOG, str(ID)):
        assert word in out


def test_a_run_that_is_not_there_is_said_with_json_too(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("show", str(ID), "--json") == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["code"] == "not_found"
    assert err.startswith("error: ")
    assert "fix: " in err


def log_line(text: str) -> bytes:
    return json.dumps({"type": "item.completed", "item": {"type": "agent_message", "text": text}}).encode() + b"\n"


def test_logs_prints_what_the_agent_said_without_its_tricks(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    succeed(database, id=ID)
    keep(database, ID, "codex_logs", LOG, log_line("hello \x1b]0;owned\x07world") + b'{"type":"turn.completed"}')
    assert moonmind("logs", "1111") == 0
    assert capsys.readouterr().out == "hello world\nthe turn is complete\n"


def test_logs_with_json_prints_the_log_byte_for_byte(
    moonmind: Command, database: Database, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    succeed(database, id=ID)
    keep(database, ID, "codex_logs", LOG, log_line("one") + log_line("two é"))
    assert moonmind("logs", str(ID), "--json") == 0
    assert capfdbinary.readouterr().out == log_line("one") + log_line("two é")


def test_following_logs_goes_on_until_the_run_ends(
    moonmind: Command, database: Database, meanwhile: Meanwhile, capsys: Capture
) -> None:
    add_run(database, id=ID)
    meanwhile(
        lambda: keep(database, ID, "codex_logs", LOG, log_line("hello"), sealed=False),
        lambda: end(database, ID, RunStatus.SUCCEEDED),
    )
    assert moonmind("logs", str(ID), "-f") == 0
    assert capsys.readouterr().out == "hello\n"


def test_logs_of_an_agent_that_never_spoke_say_so(moonmind: Command, database: Database, capsys: Capture) -> None:
    add_run(database, id=ID)
    assert moonmind("logs", str(ID)) == 3
    assert "has written nothing yet" in capsys.readouterr().err


def test_retry_resumes_or_starts_over(moonmind: Command, database: Database, capsys: Capture) -> None:
    add_run(database, id=ID)
    for options, mode in (
        (["--notes", "fixed"], "resume_failed_task"),
        (["--from-discovery"], "restart_from_discovery"),
    ):
        assert moonmind("cancel", str(ID)) == 0
        capsys.readouterr()
        assert moonmind("retry", str(ID), "--json", *options) == 0
        assert json.loads(capsys.readouterr().out)["status"] == "retrying"
        assert events_of(database, ID)[-1].data["mode"] == mode
    assert newest(database).notes == "fixed"


ONE, TWO = "1" * 16, "2" * 16


def test_retry_accepts_findings_with_a_reason_only(moonmind: Command, database: Database, capsys: Capture) -> None:
    found = {"findings": [{"fingerprint": ONE}, {"fingerprint": TWO}]}
    run = reach(database, Stage.APPLY, id=ID)
    end(database, run.id, RunStatus.FAILED, error=ErrorInfo("secret_suspected", "two keys", details=found))
    for arguments in (("--accept", ONE), ("--why", "so")):
        assert moonmind("retry", str(ID), *arguments) == 2
        assert "requires --why" in capsys.readouterr().err
    assert newest(database).status is RunStatus.FAILED
    assert moonmind("retry", str(ID), "--accept", ONE, "--accept", TWO, "--why", "a test's key") == 0
    accepted = events_of(database, ID)[-1].data["accepted"]
    assert [(one["fingerprint"], one["why"]) for one in accepted] == [(ONE, "a test's key"), (TWO, "a test's key")]


@pytest.mark.parametrize("given", ["zz", "1" * 15, "1" * 17, "A" * 16, "1" * 16 + "\n"])
def test_what_is_no_fingerprint_is_named_with_its_option(
    moonmind: Command, database: Database, capsys: Capture, given: str
) -> None:
    assert moonmind("retry", str(ID), "--accept", "1" * 16, "--accept", given, "--why", "a test's key") == 2
    assert capsys.readouterr().err == (
        f"error: --accept {given!r} is not a fingerprint: those are 16 hexadecimal digits\n"
        f"fix: Copy it from the run's error: moonmind show {ID}\n"
    )
    assert everything(database)["event"] == []


def test_what_the_state_does_not_allow_is_a_three(moonmind: Command, database: Database, capsys: Capture) -> None:
    succeed(database, id=ID)
    assert moonmind("retry", str(ID)) == 3
    assert moonmind("cancel", str(ID)) == 3
    assert capsys.readouterr().err.count("fix: ") == 2


def test_cancel_says_what_became_of_the_run_and_may_be_repeated(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    add_run(database, id=ID)
    for _ in range(2):
        assert moonmind("cancel", "1111") == 0
        assert capsys.readouterr().out == f"Run {ID} is cancelled.\n"


def failing(error: Exception) -> Callable[..., object]:
    def build(*_: object, **__: object) -> object:
        raise error

    return build


def test_a_defect_is_a_sentence_and_a_traceback_only_when_asked(
    moonmind: Command, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "build", failing(RuntimeError("the wheel came off")))
    assert moonmind("runs") == 70
    err = capsys.readouterr().err
    assert "error: RuntimeError: the wheel came off" in err
    assert "Traceback" not in err
    assert moonmind("--debug", "runs") == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_service_that_does_not_answer_is_a_five(
    moonmind: Command, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(bootstrap, "build", failing(Unavailable("the database does not answer")))
    assert moonmind("runs") == 5
    assert capsys.readouterr().err.startswith("error: the database does not answer\nfix: ")


def test_notes_that_are_too_long_are_refused_in_words(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("run", "acme/rockets", "--notes", "x" * 1025, "--feature", "y" * 121) == 2
    err = capsys.readouterr().err
    assert "notes: at most 1024 characters" in err
    assert "--feature: at most 120 characters" in err


@pytest.mark.parametrize("options", [[], ["--dry-run"]])
@pytest.mark.parametrize("feature", ["specs/../x", "specs//x", "specs/./x", "/specs/x", "specs\\x"])
def test_a_feature_outside_is_refused(moonmind: Command, capsys: Capture, feature: str, options: list[str]) -> None:
    assert moonmind("run", "acme/rockets", "--feature", feature, *options) == 2
    assert "--feature: must be a feature's folder, number or path" in capsys.readouterr().err
