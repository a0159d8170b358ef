"""The question of a run in the terminal: shown everywhere, answered by a command or from a list."""

import builtins
import json
import sys
from collections.abc import Callable, Iterator
from uuid import UUID

import pytest

from moonmind.db.unit_of_work import Database
from moonmind.runs.attention import CHOOSE_FEATURE, Attention, Option
from moonmind.runs.chain import Stage
from moonmind.runs.machine import RunStatus
from moonmind.runs.records import Run
from tests.support.databases import add_run, events_of, let_ask, make_due, reach, read_run
from tests.support.terminal import end

Command = Callable[..., int]
Capture = pytest.CaptureFixture[str]
Types = Callable[..., None]
Meanwhile = Callable[..., None]
ID = UUID("11111111-2222-4333-8444-555555555555")
WHICH = Attention.asking(
    CHOOSE_FEATURE,
    "Which feature?",
    [Option("specs/001-accounts", "3 open tasks\x1b[2J"), Option("specs/002-billing", "9 open tasks, changed today")],
)
TWICE = Attention.asking("stale_boxes", "Go on?", [Option("continue", "go on"), *WHICH.options])
MAY_I = Attention.asking("findings", "Publish it?", [Option("approve", "publish"), Option("reject", "stop")])
IN_WORDS = Attention.asking("a-question", "What is it called?", [])


@pytest.fixture
def types(monkeypatch: pytest.MonkeyPatch) -> Types:
    """Let a person sit at the terminal who types these lines, and then Ctrl-C."""

    def plan(*lines: str | type[BaseException]) -> None:
        left: Iterator[str | type[BaseException]] = iter([*lines, KeyboardInterrupt])

        def typed(_prompt: str = "") -> str:
            line = next(left)
            if isinstance(line, str):
                return line
            raise line

        monkeypatch.setattr(builtins, "input", typed)
        monkeypatch.setattr(sys.stdin, "isatty", lambda: True)
        monkeypatch.setattr(sys.stdout, "isatty", lambda: True)

    return plan


def asking(database: Database, question: Attention = WHICH) -> Run:
    return let_ask(database, add_run(database, id=ID), question)


def ask_anew(moonmind: Command, database: Database, question: Attention) -> None:
    """Let somebody else answer, and the stage ask this."""
    assert moonmind("answer", "1111", "specs/001-accounts", "--why", "first") == 0
    let_ask(database, read_run(database, ID), question)


def answered(database: Database) -> dict[str, object]:
    told = [event.data for event in events_of(database, ID) if event.type == "run.answered"][-1]
    return {name: value for name, value in told.items() if name not in {"at", "by", "kind"} and value is not None}


# --- shown ---------------------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "commands"),
    [
        (WHICH, [f"moonmind answer 11111111 {path} --question 1" for path in WHICH.values]),
        (MAY_I, [f"moonmind answer 11111111 --{word} --question 1" for word in ("approve", "reject")]),
        (IN_WORDS, ['moonmind answer 11111111 --text "..." --question 1']),
    ],
)
def test_show_has_the_question_its_options_and_the_commands_that_answer(
    moonmind: Command, database: Database, capsys: Capture, question: Attention, commands: list[str]
) -> None:
    asking(database, question)
    assert moonmind("show", "1111") == 0
    out = capsys.readouterr().out
    for text in (question.text, *question.values, *commands):
        assert text in out
    assert "\x1b" not in out


def test_facts_that_begin_with_the_options_value_do_not_repeat_it(
    moonmind: Command, database: Database, capsys: Capture, meanwhile: Meanwhile
) -> None:
    asking(database, Attention.asking(CHOOSE_FEATURE, "Which?", [Option("specs/001-a", "specs/001-a: 3 tasks open")]))
    assert moonmind("show", "1111") == 0
    assert capsys.readouterr().out.count("specs/001-a") == 2  # the option, and the command that chooses it
    meanwhile(lambda: end(database, ID, RunStatus.FAILED, waiting_reason=None, waiting_since=None))
    assert moonmind("show", "1111", "--watch") == 1
    assert "1. specs/001-a: 3 tasks open" in capsys.readouterr().out


def test_runs_marks_the_run_that_asks(moonmind: Command, database: Database, capsys: Capture) -> None:
    asking(database)
    add_run(database)
    assert moonmind("runs") == 0
    out = capsys.readouterr().out
    assert out.count("needs answer") == 1
    assert "moonmind answer 11111111" in out


def test_watching_without_a_terminal_shows_the_question_once(
    moonmind: Command, database: Database, meanwhile: Meanwhile, capsys: Capture
) -> None:
    asking(database)
    meanwhile(lambda: None, lambda: end(database, ID, RunStatus.FAILED, waiting_reason=None, waiting_since=None))
    assert moonmind("show", "1111", "--watch") == 1
    out = capsys.readouterr().out
    assert out.count("Which feature?") == 1
    assert out.count("answer: moonmind answer 11111111 specs/001-accounts") == 1


def test_watching_without_a_terminal_shows_a_question_again_that_is_asked_again(
    moonmind: Command, database: Database, meanwhile: Meanwhile, capsys: Capture
) -> None:
    asking(database)
    meanwhile(
        lambda: ask_anew(moonmind, database, WHICH),
        lambda: end(database, ID, RunStatus.FAILED, waiting_reason=None, waiting_since=None),
    )
    assert moonmind("show", "1111", "--watch") == 1
    out = capsys.readouterr().out
    assert [out.count(text) for text in ("Which feature?", "--question 1\n", "--question 2\n")] == [2, 2, 2]


# --- answered by a command -----------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "arguments", "stored"),
    [
        (WHICH, ("specs/002-billing", "--why", "now"), {"choice": "specs/002-billing", "why": "now"}),
        (WHICH, ("002",), {"choice": "specs/002-billing"}),
        (WHICH, ("2",), {"choice": "specs/002-billing"}),
        (MAY_I, ("--approve",), {"approve": True}),
        (MAY_I, ("--reject", "--why", "not yet"), {"reject": True, "why": "not yet"}),
        (IN_WORDS, ("--text", "It is called x."), {"text": "It is called x."}),
        (MAY_I, ("--approve", "--question", "1"), {"approve": True}),
    ],
)
def test_a_command_answers(
    moonmind: Command,
    database: Database,
    capsys: Capture,
    question: Attention,
    arguments: tuple[str, ...],
    stored: dict[str, object],
) -> None:
    asking(database, question)
    assert moonmind("answer", "1111", *arguments) == 0
    assert answered(database) == stored
    assert capsys.readouterr().out == f"Run {ID} goes on with this answer.\n"
    assert read_run(database, ID).waiting_reason is None


@pytest.mark.parametrize(
    ("arguments", "code", "said"),
    [
        (("specs/003-c",), 3, "not one of the options"),
        (("1", "--approve"), 2, "exactly one"),
        (("--approve", "--reject"), 2, "exactly one"),
        (("x" * 513,), 2, "at most 512 characters"),
        (("specs/001-accounts", "--why", "x" * 501), 2, "at most 500 characters"),
        (("--text", "x"), 3, "one of its options"),
        (("1", "--question", "2"), 3, "question 2 is not open; the run asks question 1 now: Which feature?"),
        (("--question", "1"), 2, "there is no answer"),
        (("1", "--question", "x"), 2, "--question"),
    ],
)
def test_a_wrong_answer_is_refused_and_the_question_stays_open(
    moonmind: Command, database: Database, capsys: Capture, arguments: tuple[str, ...], code: int, said: str
) -> None:
    run = asking(database)
    assert moonmind("answer", "1111", *arguments) == code
    assert said in capsys.readouterr().err
    assert read_run(database, ID) == run


@pytest.mark.parametrize(
    ("paths", "typed", "chosen"),
    [
        (("specs/002-billing", "specs/001-accounts"), "2", None),
        (("specs/001-accounts", "specs/003-pages", "specs/002-billing"), "3", None),
        (("specs/007-a", "apps/web/specs/001-b"), "1", None),
        (("specs/002-billing", "specs/001-accounts"), "002", "specs/002-billing"),
        (("specs/007-a", "specs/009-b"), "9", "specs/009-b"),
    ],
)
def test_a_number_that_means_one_option_by_its_place_and_another_by_its_feature_is_refused(
    moonmind: Command, database: Database, capsys: Capture, paths: tuple[str, ...], typed: str, chosen: str | None
) -> None:
    run = asking(database, Attention.asking(CHOOSE_FEATURE, "Which?", [Option(path, "facts") for path in paths]))
    code = moonmind("answer", "1111", typed)
    if chosen is None:
        assert (code, read_run(database, ID)) == (2, run)
        assert f"which is number {typed} of the list" in capsys.readouterr().err
    else:
        assert (code, answered(database)) == (0, {"choice": chosen})


@pytest.mark.parametrize(
    ("anew", "arguments", "stored"),
    [
        (MAY_I, ("--approve",), {"approve": True}),
        (MAY_I, ("--reject", "--why", "not yet"), {"reject": True, "why": "not yet"}),
        (WHICH, ("specs/002-billing",), {"choice": "specs/002-billing"}),
        (IN_WORDS, ("--text", "x"), {"text": "x"}),
    ],
)
def test_once_a_run_has_asked_more_than_one_question_an_answer_has_to_name_its_own(
    moonmind: Command,
    database: Database,
    capsys: Capture,
    anew: Attention,
    arguments: tuple[str, ...],
    stored: dict[str, object],
) -> None:
    asking(database)
    ask_anew(moonmind, database, anew)
    run = read_run(database, ID)
    assert moonmind("answer", "1111", *arguments) == 2
    err = capsys.readouterr().err
    assert f"asked 2 questions, and the answer does not say which one it is for; it asks now: {anew.text}" in err
    assert "--question 2" in err
    assert read_run(database, ID) == run
    assert moonmind("answer", "1111", *arguments, "--question", "2") == 0
    assert answered(database) == stored


def test_without_a_terminal_and_an_answer_the_question_is_printed(
    moonmind: Command, database: Database, capsys: Capture
) -> None:
    run = asking(database)
    assert moonmind("answer", "1111") == 2
    out, err = capsys.readouterr()
    assert "moonmind answer 11111111 specs/001-accounts" in out
    assert "no answer was given" in err
    assert moonmind("answer", "1111", "--json") == 2
    shown = json.loads(capsys.readouterr().out)
    assert [one["value"] for one in shown["options"]] == list(WHICH.values)
    assert read_run(database, ID) == run


def test_a_run_that_asks_nothing_says_so(moonmind: Command, database: Database, capsys: Capture) -> None:
    reach(database, Stage.SUBMIT, id=ID)
    assert moonmind("answer", "1111") == 3
    assert "the run asks nothing" in capsys.readouterr().err


# --- answered from a list ------------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("question", "lines", "stored"),
    [
        (WHICH, ("2",), {"choice": "specs/002-billing"}),
        (WHICH, ("", "  1 "), {"choice": "specs/001-accounts"}),
        (WHICH, ("002",), {"choice": "specs/002-billing"}),
        (WHICH, ("7", "x" * 600, "specs/001-accounts"), {"choice": "specs/001-accounts"}),
        (MAY_I, ("2",), {"reject": True}),
        (IN_WORDS, ("1",), {"text": "1"}),
    ],
)
def test_a_person_chooses_from_the_list(
    moonmind: Command,
    database: Database,
    types: Types,
    question: Attention,
    lines: tuple[str, ...],
    stored: dict[str, object],
) -> None:
    asking(database, question)
    types(*lines)
    assert moonmind("answer", "1111") == 0
    assert answered(database) == stored


@pytest.mark.parametrize("end_of_input", [KeyboardInterrupt, EOFError])
def test_ctrl_c_leaves_the_question_open(
    moonmind: Command, database: Database, types: Types, capsys: Capture, end_of_input: type[BaseException]
) -> None:
    run = asking(database)
    types(end_of_input)
    assert moonmind("answer", "1111") == 130
    assert "moonmind answer 11111111" in capsys.readouterr().err
    assert read_run(database, ID) == run


def test_a_feature_that_is_taken_is_said_and_asked_again(
    moonmind: Command, database: Database, types: Types, capsys: Capture
) -> None:
    run = asking(database)
    other = add_run(database, repository=run.repository, requested_key="002")
    types("2", "1")
    assert moonmind("answer", "1111") == 0
    assert str(other.id) in capsys.readouterr().err
    assert answered(database) == {"choice": "specs/001-accounts"}


@pytest.mark.parametrize("command", [("answer", "1111"), ("show", "1111", "--watch")])
@pytest.mark.parametrize("anew", [WHICH, TWICE, IN_WORDS])
def test_what_is_typed_does_not_answer_a_question_that_was_asked_meanwhile(
    moonmind: Command,
    database: Database,
    types: Types,
    meanwhile: Meanwhile,
    monkeypatch: pytest.MonkeyPatch,
    capsys: Capture,
    command: tuple[str, ...],
    anew: Attention,
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    asking(database)
    lines = iter(("2", "1"))

    def typed(_prompt: str = "") -> str:
        line = next(lines)
        if line == "2":
            ask_anew(moonmind, database, anew)
        return line

    types()
    monkeypatch.setattr(builtins, "input", typed)
    meanwhile(lambda: end(database, ID, RunStatus.SUCCEEDED))
    assert moonmind(*command) == 0
    out, err = capsys.readouterr()
    assert "That question is not open any more; the run asks now:" in err
    assert anew.text in out
    assert answered(database) == ({"choice": anew.values[0]} if anew.values else {"text": "1"})


def test_watching_in_a_terminal_asks_right_there(
    moonmind: Command, database: Database, types: Types, meanwhile: Meanwhile, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("TERM", "dumb")
    asking(database)
    types("2")
    meanwhile(lambda: end(database, ID, RunStatus.SUCCEEDED))
    assert moonmind("show", "1111", "--watch") == 0
    assert answered(database) == {"choice": "specs/002-billing"}


def test_a_watched_question_that_is_left_open_ends_the_watching_only(
    moonmind: Command, database: Database, types: Types, capsys: Capture
) -> None:
    run = asking(database)
    types()
    assert moonmind("show", "1111", "--watch") == 130
    assert "The question stays open" in capsys.readouterr().err
    assert read_run(database, ID) == run


def test_an_answer_that_comes_too_late_is_refused(
    moonmind: Command, database: Database, types: Types, capsys: Capture
) -> None:
    asking(database)

    def too_late(_prompt: str = "") -> str:
        make_due(database, ID)
        return "1"

    types()
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(builtins, "input", too_late)
        assert moonmind("answer", "1111") == 3
    assert "asks nothing" in capsys.readouterr().err
