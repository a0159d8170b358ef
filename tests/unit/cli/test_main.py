import json
import os
import subprocess
import sys
from collections.abc import Callable
from itertools import pairwise
from pathlib import Path

import pytest

from moonmind import __version__
from moonmind.cli.main import main
from moonmind.errors import Unavailable
from moonmind.runs.machine import RetryMode, RunStatus
from moonmind.wire import AcceptFindings, CreateRun, RetryRun, RunError
from tests.support.terminal import NOW, Session, a_run, with_log

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
ID = "11111111-2222-4333-8444-555555555555"
ROOT = Path(__file__).parents[3]


def test_the_version_is_said(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("--version") == 0
    assert capsys.readouterr().out == f"moonmind {__version__}\n"


@pytest.mark.parametrize("arguments", [(), ("--help",), ("-h",)])
def test_help_names_the_commands_and_the_exit_codes(moonmind: Command, capsys: Capture, arguments: tuple[str]) -> None:
    assert moonmind(*arguments) == 0
    said = capsys.readouterr().out
    for word in ("up", "run", "runs", "show", "logs", "retry", "cancel", "doctor", "Exit codes"):
        assert word in said


@pytest.mark.parametrize("argument", ["--version", "--help"])
def test_answers_that_need_nothing_load_nothing_heavy(argument: str) -> None:
    code = (
        "import sys; from moonmind.cli.main import main; code = main([sys.argv[1]]);"
        "heavy = {'pydantic', 'sqlalchemy', 'celery', 'fastapi', 'uvicorn', 'httpx', 'structlog'} & set(sys.modules);"
        "sys.exit(f'loaded {heavy}' if heavy else code)"
    )
    done = subprocess.run([sys.executable, "-c", code, argument], capture_output=True, text=True, cwd=ROOT, check=False)
    assert (done.returncode, done.stderr) == (0, "")


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


def test_run_creates_a_run_of_what_was_asked(moonmind: Command, session: Session, capsys: Capture) -> None:
    code = moonmind("run", "acme/rockets", "--feature", "042-x", "--notes", "mind the gap", "--from", "apply")
    assert code == 0
    (asked,) = session.runs.asked
    assert asked == CreateRun.model_validate(
        {"repository": "acme/rockets", "featureKey": "042-x", "notes": "mind the gap", "forcePhase": "apply"}
    )
    out, err = capsys.readouterr()
    assert "moonmind show 11111111 --watch" in out
    assert err == ""
    assert session.closed == 1


def test_run_with_json_prints_one_document_in_the_wire_form(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("run", "acme/rockets", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert (body["id"], body["status"], len(body["tasks"])) == (ID, "pending", 5)


def test_run_without_a_server_queues_and_says_so(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.found = None
    assert moonmind("run", "acme/rockets", "--json") == 0
    out, err = capsys.readouterr()
    assert json.loads(out)["status"] == "pending"
    assert "moonmind up" in err


@pytest.mark.parametrize("repository", ["acme", "acme/rockets.git", "https://github.com/acme/rockets", "a/b/c", "a/.."])
def test_a_repository_that_is_none_is_refused(moonmind: Command, capsys: Capture, repository: str) -> None:
    assert moonmind("run", repository) == 2
    assert "repository must be owner/name" in capsys.readouterr().err


def test_watching_ends_with_the_run_and_its_exit_code(moonmind: Command, session: Session, capsys: Capture) -> None:
    failed = a_run(
        2,
        status=RunStatus.FAILED,
        completed_at=NOW,
        error=RunError(code="x", message="it broke", remediation="mend it"),
    )
    session.runs.add(a_run(), a_run(1), failed)
    assert moonmind("run", "acme/rockets", "--watch") == 1
    out = capsys.readouterr().out
    assert "it broke (x)" in out
    assert "mend it" in out


def test_watching_with_json_prints_each_change_and_the_end_last(
    moonmind: Command, session: Session, capsys: Capture
) -> None:
    session.runs.add(a_run(), a_run(), a_run(1), a_run(5))
    assert moonmind("show", "1111", "--watch", "--json") == 0
    seen = [json.loads(line) for line in capsys.readouterr().out.splitlines()]
    assert [run["status"] for run in seen][-2:] == ["running", "succeeded"]
    assert all(one != other for one, other in pairwise(seen))


def test_an_interrupt_ends_the_watching_and_says_that_the_run_goes_on(
    moonmind: Command, session: Session, capsys: Capture, monkeypatch: pytest.MonkeyPatch
) -> None:
    session.runs.add(a_run(1))

    def interrupt(seconds: float) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr("time.sleep", interrupt)
    assert moonmind("show", ID, "--watch") == 130
    assert "moonmind show 11111111 --watch" in capsys.readouterr().err


def test_runs_lists_what_there_is(moonmind: Command, session: Session, capsys: Capture) -> None:
    assert moonmind("runs") == 0
    assert "No runs yet" in capsys.readouterr().out
    session.runs.add(a_run(5, feature_key="042-x", phase="Phase 1: Setup"))
    assert moonmind("runs", "--status", "succeeded", "--repository", "acme/rockets") == 0
    out = capsys.readouterr().out
    for word in ("11111111", "succeeded", "acme/rockets", "042-x", "Phase 1: Setup"):
        assert word in out


def test_runs_with_json_prints_the_page(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(5))
    assert moonmind("runs", "--json") == 0
    body = json.loads(capsys.readouterr().out)
    assert [run["id"] for run in body["items"]] == [ID]
    assert body["nextCursor"] is None


def test_show_draws_the_stages_and_what_was_left(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(with_log(a_run(5, branch_name="moonmind/042-x", pull_request_url="https://forge/pull/1")))
    assert moonmind("show", "11111111-2") == 0
    out = capsys.readouterr().out
    for word in ("discover", "finalize", "1.0 s", "moonmind/042-x", "https://forge/pull/1", "submit/codex.jsonl", ID):
        assert word in out


def test_a_run_that_is_not_there_is_said_with_json_too(moonmind: Command, capsys: Capture) -> None:
    assert moonmind("show", ID, "--json") == 3
    out, err = capsys.readouterr()
    assert json.loads(out)["code"] == "not_found"
    assert err.startswith("error: ")
    assert "fix: " in err


def log_line(text: str) -> bytes:
    return json.dumps({"type": "item.completed", "item": {"type": "agent_message", "text": text}}).encode() + b"\n"


def test_logs_prints_what_the_agent_said_without_its_tricks(
    moonmind: Command, session: Session, capsys: Capture
) -> None:
    session.runs.add(with_log(a_run(5)))
    session.runs.files["submit/codex.jsonl"] = log_line("hello \x1b]0;owned\x07world") + b'{"type":"turn.completed"}'
    assert moonmind("logs", "1111") == 0
    assert capsys.readouterr().out == "hello world\nthe turn is complete\n"


def test_logs_with_json_prints_the_log_byte_for_byte(
    moonmind: Command, session: Session, capfdbinary: pytest.CaptureFixture[bytes]
) -> None:
    session.runs.add(with_log(a_run(5)))
    session.runs.files["submit/codex.jsonl"] = log_line("one") + log_line("two é")
    assert moonmind("logs", ID, "--json") == 0
    assert capfdbinary.readouterr().out == session.runs.files["submit/codex.jsonl"]


def test_following_logs_goes_on_until_the_run_ends(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(1), with_log(a_run(1)), with_log(a_run(5)))
    session.runs.files["submit/codex.jsonl"] = log_line("hello")
    assert moonmind("logs", ID, "-f") == 0
    assert capsys.readouterr().out == "hello\n"


def test_logs_of_an_agent_that_never_spoke_say_so(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(1))
    assert moonmind("logs", ID) == 3
    assert "has said nothing yet" in capsys.readouterr().err


def test_retry_resumes_or_begins_anew(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(2, status=RunStatus.FAILED, completed_at=NOW))
    assert moonmind("retry", ID, "--notes", "fixed") == 0
    assert moonmind("retry", ID, "--from-discovery", "--json") == 0
    assert session.runs.asked == [RetryRun(notes="fixed"), RetryRun(mode=RetryMode.RESTART_FROM_DISCOVERY)]
    assert json.loads(capsys.readouterr().out.splitlines()[-1])["status"] == "retrying"


def test_retry_accepts_findings_with_a_reason_only(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(2, status=RunStatus.FAILED, completed_at=NOW))
    one, two = "1" * 16, "2" * 16
    assert moonmind("retry", ID, "--accept", one, "--accept", two, "--why", "a test's key") == 0
    assert session.runs.asked == [
        RetryRun(accept_findings=AcceptFindings(fingerprints=[one, two], reason="a test's key"))
    ]
    for arguments in (("--accept", one), ("--why", "so")):
        assert moonmind("retry", ID, *arguments) == 2
        assert "belong together" in capsys.readouterr().err
    assert len(session.runs.asked) == 1


@pytest.mark.parametrize("given", ["zz", "1" * 15, "1" * 17, "A" * 16, "1" * 16 + "\n"])
def test_what_is_no_fingerprint_is_named_with_its_option(
    moonmind: Command, session: Session, capsys: Capture, given: str
) -> None:
    assert moonmind("retry", ID, "--accept", "1" * 16, "--accept", given, "--why", "a test's key") == 2
    assert capsys.readouterr().err == (
        f"error: --accept {given!r} is not a fingerprint, which has 16 digits of 0-9 and a-f\n"
        f"fix: Copy it from the run's error: moonmind show {ID}\n"
    )
    assert session.runs.asked == []


def test_what_the_state_does_not_allow_is_a_three(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(5))
    assert moonmind("retry", ID) == 3
    assert moonmind("cancel", ID) == 3
    assert capsys.readouterr().err.count("fix: ") == 2


def test_cancel_says_what_became_of_the_run(moonmind: Command, session: Session, capsys: Capture) -> None:
    session.runs.add(a_run(1))
    assert moonmind("cancel", "1111") == 0
    assert capsys.readouterr().out == f"{ID} is cancelled.\n"


def test_a_defect_is_a_sentence_and_a_traceback_only_when_asked(session: Session, capsys: Capture) -> None:
    def broken() -> Session:
        raise RuntimeError("the wheel came off")

    assert main(["runs"], connect=broken) == 70
    err = capsys.readouterr().err
    assert "error: RuntimeError: the wheel came off" in err
    assert "Traceback" not in err
    assert main(["--debug", "runs"], connect=broken) == 70
    assert "Traceback" in capsys.readouterr().err


def test_a_service_that_does_not_answer_is_a_five(capsys: Capture) -> None:
    def away() -> Session:
        raise Unavailable("the database does not answer")

    assert main(["runs"], connect=away) == 5
    assert capsys.readouterr().err.startswith("error: the database does not answer\nfix: ")


@pytest.mark.parametrize(
    "command",
    [
        "from moonmind.cli import screen; screen.out().print('x' * 100_000)",
        "print('x' * 100_000)",
        "raise BrokenPipeError",
    ],
)
def test_a_reader_that_leaves_ends_the_command_quietly(command: str) -> None:
    code = (
        "import sys; from moonmind.cli.main import main\n"
        f"def connect():\n    {command}\n"
        "sys.exit(main(['runs'], connect=connect))"
    )
    reading, writing = os.pipe()
    os.close(reading)
    done = subprocess.run([sys.executable, "-c", code], stdout=writing, stderr=subprocess.PIPE, cwd=ROOT, check=False)
    os.close(writing)
    assert (done.returncode, done.stderr) == (141, b"")


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
