"""Where files of the service may be: checked at start, because the wrong place fails much later and obscurely."""

import tempfile
from pathlib import Path

from moonmind.errors import NotConfigured
from moonmind.private import make_folder, make_private

_MOVE = "Set MOONMIND_STATE_DIR to a folder outside any git repository and the temporary folder."

_SERVICE_FILES = ("moonmind.db*", "*.lock", "server.json", ".server.json.*", "celerybeat-schedule*", "*.log", "log")


def check_state_folder(folder: Path) -> None:
    """Refuse a state folder where agents would adopt an outer repository, or files vanish."""
    folder = folder.resolve()
    for parent in (folder, *folder.parents):
        if (parent / ".git").exists():
            raise NotConfigured(
                f"the state folder {folder} is inside the git work tree {parent}; an agent would take that for its own",
                remediation=_MOVE,
            )
    temporary = Path(tempfile.gettempdir())
    if folder.is_relative_to(temporary.resolve()):
        why = "the temporary folder, which the system cleans while agents work"
        raise NotConfigured(f"the state folder {folder} is inside {temporary}: {why}", remediation=_MOVE)


def check_unwatched(folder: Path, watched: Path) -> None:
    """Refuse a state folder where a server that reloads would start again with every file of an agent."""
    folder = folder.resolve()
    if folder.is_relative_to(watched.resolve()):
        why = "the working directory, where a reloading server watches every file"
        raise NotConfigured(
            f"the state folder {folder} is inside {watched}: {why}",
            remediation="Start the server without --reload, in another folder, or set MOONMIND_STATE_DIR to one outside of it.",
        )


def check_writable(folder: Path, setting: str, *, mode: int = 0o700) -> None:
    """Make a folder of this mode and prove that files can be written there; raises NotConfigured naming the setting."""
    try:
        make_folder(folder, mode)
        # Of a name of its own: the processes of a host start together, and each removes its file.
        with tempfile.NamedTemporaryFile(dir=folder, prefix=".writable-"):
            pass
    except OSError as error:
        raise NotConfigured(
            f"{setting}: cannot write to {folder} ({error.strerror})",
            remediation=f"Give this user write access to the folder, or set {setting} to another one.",
        ) from None


def close_to_others(var_dir: Path, state_folder: Path) -> None:
    """Take from other users what an earlier program, or one with another umask, left open to them.

    In the state folder everything; in `var_dir`, which may lie in a checkout and hold artifacts, the service's files.
    """
    make_private(state_folder)
    for name in _SERVICE_FILES:
        for path in var_dir.glob(name):
            make_private(path)
