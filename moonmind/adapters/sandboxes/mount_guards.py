"""What nothing may be mounted over, in any sandbox."""

from pathlib import Path, PurePosixPath

from moonmind.errors import SandboxFailed
from moonmind.ports.sandbox import Mount

RESERVED = ("/proc", "/sys", "/dev")
"""Targets that are the kernel's behind the wall."""


def unfit(target: str) -> str:
    """Return why nothing can be mounted there; empty where it can."""
    place = PurePosixPath(target)
    if not place.is_absolute() or ".." in place.parts or "\0" in target or place == PurePosixPath("/"):
        return "has no place behind the wall"
    if any(place.is_relative_to(folder) for folder in RESERVED):
        return "would hide a folder of the kernel"
    return ""


def leads_astray(mount: Mount, mounts: tuple[Mount, ...]) -> str:
    """Return why the way to a target, inside of another mount, is not safe: a job may have left a link there."""
    target = PurePosixPath(mount.target)
    for outer in mounts:
        if outer is not mount and target.is_relative_to(outer.target):
            place = outer.source
            for part in target.relative_to(outer.target).parts:
                place /= part
                if place.is_symlink():
                    return "would be mounted over a link"
    return ""


def in_order(mounts: tuple[Mount, ...]) -> list[Mount]:
    """Sort so that what is mounted inside of a folder comes after it."""
    return sorted(mounts, key=lambda mount: len(PurePosixPath(mount.target).parts))


def refused(mount: Mount, why: str) -> SandboxFailed:
    """Return the error of a mount that cannot be meant."""
    return SandboxFailed(f"{mount.source} cannot be shown to a job at {mount.target}: it {why}")


def require_upper(mount: Mount, state_folder: Path) -> tuple[Path, Path]:
    """Return where an overlay keeps what is written, and works. Raises SandboxFailed for folders that are not ours."""
    upper = mount.upper or mount.source
    state = state_folder.resolve()
    for folder in (upper, upper.with_name("work")):
        if folder.is_symlink() or not folder.is_dir() or state not in folder.resolve().parents:
            raise refused(mount, f"has no folder {folder} of its own to be written to")
    return upper.resolve(), upper.resolve().with_name("work")
