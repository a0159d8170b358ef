from pathlib import Path

import pytest

from moonmind.demo.child_process import Child
from moonmind.settings import Settings, ambient_environment


def test_no_setting_of_the_shell_around_reaches_the_child(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    for name in (
        "CELERY_BROKER_URL", "database_url", "GH_TOKEN", "GITHUB_TOKEN", "Moonmind_Api_Token", "CODEX_HOME",
        "MOONMIND_ENV_FILE",
    ):  # fmt: skip
        monkeypatch.setenv(name, "from the shell")
    environment = Child(tmp_path, tmp_path / "state")._environment()
    assert "from the shell" not in environment.values()
    assert environment["PATH"] == ambient_environment()["PATH"]
    assert environment["MOONMIND_VAR_DIR"] == str(tmp_path)
    assert environment["MOONMIND_STATE_DIR"] == str(tmp_path / "state")


def test_the_child_runs_in_test_mode_with_everything_in_its_folder(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    for name, value in Child(tmp_path, tmp_path / "state")._environment().items():
        monkeypatch.setenv(name, value)
    settings = Settings(_env_file=None)
    assert (settings.agent, settings.forge, settings.embedded) == ("scripted", "local", True)
    assert settings.database_url == f"sqlite:///{tmp_path}/moonmind.db"
    assert settings.artifact_root == tmp_path / "artifacts"
    assert settings.local_repos == tmp_path / "repositories"


def test_stopping_a_child_that_was_never_started_is_no_error(tmp_path: Path) -> None:
    Child(tmp_path, tmp_path / "state").stop()
