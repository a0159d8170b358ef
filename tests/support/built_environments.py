"""Environments as a build leaves them, for tests of those who keep and lend them."""

import os
from collections.abc import Callable, Mapping, Sequence
from datetime import UTC, datetime
from pathlib import Path

from moonmind.adapters.environments.environment_record import HOME, Build, EnvironmentRecord
from moonmind.adapters.environments.environment_store import LOG, WORKSPACE, EnvironmentStore
from moonmind.ports.sandbox import SandboxKind
from moonmind.proof.environments.environment_value import Environment

AT = datetime(2026, 11, 28, 12, 0, tzinfo=UTC)
CHECKOUT: Mapping[str, str] = {
    "README.md": "hello\n",
    "src/app.py": "print('hi')\n",
    "packages/web/package.json": "{}\n",
}
MADE: Mapping[str, str] = {
    "workspace/.venv/bin/python": "#!/bin/sh\n",
    "workspace/.venv/lib/site.py": "site = 1\n",
    "workspace/node_modules/.bin/tool": "#!/bin/sh\n",
    "workspace/packages/web/node_modules/left-pad/index.js": "pad\n",
    "home/.cache/pip/wheel": "wheel\n",
    "home/.local/bin/own": "#!/bin/sh\n",
}


def build_of(environment: Environment | None = None, **changes: object) -> Build:
    """Return what a build is described by."""
    terms: dict[str, object] = {
        "repository": "acme/demo",
        "environment": environment or Environment(setup=("make setup",)),
        "run": "",
        "sandbox": SandboxKind.BUBBLEWRAP,
        "built_at": AT,
        "seconds": 12.5,
    }
    return Build(**(terms | changes))  # type: ignore[arg-type] # fields by name


def everything(paths: list[str]) -> set[str]:
    """Return what a repository hides whose rules hide all that is new."""
    return set(paths)


def begun(store: EnvironmentStore, key: str, checkout: Mapping[str, str] = CHECKOUT) -> Path:
    """Begin a build: a checkout, a home and a log."""
    place = store.begin(key)
    (place / WORKSPACE).mkdir()
    (place / HOME).mkdir()
    (place / LOG).write_text("installing\n")
    write(place / WORKSPACE, checkout)
    store.note_checkout(key)
    return place


def write(folder: Path, files: Mapping[str, str]) -> None:
    """Write files by their paths; programs are those in a `bin`."""
    for path, text in files.items():
        place = folder / path
        place.parent.mkdir(parents=True, exist_ok=True)
        place.write_text(text)
        if place.parent.name in {"bin", ".bin"}:
            place.chmod(0o755)


def built(
    store: EnvironmentStore,
    key: str = "k",
    made: Mapping[str, str] = MADE,
    *,
    build: Build | None = None,
    ignored: Callable[[list[str]], set[str]] = everything,
    owner: tuple[int, int] | None = None,
) -> EnvironmentRecord:
    """Build an environment."""
    place = begun(store, key)
    write(place, made)
    if owner is not None:
        for path in (place / WORKSPACE, place / HOME):
            for each in [path, *path.rglob("*")]:
                os.chown(each, *owner, follow_symlinks=False)
    return store.seal(key, build or build_of(), ignored)


def state_of(folder: Path, but: Sequence[str] = ()) -> dict[str, tuple[object, ...]]:
    """Return all that can be seen of a tree, by path."""
    found: dict[str, tuple[object, ...]] = {}
    for path in sorted([folder, *folder.rglob("*")]):
        name = str(path.relative_to(folder))
        if name.partition("/")[0] in but:
            continue
        status = path.lstat()
        content: object = None
        if path.is_symlink():
            content = os.readlink(path)
        elif path.is_file():
            content = path.read_bytes()
        found[name] = (status.st_mode, status.st_uid, status.st_gid, status.st_mtime_ns, status.st_ino, content)
    return found
