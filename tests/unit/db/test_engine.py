"""Which databases are opened, and what is said of those that are not."""

from pathlib import Path

import pytest

from moonmind.db.engine import create_engine
from moonmind.errors import NotConfigured


def test_a_folder_that_cannot_be_made_is_named_with_its_settings(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(NotConfigured, match="cannot be made") as refused:
        create_engine(f"sqlite:///{tmp_path / 'file' / 'moonmind.db'}")
    assert "MOONMIND_VAR_DIR" in refused.value.advice


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(NotConfigured, match="must be a file"):
        create_engine(url)


def test_another_kind_of_database_is_refused_by_name() -> None:
    with pytest.raises(NotConfigured, match="mysql"):
        create_engine("mysql://localhost/moonmind")
