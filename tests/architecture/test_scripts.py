"""The scripts: they follow pip's configuration, name no registry, and say plainly what is missing."""

import os
import re
import shutil
import subprocess
import sys
from pathlib import Path

import pytest

ROOT = Path(__file__).parents[2]
SCRIPTS = (
    "script/bare",
    "script/bootstrap",
    "script/demo",
    "script/poetry",
    "script/services",
    "script/test",
    ".ci/run",
)
POETRY = """#!/bin/sh
printf '%s\\n' "$POETRY_PYPI_MIRROR_URL" "$REQUESTS_CA_BUNDLE" "${VIRTUAL_ENV-none}" "$*"
"""


@pytest.fixture(scope="module")
def python_with_pip() -> str:
    for python in (str(ROOT / ".poetry/bin/python"), sys.executable):
        probe = [python, "-m", "pip", "--version"]
        if shutil.which(python) and subprocess.run(probe, capture_output=True, check=False).returncode == 0:
            return python
    pytest.skip("no Python with pip here; script/bootstrap makes one")


@pytest.fixture
def checkout(tmp_path: Path, python_with_pip: str) -> Path:
    """Make a checkout whose Poetry says what it was called with."""
    folder = tmp_path / "checkout"
    (folder / ".poetry/bin").mkdir(parents=True)
    (folder / "script").mkdir()
    shutil.copy(ROOT / "script/poetry", folder / "script/poetry")
    (folder / ".poetry/bin/python").write_text(f'#!/bin/sh\nexec "{python_with_pip}" "$@"\n')
    (folder / ".poetry/bin/poetry").write_text(POETRY)
    for name in ("python", "poetry"):
        (folder / ".poetry/bin" / name).chmod(0o755)
    return folder


def poetry(checkout: Path, *arguments: str, pip: str = "", cwd: Path | None = None, **environment: str) -> list[str]:
    (checkout / "pip.conf").write_text(f"[global]\n{pip}\n")
    environment = {
        "PATH": os.defpath,
        "PIP_CONFIG_FILE": str(checkout / "pip.conf"),
        "HOME": str(checkout),
    } | environment
    command = [str(checkout / "script/poetry"), *arguments]
    result = subprocess.run(
        command, cwd=cwd or checkout, env=environment, capture_output=True, text=True, timeout=60, check=False
    )
    assert result.returncode == 0, result.stderr
    return result.stdout.splitlines()


def test_poetry_asks_the_index_of_pips_configuration(checkout: Path) -> None:
    index, *_ = poetry(checkout, pip="index-url = https://mirror.example/simple")
    assert index == "https://mirror.example/simple/"


def test_the_environment_goes_before_pips_configuration(checkout: Path) -> None:
    index, *_ = poetry(checkout, pip="index-url = https://other.example/", PIP_INDEX_URL="https://mirror.example/root/")
    assert index == "https://mirror.example/root/"


def test_a_mirror_that_is_set_already_stays(checkout: Path) -> None:
    index, *_ = poetry(
        checkout, pip="index-url = https://other.example/", POETRY_PYPI_MIRROR_URL="https://mine.example/"
    )
    assert index == "https://mine.example/"


def test_without_a_configured_index_poetry_asks_pips_own(checkout: Path) -> None:
    index, *_ = poetry(checkout)
    assert re.fullmatch(r"https://\S+/simple/", index)


def test_poetry_trusts_the_certificates_that_pip_trusts(checkout: Path) -> None:
    bundle = checkout / "authority.pem"
    bundle.write_text("certificate")
    assert poetry(checkout, pip=f"cert = {bundle}")[1] == str(bundle)
    assert poetry(checkout, pip="cert = /other", PIP_CERT=str(bundle))[1] == str(bundle)
    assert poetry(checkout, pip=f"cert = {bundle}", REQUESTS_CA_BUNDLE="/mine")[1] == "/mine"


def test_poetry_serves_this_project_from_any_folder_and_any_activated_environment(
    checkout: Path, tmp_path: Path
) -> None:
    assert poetry(checkout, "run", "x", VIRTUAL_ENV="/somewhere")[2:] == ["none", "run x"]
    assert poetry(checkout, "run", "x", cwd=tmp_path)[3] == f"--project {checkout} run x"


def test_without_poetry_the_wrapper_names_the_script_to_run(checkout: Path) -> None:
    (checkout / ".poetry/bin/poetry").unlink()
    result = subprocess.run([checkout / "script/poetry"], capture_output=True, text=True, check=False)
    assert result.returncode == 3
    assert "Run script/bootstrap first." in result.stderr


def test_bootstrap_explains_itself_when_it_does_not_know_an_option() -> None:
    result = subprocess.run([ROOT / "script/bootstrap", "--what"], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "script/bootstrap --runtime" in result.stdout


@pytest.mark.parametrize("script", SCRIPTS)
def test_every_script_can_be_run_and_stops_at_the_first_error(script: str) -> None:
    assert os.access(ROOT / script, os.X_OK)
    text = (ROOT / script).read_text("utf-8")
    assert text.startswith("#!/usr/bin/env bash\n# ")
    assert "\nset -euo pipefail\n" in text


@pytest.mark.parametrize("option", ["--what", "besides", "-h"])
def test_the_bare_trial_explains_itself_when_it_does_not_know_a_word(option: str) -> None:
    result = subprocess.run([ROOT / "script/test", "--bare", option], capture_output=True, text=True, check=False)
    assert result.returncode == 2
    assert "script/test --bare alone" in result.stdout


def test_the_linter_of_shell_scripts_has_nothing_to_say() -> None:
    if not shutil.which("shellcheck"):
        pytest.skip("shellcheck is not installed")
    result = subprocess.run(
        ["shellcheck", "-x", *SCRIPTS, "script/lib.sh"], cwd=ROOT, capture_output=True, text=True, check=False
    )
    assert result.returncode == 0, result.stdout


def test_no_script_and_no_setting_names_a_registry() -> None:
    places = [*SCRIPTS, "script/lib.sh", "pyproject.toml", "poetry.toml", "poetry.lock"]
    assert [
        place for place in places if re.search(r"pypi\.org|pythonhosted|simple/", (ROOT / place).read_text("utf-8"))
    ] == []
