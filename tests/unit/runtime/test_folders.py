import tempfile
from pathlib import Path

import pytest

from moonmind.errors import NotConfigured
from moonmind.runtime.folders import check_state_folder, check_unwatched, check_writable
from tests.support.databases import at_once


@pytest.fixture
def elsewhere(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> Path:
    """A folder that is not below the temporary folder, as far as can be told."""
    monkeypatch.setattr(tempfile, "tempdir", str(tmp_path / "tmp"))
    return tmp_path


def refused(folder: Path, *, watched: Path | None = None) -> NotConfigured:
    with pytest.raises(NotConfigured) as error:
        check_state_folder(folder) if watched is None else check_unwatched(folder, watched)
    assert "MOONMIND_STATE_DIR" in error.value.advice
    assert str(folder.resolve()) in error.value.message
    return error.value


def test_a_folder_of_its_own_is_fine_even_before_it_is_there(elsewhere: Path) -> None:
    check_state_folder(elsewhere / "state")
    assert not (elsewhere / "state").exists()


@pytest.mark.parametrize("below", ["", "deep/er"])
def test_a_folder_in_a_git_work_tree_is_refused(elsewhere: Path, below: str) -> None:
    (elsewhere / "checkout" / ".git").mkdir(parents=True)
    assert "git work tree" in refused(elsewhere / "checkout" / below).message


def test_a_linked_work_tree_counts_too(elsewhere: Path) -> None:
    (elsewhere / "linked").mkdir()
    (elsewhere / "linked" / ".git").write_text("gitdir: /somewhere\n")
    refused(elsewhere / "linked" / "state")


def test_a_folder_that_a_reloading_server_watches_is_refused(elsewhere: Path) -> None:
    work = elsewhere / "work"
    assert "--reload" in refused(work / "state", watched=work).advice
    refused(work, watched=work)
    check_unwatched(elsewhere, work)


def test_a_folder_below_the_working_directory_is_fine_where_nothing_reloads(
    elsewhere: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(elsewhere)
    check_state_folder(elsewhere / ".local" / "state" / "moonmind")


def test_a_folder_below_the_temporary_folder_is_refused(elsewhere: Path) -> None:
    assert "temporary folder" in refused(elsewhere / "tmp" / "state").message


def test_a_link_does_not_hide_where_a_folder_is(elsewhere: Path) -> None:
    (elsewhere / "tmp").mkdir()
    (elsewhere / "link").symlink_to(elsewhere / "tmp")
    refused(elsewhere / "link" / "state")
    refused(elsewhere / "link" / "state", watched=elsewhere / "tmp")


def test_a_writable_folder_is_made_and_left_clean(tmp_path: Path) -> None:
    check_writable(tmp_path / "deep" / "er", "SOME_SETTING")
    assert list((tmp_path / "deep" / "er").iterdir()) == []


def test_processes_that_start_together_do_not_take_each_others_probes_away(tmp_path: Path) -> None:
    def probe(_: int) -> None:
        for _ in range(200):
            check_writable(tmp_path / "state", "SOME_SETTING")

    assert at_once(4, probe) == [None] * 4
    assert list((tmp_path / "state").iterdir()) == []


def test_a_folder_that_cannot_be_written_is_named_with_its_setting(tmp_path: Path) -> None:
    (tmp_path / "file").write_text("in the way")
    with pytest.raises(NotConfigured) as error:
        check_writable(tmp_path / "file" / "below", "SOME_SETTING")
    assert error.value.message.startswith("SOME_SETTING: ")
    assert "SOME_SETTING" in error.value.advice
