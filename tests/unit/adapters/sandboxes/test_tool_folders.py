from pathlib import Path

import pytest

from moonmind.adapters.sandboxes.tool_folders import tool_folders


@pytest.mark.parametrize(
    ("files", "read", "found"),
    [
        (["go/bin/go"], ["go"], ["go/bin"]),
        (["tools/uv"], ["tools"], ["tools"]),
        (["tools/uv", "tools/bin/go"], ["tools"], ["tools", "tools/bin"]),
        (["tools/uv", "tools/x"], ["tools/uv"], ["tools"]),
        (["a/bin/x", "b/bin/x"], ["b", "a"], ["b/bin", "a/bin"]),
        (["a/bin/x"], ["a", "a/bin", "a/bin/x"], ["a/bin"]),
        (["store/abc/bin/x"], ["store"], []),
        (["a:b/x"], ["a:b"], []),
        ([], ["missing"], []),
    ],
)
def test_folders_of_programs_are_searched(tmp_path: Path, files: list[str], read: list[str], found: list[str]) -> None:
    for name in files:
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).touch(mode=0o755)
    assert tool_folders(tmp_path / name for name in read) == tuple(str(tmp_path / name) for name in found)


@pytest.mark.parametrize("read", ["share", "share/text"])
def test_what_is_no_program_is_not_searched_for(tmp_path: Path, read: str) -> None:
    (tmp_path / "share/bin/folder").mkdir(parents=True)
    (tmp_path / "share/text").touch(mode=0o644)
    assert tool_folders([tmp_path / read]) == ()
