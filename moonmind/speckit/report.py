"""What a tasks.md says, as plain values: the one form that `speckit --json` prints."""

from collections.abc import Mapping
from dataclasses import asdict
from typing import Any

from moonmind.errors import SpecUnreadable
from moonmind.speckit.answer import Answer, AnswerKind
from moonmind.speckit.feature import Feature
from moonmind.speckit.people_tasks import who
from moonmind.speckit.spec_tasks import TasksFile


def file_report(file: TasksFile | SpecUnreadable) -> dict[str, Any]:
    """Report one file. `next_phase` and `next_pending` are literal: tasks that are left to people are among them."""
    if isinstance(file, SpecUnreadable):
        return {"refused": True, "reason": file.message, **_counts(None)}
    return {"refused": False, "reason": None, **_counts(file)}


def feature_report(feature: Feature, file: TasksFile | SpecUnreadable) -> dict[str, Any]:
    """Report one feature's file, and which feature it is."""
    return {"key": feature.key, "path": feature.path, **file_report(file)}


def answer_report(found: Answer) -> dict[str, Any]:
    """Report what a run would take up, or why it takes a person to say: `speckit next --json` and the preview."""
    work = found.work if found.kind is AnswerKind.WORK else None
    return {
        "feature": found.feature.path if found.feature is not None else None,
        "choice": found.reasons[0] if found.feature is not None and found.reasons else None,
        "phase": work.phase.title if work is not None else None,
        "tasks": [task.id for task in work.tasks] if work is not None else [],
        "left_for_people": [task.id for task in found.left],
        "reason": None if work is not None else found.text or None,
        "answer": str(found.kind),
        "asks": found.asks,
        "left": [
            {"id": task.id, "line": task.line, "kind": reason.kind, "words": reason.words, "who": who(reason)}
            for task in found.left
            for reason in task.reasons[:1]
        ],
        "reasons": list(found.reasons),
        "notes": list(found.notes),
        "candidates": [asdict(candidate) for candidate in found.candidates],
    }


def _counts(file: TasksFile | None) -> Mapping[str, Any]:
    following = file.next_phase if file is not None else None
    return {
        "total": file.total if file is not None else 0,
        "completed": file.completed if file is not None else 0,
        "all_complete": file is not None and file.all_complete,
        "phases": [
            {"title": phase.title, "total": phase.total, "completed": phase.completed}
            for phase in (file.phases if file is not None else ())
        ],
        "next_phase": following.title if following is not None else None,
        "next_pending": [task.id for task in following.pending] if following is not None else [],
        "flags": [
            {
                "id": task.id,
                "line": task.line,
                "flags": list(task.flags),
                "words": [reason.words for reason in task.reasons],
            }
            for task in (file.tasks if file is not None else ())
            if task.pending and task.flags
        ],
        "warnings": list(file.warnings) if file is not None else [],
    }
