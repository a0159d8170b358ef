"""What is built of this checkout works without it: its content, its migrations, and whose `.env` it reads."""

import os
import subprocess
import zipfile
from pathlib import Path

import pytest

from tests.support.processes import PYTHON, ROOT
from tests.support.reader import poetry

CONTRACT = "specs/001-celery-chain-workflow/contracts/workflow.openapi.yaml"


@pytest.fixture(scope="session")
def package(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Build the wheel and unpack it, as an installation has it."""
    folder = tmp_path_factory.mktemp("wheel")
    done = subprocess.run(
        [poetry(), "--project", str(ROOT), "build", "--format", "wheel", "--output", str(folder)],
        capture_output=True, text=True, timeout=120, check=False,
    )  # fmt: skip
    assert done.returncode == 0, done.stdout + done.stderr
    (wheel,) = folder.glob("*.whl")
    zipfile.ZipFile(wheel).extractall(folder / "site")
    return folder / "site"


def ran(package: Path, folder: Path, *command: str, **settings: str) -> subprocess.CompletedProcess[str]:
    """Run a module of the wheel: this environment has the libraries, and the wheel's package goes before the checkout."""
    environment = {"PATH": os.defpath, "HOME": str(folder), "PYTHONPATH": str(package), **settings}
    return subprocess.run(
        [PYTHON, "-P", "-m", *command],
        cwd=folder,
        env=environment,
        capture_output=True,
        text=True,
        timeout=60,
        check=False,
    )


def test_the_wheel_holds_the_licence_the_contract_the_type_markers_the_migrations_and_the_sample(package: Path) -> None:
    (metadata,) = package.glob("*.dist-info")
    assert (metadata / "licenses/LICENSE").read_bytes() == (ROOT / "LICENSE").read_bytes()
    assert "License-Expression: Apache-2.0\nLicense-File: LICENSE\n" in (metadata / "METADATA").read_text()
    assert "TERMS AND CONDITIONS FOR USE, REPRODUCTION, AND DISTRIBUTION" in (ROOT / "LICENSE").read_text()
    assert (package / "moonmind/wire/workflow.openapi.yaml").read_bytes() == (ROOT / CONTRACT).read_bytes()
    image = "moonmind/adapters/sandboxes/image/Dockerfile"
    assert (package / image).read_bytes() == (ROOT / "deploy/sandbox/Dockerfile").read_bytes()
    assert (package / "moonmind/py.typed").is_file()
    assert (package / "api_service/py.typed").is_file()
    for folder in ("moonmind/db/migrations", "moonmind/sample/repository"):
        ours = {
            path.relative_to(ROOT)
            for path in (ROOT / folder).rglob("*")
            if path.is_file() and "__pycache__" not in path.parts
        }
        assert ours
        assert {path for path in ours if not (package / path).is_file()} == set()


@pytest.mark.in_every_run(1)
def test_the_schema_is_made_without_the_checkout(package: Path, tmp_path: Path, empty_database_url: str) -> None:
    settings = {"DATABASE_URL": empty_database_url.replace("+psycopg", "")}
    before = ran(package, tmp_path, "moonmind.cli.main", "db", "current", **settings)
    assert (before.returncode, "no schema yet" in before.stdout) == (1, True), before.stdout + before.stderr
    made = ran(package, tmp_path, "moonmind.cli.main", "db", "upgrade", **settings)
    assert (made.returncode, made.stderr) == (0, "")
    assert ran(package, tmp_path, "moonmind.cli.main", "db", "current", **settings).returncode == 0


def test_an_installed_package_takes_nothing_from_a_clone_of_its_own_repository(package: Path, tmp_path: Path) -> None:
    (tmp_path / "moonmind").mkdir()
    (tmp_path / ".git").mkdir()
    (tmp_path / ".env").write_text("DATABASE_URL=sqlite:////tmp/theirs.db\n")
    refused = ran(package, tmp_path, "moonmind.cli.main", "db", "upgrade")
    assert refused.returncode == 4
    assert f"{tmp_path}/.env sets DATABASE_URL" in refused.stderr
