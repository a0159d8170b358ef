"""What an API process says of itself."""

from pathlib import Path

import pytest

from api_service.runtime import Runtime
from moonmind import bootstrap
from moonmind.settings import load_settings
from tests.support.waiting import until


def test_readiness_shows_the_preflight_list_and_decides_by_what_this_process_needs(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    for name, value in {
        "MOONMIND_STATE_DIR": str(tmp_path / "state"),
        "CODEX_HOME": str(tmp_path / "nowhere"),
        "CODEX_BIN": "/nonexistent/codex",
    }.items():
        monkeypatch.setenv(name, value)
    runtime = Runtime(bootstrap.build(load_settings()))
    wanted = {"codex.binary", "codex.login", "git.binary", "speckit"}
    try:
        until(lambda: wanted <= {check.name for check in runtime.ready()}, "the list")
        checks = runtime.ready()
    finally:
        runtime.close()
    assert [check.name for check in checks if not check.informational] == ["database", "publisher"]
    assert {check.name for check in checks if check.failed} == {"codex.binary", "codex.login", "github.token"}
