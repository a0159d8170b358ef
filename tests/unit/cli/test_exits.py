import json
import re

import pytest

from moonmind import errors
from moonmind.cli import exits
from moonmind.cli.exits import Exit
from moonmind.errors import ErrorInfo, MoonMindError
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


def test_an_error_is_said_with_what_mends_it(capsys: pytest.CaptureFixture[str]) -> None:
    exits.say(ErrorInfo("x", "it broke\x1b[2J", "mend it"))
    assert capsys.readouterr() == ("", "error: it broke\nfix: mend it\n")


def test_with_json_the_error_is_a_document_too(capsys: pytest.CaptureFixture[str]) -> None:
    exits.say(ErrorInfo("x", "it broke", "mend it"), as_json=True)
    assert json.loads(capsys.readouterr().out) == {"code": "x", "message": "it broke", "remediation": "mend it"}


def test_every_exit_code_is_documented() -> None:
    from moonmind.cli import main

    for code in Exit:
        line = re.compile(rf"^ *{int(code)} ", re.MULTILINE)
        assert line.search(exits.__doc__ or "")
        if code not in {Exit.NO_READER, Exit.TERMINATED}:
            assert line.search(main.__doc__ or "")
            assert f"{int(code)} " in exits.EPILOG
