"""Scripts in the manifests of packages: which run by themselves when somebody installs the package."""

import json
import tomllib
from collections.abc import Iterator, Mapping
from typing import Any

UNREADABLE = "what runs when the package is installed cannot be looked into: it is too large, or not to be read"
_INSTALLS = {
    "package.json": frozenset(
        [
            "preinstall",
            "install",
            "postinstall",
            "preprepare",
            "prepare",
            "postprepare",
            "prepublish",
            "dependencies",
            "predependencies",
            "postdependencies",
            "pnpm:devpreinstall",
            "pnpm:devpostinstall",
            "preuninstall",
            "uninstall",
            "postuninstall",
            "prepack",
            "postpack",
        ]
    ),
    "composer.json": frozenset(
        [
            "pre-install-cmd",
            "post-install-cmd",
            "pre-update-cmd",
            "post-update-cmd",
            "post-autoload-dump",
            "pre-autoload-dump",
            "post-root-package-install",
            "post-create-project-cmd",
            "pre-package-install",
            "post-package-install",
            "pre-package-update",
            "post-package-update",
            "pre-operations-exec",
            "pre-dependencies-solving",
            "post-dependencies-solving",
            "init",
            "command",
        ]
    ),
}
MANIFESTS = frozenset({*_INSTALLS, "pyproject.toml"})


def changed_scripts(name: str, before: bytes | None, after: bytes | None) -> Iterator[tuple[str, str]]:
    """Yield the rules that the change of a manifest breaks, with the reasons; None: the file is not there.

    A changed manifest that cannot be read here may still be one for the program that installs it.
    """
    if name == "pyproject.toml":
        yield from _own_backend(before, after)
        return
    new = _scripts(after)
    if new is None:
        yield "install_scripts", UNREADABLE
        return
    old = _scripts(before) or {}
    installs = _INSTALLS[name]
    changed = [script for script, command in new.items() if old.get(script) != command]
    if own := [script for script in changed if script.casefold() in installs]:
        yield "install_scripts", f"it changes what runs when the package is installed: {_listed(own)}"
    if others := [script for script in changed if script.casefold() not in installs and script in old]:
        yield "commands", f"it changes commands that people and CI run by name: {_listed(others)}"


def _scripts(data: bytes | None) -> Mapping[str, Any] | None:
    """Return the scripts of a manifest; None where it cannot be read: npm takes numbers and depths that Python does not."""
    try:
        found = json.loads(data or b"{}")
    except (ValueError, RecursionError):
        return None
    scripts = found.get("scripts") if isinstance(found, dict) else None
    return {str(name): value for name, value in scripts.items()} if isinstance(scripts, dict) else {}


def _own_backend(before: bytes | None, after: bytes | None) -> Iterator[tuple[str, str]]:
    new = _backend(after)
    if new is None:
        yield "install_scripts", UNREADABLE
        return
    old = _backend(before) or {}
    if new != old and "backend-path" in new:
        yield (
            "install_scripts",
            "its build backend is a program of the repository (`backend-path`), which runs at installation",
        )


def _backend(data: bytes | None) -> Mapping[str, Any] | None:
    try:
        system = tomllib.loads((data or b"").decode("utf-8")).get("build-system")
    except (ValueError, RecursionError):
        return None
    wanted = ("build-backend", "backend-path")
    return {name: system[name] for name in wanted if name in system} if isinstance(system, dict) else {}


def _listed(names: list[str]) -> str:
    shown = ", ".join(repr(name[:40]) for name in names[:5])
    return shown + (f" and {len(names) - 5} more" if len(names) > 5 else "")
