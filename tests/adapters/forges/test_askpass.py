"""The program answers git's two questions for one origin, and nothing else."""

import subprocess
from pathlib import Path

import pytest

from moonmind.adapters.forges.askpass import Askpass

TOKEN = "ghp_$(touch x)`id`'\" \\n%s"


def asked(environment: dict[str, str], question: str, folder: Path) -> subprocess.CompletedProcess[str]:
    return subprocess.run(
        [environment["GIT_ASKPASS"], question], env=environment, cwd=folder, capture_output=True, text=True, check=False
    )


@pytest.fixture
def environment(tmp_path: Path) -> dict[str, str]:
    return Askpass(tmp_path / "state").environment("https", "github.com", TOKEN)


def test_user_and_token_are_given_as_they_are(environment: dict[str, str], tmp_path: Path) -> None:
    assert asked(environment, "Username for 'https://github.com': ", tmp_path).stdout == "x-access-token\n"
    assert asked(environment, "Password for 'https://x-access-token@github.com': ", tmp_path).stdout == f"{TOKEN}\n"
    assert not (tmp_path / "x").exists()


@pytest.mark.parametrize(
    "question",
    [
        "Password for 'https://x-access-token@evil.example': ",
        "Password for 'http://x-access-token@github.com': ",
        "Password for 'https://x-access-token@github.com.evil.example': ",
        "Password for 'https://someone@github.com': ",
        "Password for 'https://x-access-token@github.com/path': ",
        "Enter passphrase for key: ",
        "",
    ],
)
def test_any_other_question_gets_no_answer(environment: dict[str, str], tmp_path: Path, question: str) -> None:
    done = asked(environment, question, tmp_path)
    assert (done.returncode, done.stdout) == (1, "")


def test_the_program_holds_nothing_and_is_ours_alone(environment: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "state" / "askpass"
    assert TOKEN not in place.read_text()
    assert place.stat().st_mode & 0o777 == 0o700
    assert [value for value in environment.values() if TOKEN in value] == [TOKEN]


def test_a_program_that_was_changed_is_put_right(environment: dict[str, str], tmp_path: Path) -> None:
    place = tmp_path / "state" / "askpass"
    place.write_text("#!/bin/sh\nexit 7\n")
    again = Askpass(tmp_path / "state").environment("https", "github.com", TOKEN)
    assert asked(again, "Username for 'https://github.com': ", tmp_path).stdout == "x-access-token\n"
