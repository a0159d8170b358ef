"""Which feature the checkout around the current folder is about, for a run of its repository that names none."""

from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

from moonmind.cli.checkout_git import WorkTree, as_stored
from moonmind.cli.speckit.bounded_reading import read_file
from moonmind.cli.speckit.checkout import Checkout
from moonmind.errors import MoonMindError
from moonmind.settings import ambient_environment
from moonmind.speckit.answer import pointed_out
from moonmind.speckit.feature import Feature

_DEFAULTS = ("main", "master")
"""Where a clone does not know the remote's default branch."""


@dataclass(frozen=True, slots=True)
class CheckoutFeature:
    """The feature that a checkout points to, by its path from the top of the repository."""

    path: str
    why: str
    """What points to it, in words."""
    unpushed: str | None
    """Where its tasks.md differs from what a run reads: that, in words."""


def feature_here(repository: str, place: Path) -> CheckoutFeature | None:
    """Find the feature with open tasks that the checkout's own pointer or branch names.

    None where the folder is in no checkout of the repository, where nothing points to a feature, or where it cannot be read.
    """
    tree = WorkTree.around(place, ambient_environment())
    remote = tree.remote_of(repository) if tree is not None else None
    if tree is None or remote is None:
        return None
    for checkout in _projects(tree.top, place):
        try:
            found = pointed_out(checkout.repository())
        except MoonMindError:
            continue  # it holds no feature: it decides nothing
        if found is not None:
            feature, why = found
            path = (checkout.root.relative_to(tree.top) / feature.path).as_posix()
            return CheckoutFeature(path, why, _unpushed(tree, remote, checkout, feature))
    return None


def _projects(top: Path, place: Path) -> Iterator[Checkout]:
    """Return the project that the folder is in, then the whole repository."""
    nearest = Checkout.around(place)
    if nearest.root != top and nearest.root.is_relative_to(top):
        yield nearest
    yield Checkout(top)


def _unpushed(tree: WorkTree, remote: str, checkout: Checkout, feature: Feature) -> str | None:
    """Return in words where tasks.md differs from the branch that a run reads: the default one, else the feature's own."""
    path = (checkout.root.relative_to(tree.top) / feature.tasks_path).as_posix()
    default = tree.default_branch(remote)
    defaults = (default,) if default is not None else _DEFAULTS
    for branch in dict.fromkeys((*defaults, *filter(None, (checkout.branch, Checkout(tree.top).branch)))):
        pushed = tree.fetched(remote, branch, path)
        if pushed is not None:
            same = as_stored(pushed) == as_stored(read_file(checkout.root / feature.tasks_path))
            return None if same else f"{path} differs from {remote}/{branch} as last fetched"
    return f"{path} is on no branch of {remote} as last fetched"
