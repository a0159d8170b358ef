"""The one `.env` of a process: which file it is, what it says, and what a file in a foreign work tree may not set."""

import os
import stat
import sys
from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum
from io import StringIO
from pathlib import Path

from dotenv import dotenv_values
from dotenv.parser import Original, parse_stream

from moonmind.errors import EnvFileRefused

NAME = ".env"
VARIABLE = "MOONMIND_ENV_FILE"
_LARGEST = 1024 * 1024


class Kind(StrEnum):
    """What a setting decides. Only a harmless one is taken from a file that may have come with a clone."""

    PROGRAM = "program"
    SCRIPT = "script"
    ADDRESS = "address"
    DATABASE = "database"
    BROKER = "broker"
    FOLDER = "folder"
    CREDENTIAL = "credential"
    PROTECTION = "protection"
    HARMLESS = "harmless"


KINDS: Mapping[str, Kind] = {
    "broker_url": Kind.BROKER,
    "result_backend": Kind.DATABASE,
    "database": Kind.DATABASE,
    "queue": Kind.HARMLESS,  # a message only says "look at this run", on the broker that the environment names
    "artifact_root": Kind.FOLDER,
    "state_dir": Kind.FOLDER,
    "xdg_state_home": Kind.FOLDER,
    "var_dir": Kind.FOLDER,
    "env_file": Kind.FOLDER,
    # Test mode and the forge `local` push to bare repositories below the working directory, and their hooks run.
    "test_mode": Kind.PROGRAM,
    "agent_name": Kind.PROGRAM,
    "forge_name": Kind.PROGRAM,
    "sandbox": Kind.PROTECTION,
    "sandbox_image": Kind.PROGRAM,
    "sandbox_images": Kind.PROGRAM,
    "sandbox_read": Kind.PROTECTION,
    "sandbox_memory": Kind.PROTECTION,
    "sandbox_cpus": Kind.PROTECTION,
    "sandbox_processes": Kind.PROTECTION,
    "environments": Kind.PROTECTION,
    "verification": Kind.PROTECTION,
    "protected_files": Kind.PROTECTION,
    "environment_hosts": Kind.PROTECTION,
    "environment_variables": Kind.CREDENTIAL,
    "local_repos": Kind.FOLDER,
    "scripted_script": Kind.SCRIPT,
    # An account that is not the operator's reads what is sent on its behalf.
    "gh_token": Kind.CREDENTIAL,
    "codex_api_key": Kind.CREDENTIAL,
    "api_token": Kind.CREDENTIAL,
    "github_api_url": Kind.ADDRESS,
    "github_server_url": Kind.ADDRESS,
    # A label can start an automatic merge.
    "pull_request_labels": Kind.PROTECTION,
    "codex_bin": Kind.PROGRAM,
    "codex_home": Kind.FOLDER,
    "codex_base_url": Kind.ADDRESS,
    # A gateway sends a model's name on to whoever serves it.
    "codex_model": Kind.ADDRESS,
    "codex_env": Kind.PROGRAM,  # picks a configuration, which can start programs
    "max_agents": Kind.HARMLESS,
    "max_jobs": Kind.HARMLESS,
    # These bound what is spent, and how long work is kept.
    "max_model_calls": Kind.PROTECTION,
    "agent_stall_seconds": Kind.PROTECTION,
    "agent_total_seconds": Kind.PROTECTION,
    "environment_seconds": Kind.PROTECTION,
    "verification_seconds": Kind.PROTECTION,
    "verification_space": Kind.PROTECTION,
    "environment_space": Kind.PROTECTION,
    "run_deadline_seconds": Kind.PROTECTION,
    "attention_hours": Kind.PROTECTION,
    "host_silence_seconds": Kind.PROTECTION,
    "retention_days": Kind.PROTECTION,
    "phase_tasks": Kind.HARMLESS,  # less at a time, never more than without it
    # These only set the pace.
    "agent_relook_seconds": Kind.HARMLESS,
    "lease_seconds": Kind.HARMLESS,
    "heartbeat_seconds": Kind.HARMLESS,
    "sweep_seconds": Kind.HARMLESS,
    "start_seconds": Kind.HARMLESS,
    "log_format": Kind.HARMLESS,
    "log_level": Kind.HARMLESS,
    "allowed_hosts": Kind.PROTECTION,
    "repositories": Kind.PROTECTION,
}
"""The kind of every field of `Settings`. A field that is missing here is not harmless, and fails a test."""


@dataclass(frozen=True, slots=True)
class EnvFile:
    """A file that was read."""

    path: Path
    values: Mapping[str, str]
    """Names as the file spells them; a name without a value, or with an empty one, is left out."""
    foreign_tree: Path | None
    """The work tree that may have brought the file along; None for a file that is the operator's."""


def read(named: str | None) -> EnvFile | None:
    """Return the file that `named` (the value of MOONMIND_ENV_FILE) means, else the working directory's `.env`.

    None where nothing is named and there is no `.env`. Raises EnvFileRefused for a file that is named and missing, and
    for one that cannot be read or is not UTF-8 text.
    """
    if named is not None:
        return _read(Path(named).expanduser().absolute(), None)
    try:
        path = Path.cwd() / NAME
        found = path.lstat()
    except FileNotFoundError:  # neither is a working directory that was removed
        return None
    except OSError as error:
        raise _unreadable(Path(NAME), error.strerror or str(error)) from None
    if stat.S_ISDIR(found.st_mode):
        return None  # a virtual environment, as some name theirs
    return _read(path, foreign_tree(path.parent, Path(os.path.realpath(path)).parent))


def names(path: Path) -> set[str]:
    """Return the names to which a file gives values; raises EnvFileRefused for one that cannot be read."""
    found = parse_stream(StringIO(_text(path, links_to_pipe=False)))
    return {binding.key for binding in found if binding.key and binding.value}


def harmless(field: str) -> bool:
    """Return True if a file of a foreign work tree may set this field."""
    return KINDS.get(field) is Kind.HARMLESS


def foreign_tree(*places: Path) -> Path | None:
    """Return the first work tree around these folders that the running program is not in; None where there is none."""
    programs = (Path(__file__).resolve().parent, Path(sys.prefix).resolve())
    for place in places:
        tree = work_tree(place)
        if tree is not None and not any(program.is_relative_to(tree) for program in programs):
            return tree
    return None


def work_tree(folder: Path) -> Path | None:
    """Return the innermost folder, `folder` or one around it, that is a git work tree or a bare repository.

    Anything called `.git` makes a work tree: a folder, the file of a linked work tree, a link, and a broken one.
    """
    real = Path(os.path.realpath(folder))
    return next((place for place in (real, *real.parents) if _there(place / ".git") or _bare(place)), None)


def _there(place: Path) -> bool:
    try:
        place.lstat()
    except (FileNotFoundError, NotADirectoryError):
        return False
    except OSError:
        return True  # what cannot be looked at is not known to be harmless
    return True


def _bare(place: Path) -> bool:
    return all(_there(place / name) for name in ("HEAD", "objects", "refs"))


def _read(path: Path, foreign: Path | None) -> EnvFile:
    text = _text(path, links_to_pipe=foreign is None)
    if foreign is None:
        for binding in parse_stream(StringIO(text)):
            if binding.error:
                raise EnvFileRefused(
                    f"line {_line_of(binding.original)} of {path} is not a setting",
                    remediation="Write NAME=value, with quotes around a value of several words or lines.",
                )
    # In a foreign work tree's file, `${NAME}` stays as it is: no credential of the environment ends up in a harmless setting.
    values = dotenv_values(stream=StringIO(text), interpolate=foreign is None)
    return EnvFile(path, {name: value for name, value in values.items() if value}, foreign)


def _line_of(part: Original) -> int:
    """Return the number of the line that a statement begins on, after the empty ones that are counted to it."""
    blank = len(part.string) - len(part.string.lstrip())
    return part.line + part.string.count("\n", 0, blank)


def _text(path: Path, *, links_to_pipe: bool) -> str:
    try:
        mode = path.stat().st_mode
        pipe = links_to_pipe and stat.S_ISFIFO(mode)  # a password manager serves the file like this
        if not (stat.S_ISREG(mode) or pipe or path.samefile(os.devnull)):
            raise _unreadable(path, "it is not a regular file")
        with path.open("rb") as file:
            content = file.read(_LARGEST + 1)
    except OSError as error:
        raise _unreadable(path, error.strerror or str(error)) from None
    if len(content) > _LARGEST:
        raise _unreadable(path, f"it is larger than {_LARGEST // 1024} KiB")
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        if content.startswith((b"\xff\xfe", b"\xfe\xff")):
            raise _other_encoding(path, "it is UTF-16") from None
        line = content.count(b"\n", 0, error.start) + 1
        raise _other_encoding(path, f"line {line} is not valid UTF-8") from None
    if "\0" in text:
        raise _other_encoding(path, "it contains zero bytes, as UTF-16 text and binaries do")
    return text


def _unreadable(path: Path, why: str) -> EnvFileRefused:
    return EnvFileRefused(
        f"the settings in {path} cannot be read: {why}",
        remediation=f"Correct the file or its permissions, or name another one with {VARIABLE} ({os.devnull} reads none).",
    )


def _other_encoding(path: Path, why: str) -> EnvFileRefused:
    return EnvFileRefused(
        f"the settings in {path} are not UTF-8 text: {why}",
        remediation="Save the file as UTF-8; PowerShell does with `Set-Content -Encoding utf8`.",
    )


def refusal(path: Path, foreign: Path, names: list[str]) -> EnvFileRefused:
    """Return the error for a foreign work tree's file that sets what it may not."""
    said = ", ".join(names)
    return EnvFileRefused(
        f"{path} sets {said}, and {foreign} is a git work tree other than this MoonMind's own: a file that may have "
        "come with a clone must not set programs, addresses, folders, credentials or protections",
        remediation=f"If you wrote the file, name it: {VARIABLE}={path}. Otherwise leave that folder, or read no file with "
        f"{VARIABLE}={os.devnull}.",
    )
