import json
import re

import pytest

from moonmind import errors
from moonmind.cli import exits
from moonmind.cli.exits import Exit
from moonmind.errors import BranchMoved, ErrorInfo, FeatureUnclear, InvalidRequest, MoonMindError, NothingToResume
from moonmind.runs.machine import TERMINAL


@pytest.mark.parametrize(
    ("kind", "code"),
    [
        (errors.InvalidRequest, 2),
        (errors.NothingToResume, 2),
        (errors.NotFound, 3),
        (errors.RunActive, 3),
        (errors.NotRetryable, 3),
        (errors.NotConfigured, 4),
        (errors.SchemaMismatch, 4),
        (errors.CredentialInvalid, 4),
        (errors.Unauthorized, 4),
        (errors.Unavailable, 5),
        (errors.ForgeError, 5),
        (errors.PatchRefused, 1),
        (errors.Unexpected, 70),
    ],
)
def test_each_kind_of_error_has_its_exit_code(kind: type[MoonMindError], code: int) -> None:
    assert exits.code_of(kind("it happened")) == code


def test_only_a_run_that_did_what_there_was_to_do_ends_well() -> None:
    assert {status.value: int(exits.of_status(status.value)) for status in TERMINAL} == {
        "succeeded": 0,
        "no_work": 0,
        "failed": 1,
        "cancelled": 1,
    }


def test_an_error_is_said_with_its_fix(capsys: pytest.CaptureFixture[str]) -> None:
    exits.say(ErrorInfo("x", "it broke\x1b[2J", "fix it"))
    assert capsys.readouterr() == ("", "error: it broke\nfix: fix it\n")


def test_with_json_the_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    exits.say(ErrorInfo("x", "it broke", "fix it"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"code": "x", "message": "it broke", "remediation": "fix it"}


def test_every_exit_code_is_documented() -> None:
    from moonmind.cli import main

    for code in Exit:
        line = re.compile(rf"^ *{int(code)} ", re.MULTILINE)
        assert line.search(exits.__doc__ or "")
        if code not in {Exit.NO_READER, Exit.TERMINATED}:
            assert line.search(main.__doc__ or "")
            assert f"{int(code)} " in exits.EPILOG


def test_the_terminal_speaks_of_its_own_options(capsys: pytest.CaptureFixture[str]) -> None:
    exits.say(NothingToResume("no earlier run left what forcePhase needs").info())
    exits.say(BranchMoved("another push came first").info())
    exits.say(FeatureUnclear("two features").info())
    exits.say(InvalidRequest("notes: at most 1024 characters").info())
    err = capsys.readouterr().err
    for words in (
        "what --from needs",
        "without --from;",
        "with --from-discovery;",
        "with --feature.",
        "run the command",
    ):
        assert words in err
    for words in ("forcePhase", "featureKey", "restart_from_discovery", "send the request"):
        assert words not in err


def test_for_programs_the_words_stay_those_of_the_api(capsys: pytest.CaptureFixture[str]) -> None:
    exits.say(FeatureUnclear("two features").info(), as_json=True)
    assert "featureKey" in json.loads(capsys.readouterr().out)["remediation"]


def test_long_lines_break_between_words_and_only_on_terminals() -> None:
    text = "error: the quick brown fox jumps over the lazy dog\n    its log\nhttps://example.org/" + "x" * 40
    lines = exits.wrapped(text, 24).splitlines()
    assert " ".join(lines[:3]) == text.splitlines()[0]
    assert max(map(len, lines[:-1])) <= 24
    assert lines[-1] == "https://example.org/" + "x" * 40
    assert exits.wrapped(text, 0) == text


def test_a_long_item_of_a_list_goes_on_below_its_own_words() -> None:
    said = exits.wrapped("Which?\n  specs/001: three tasks open\n  specs/002: one", 20)
    assert said == "Which?\n  specs/001: three\n    tasks open\n  specs/002: one"
