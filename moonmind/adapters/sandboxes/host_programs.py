"""Which of the host's programs jobs build with, in a form that changes when the host's own packages do."""

import re
from collections.abc import Iterable, Sequence
from pathlib import Path

TOOLS = (
    "node", "npm", "pnpm", "yarn", "bun", "deno", "go", "cargo", "rustc", "java", "mvn", "gradle", "uv", "poetry", "ruby",
    "bundle", "php", "composer", "dotnet", "swift", "elixir", "make", "cmake", "docker",
)  # fmt: skip
"""Tools that a job may be expected to have."""
_DECIDING = re.compile(r"python[23]?(\.[0-9]+)?|pip3?|gcc|cc|g\+\+|corepack|" + "|".join(TOOLS))
"""Names of programs whose upgrade can break, or change, what was built by them."""
_RELEASE = Path("/etc/os-release")
_MOST_BYTES = 1 << 16


def host_programs(folders: Iterable[str], shown: Sequence[Path], release: Path = _RELEASE) -> list[object]:
    """Return the system's release, and of each deciding program in these folders its path, where that leads, size and time.

    Left out is what lies, links resolved, outside of `shown`: no job sees it. What cannot be read counts as absent.
    """
    return [_start(release), *([str(path), *found] for path in _deciding(folders) if (found := _seen(path, shown)))]


def _deciding(folders: Iterable[str]) -> list[Path]:
    found = []
    for folder in dict.fromkeys(folders):
        try:
            paths = sorted(Path(folder).iterdir())
        except OSError:
            continue
        found += [path for path in paths if _DECIDING.fullmatch(path.name)]
    return found


def _seen(path: Path, shown: Sequence[Path]) -> tuple[str, int, int] | None:
    try:
        real = path.resolve(strict=True)
        status = real.stat()
    except (OSError, RuntimeError):  # a link that leads nowhere, or in a circle
        return None
    if not any(real.is_relative_to(folder) for folder in shown):
        return None
    return str(real), status.st_size, status.st_mtime_ns


def _start(file: Path) -> str:
    try:
        with file.open("rb") as opened:
            return opened.read(_MOST_BYTES).decode("utf-8", "replace")
    except OSError:
        return ""
