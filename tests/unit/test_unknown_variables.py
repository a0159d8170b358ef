"""A variable that looks like a setting and is none is named, with the setting that may be meant."""

import re
from pathlib import Path

import pytest
from pydantic import AliasChoices

from moonmind.preflight.machine_checks import settings_file
from moonmind.settings import Settings, load_settings
from moonmind.unknown_variables import unknown_variables
from tests.support.env_files import go_to_a_clone

ROOT = Path(__file__).parents[2]
SECRET = "hush-hush-hush-hush"
NAMES = {
    str(name)
    for alias in (field.validation_alias for field in Settings.model_fields.values())
    for name in (alias.choices if isinstance(alias, AliasChoices) else [alias])
}


@pytest.mark.parametrize(
    ("name", "near"),
    [
        ("MOONMIND_SANDBOX_IMGAE", "MOONMIND_SANDBOX_IMAGE"),
        ("moonmind_sandbx", "MOONMIND_SANDBOX"),
        ("MOONMIND_TEST_MODE", "SPEC_WORKFLOW_TEST_MODE"),
        ("SPEC_WORKFLOW_TESTMODE", "SPEC_WORKFLOW_TEST_MODE"),
        ("MOONMIND_ARTIFACT_ROOT", "SPEC_WORKFLOW_ARTIFACT_ROOT"),
        ("MOONMIND_DATABASE_URL", "DATABASE_URL"),
        ("MOONMIND_ZZZ", None),
        ("MOONMIND_PORT", None),
    ],
)
def test_a_mistyped_name_comes_with_the_nearest_setting(name: str, near: str | None) -> None:
    assert unknown_variables([name], NAMES) == {name: near}


@pytest.mark.parametrize(
    "names",
    [
        sorted(NAMES),
        [name.lower() for name in NAMES],
        [
            "PATH",
            "MOON",
            "MOONMIND",
            "MOONMIND_",
            "XMOONMIND_A",
            "MOONMIND_A-B",
            "MOONMIND_\x1b[2J",
            "MOONMIND_" + "A" * 999,
        ],
        [
            "MOONMIND_API_SERVICE_HOST",
            "MOONMIND_API_SERVICE_PORT_HTTP",
            "MOONMIND_API_PORT_80_TCP_ADDR",
            "MOONMIND_API_PORT",
        ],
    ],
    ids=["settings", "small letters", "others", "Kubernetes"],
)
def test_what_is_a_setting_or_not_ours_is_not_named(names: list[str]) -> None:
    assert unknown_variables(names, NAMES) == {}


def test_every_variable_that_our_programs_and_tests_set_is_known() -> None:
    files = [path for folder in ("moonmind", "api_service", "tests/support", "benchmarks", "script", ".ci", "deploy")
             for path in (ROOT / folder).rglob("*") if path.is_file() and path.suffix != ".pyc"]  # fmt: skip
    named = {
        name
        for path in files
        for name in re.findall(r"\b(?:MOONMIND|SPEC_WORKFLOW)_[A-Z_]+\b", path.read_text("utf-8", "replace"))
    }
    assert {"MOONMIND_JOB", "MOONMIND_MODEL_TOKEN", "MOONMIND_ASKPASS_TOKEN", "MOONMIND_TEST_CRASHES"} <= named
    assert unknown_variables(named, NAMES) == {}


@pytest.mark.parametrize("in_file", [False, True])
def test_doctor_names_them_and_never_their_values(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, *, in_file: bool
) -> None:
    monkeypatch.chdir(tmp_path)
    assert settings_file(load_settings()).remediation == ""
    if in_file:
        (tmp_path / ".env").write_text(f"MOONMIND_API_TOKN={SECRET}\nMOONMIND_EMPTY=\nMOONMIND_ZZZ=1\n")
    else:
        monkeypatch.setenv("MOONMIND_API_TOKN", SECRET)
        monkeypatch.setenv("MOONMIND_EMPTY", "")
        monkeypatch.setenv("MOONMIND_ZZZ", "1")
    check = settings_file(load_settings())
    assert check.message.startswith("MOONMIND_API_TOKN (nearest: MOONMIND_API_TOKEN), MOONMIND_ZZZ are no settings; ")
    assert SECRET not in check.message + check.remediation
    assert not check.failed


def test_a_file_of_a_foreign_work_tree_is_read_for_names_alone(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    clone = go_to_a_clone(tmp_path, monkeypatch)
    (clone / ".env").write_text("MOONMIND_MAX_AGENT=3\nnot a setting\nMOONMIND_LOG_LEVLE=${HOME}\n")
    assert load_settings().unknown_variables() == {
        "MOONMIND_LOG_LEVLE": "MOONMIND_LOG_LEVEL",
        "MOONMIND_MAX_AGENT": "MOONMIND_MAX_AGENTS",
    }


def test_no_file_is_asked_for_where_none_is_read() -> None:
    assert Settings(_env_file=None).unknown_variables() == {}
