"""What the policy needs to know of a changed path; `ports.vcs.Change` is one."""

from typing import Protocol

LINK, GITLINK = "120000", "160000"
REGULAR = frozenset({"100644", "100755"})


class ChangedPath(Protocol):
    """One path that differs between two trees."""

    @property
    def path(self) -> str:
        """Relative to the repository."""
        ...

    @property
    def status(self) -> str:
        """`A`, `M`, `D` or `T`."""
        ...

    @property
    def old_mode(self) -> str:
        """Git's octal mode before."""
        ...

    @property
    def new_mode(self) -> str:
        """Git's octal mode after."""
        ...

    @property
    def added(self) -> int:
        """Lines added; -1 for binary files."""
        ...

    @property
    def deleted(self) -> int:
        """Lines deleted; -1 for binary files."""
        ...

    @property
    def link_target(self) -> str | None:
        """Where a link points."""
        ...
