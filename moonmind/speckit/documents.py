"""Which files of the tree an agent should read: the feature's documents, the constitution, Spec Kit's own skills."""

import re
from collections.abc import Iterable, Mapping

from moonmind.speckit.features import Feature

MOST = 40
"""Documents that are named to the agent; a feature with more has its folder anyway."""

_KINDS: Mapping[str, str] = {
    "spec.md": "spec",
    "plan.md": "plan",
    "tasks.md": "tasks",
    "research.md": "research",
    "data-model.md": "data model",
    "quickstart.md": "quickstart",
}
_CONSTITUTIONS = (".specify/memory/constitution.md", "memory/constitution.md")
_SKILL = re.compile(r"\.agents/skills/speckit-implement/SKILL\.md|\.codex/prompts/speckit\.implement\.md")


def documents_of(feature: Feature, listing: Iterable[str]) -> dict[str, str]:
    """Map the feature's documents to their kinds, the spec first, contracts last."""
    inside = {path: path.removeprefix(f"{feature.path}/") for path in listing if path.startswith(f"{feature.path}/")}
    by_name = {name: path for path, name in inside.items()}
    found = {by_name[name]: kind for name, kind in _KINDS.items() if name in by_name}
    contracts = sorted(path for path, name in inside.items() if name.startswith("contracts/"))
    return dict(list((found | dict.fromkeys(contracts, "contract")).items())[:MOST])


def constitution_in(listing: Iterable[str], root: str = "") -> str | None:
    """Find the constitution of the project in a folder, else the repository's."""
    present = set(listing)
    places = [f"{root}/{path}" for path in _CONSTITUTIONS] if root else []
    return next((path for path in (*places, *_CONSTITUTIONS) if path in present), None)


def skills_in(listing: Iterable[str]) -> tuple[str, ...]:
    """Find Spec Kit's own instructions for implementing, as its integration for Codex leaves them."""
    return tuple(sorted(path for path in listing if _SKILL.fullmatch(path)))
