"""Reads tasks.md: the one place that decides what counts as a spec task, and refuses what is not certain."""

import re
from collections import Counter
from collections.abc import Iterable, Iterator
from dataclasses import replace

from moonmind.errors import SpecUnreadable
from moonmind.speckit.blocks import Blocks, Heading, Line, read_blocks
from moonmind.speckit.mentions import paths_in, waits_in
from moonmind.speckit.people_tasks import kinds_in, looks_only
from moonmind.speckit.phases import IMPLICIT, Facts, Place, Places, facts_by_owner, is_phase_title, with_written_phases
from moonmind.speckit.spec_tasks import NO_BOX, NO_BOX_KIND, Mark, Phase, Reason, SpecTask, TasksFile
from moonmind.speckit.task_line import ID, Fault, Item, is_about_tasks, is_placeholder, read_item
from moonmind.speckit.task_marks import marks_in
from moonmind.speckit.ticks import set_boxes

__all__ = ["Mark", "Phase", "SpecTask", "TasksFile", "read_tasks", "tick", "untick"]

_HEADING_TASK = re.compile(rf"(?:\[.\][ ]*)?[*`~]{{0,3}}({ID.pattern})[*`~]{{0,3}}[ ]*(?:\[.\])?[ ]*(?:[:.—–-]|$)")
_BULLET = re.compile(r"[ \t]*(?:[-*+][ \t]|\d{1,9}[.)][ \t]|[#>|]|`{3}|~{3}|-{3}|$)")
_LONGEST_WRAP = 20
_BOXED_FOR_ONE = 10
"""Tasks with a box that there must be for each one that lacks it."""
_FEWEST_STRUCK = 3
"""Struck tasks that make a habit."""
_FEWEST_IDS = 3
"""Ids of three digits that make a habit where no id is of the usual kind."""
_Found = tuple[Line, Item]


def read_tasks(data: bytes, *, name: str = "tasks.md") -> TasksFile:
    """Read a tasks.md, or raise SpecUnreadable with the reason and the line."""
    blocks = read_blocks(data, name)
    if template := next((heading for heading in blocks.headings if "[FEATURE NAME]" in heading.title), None):
        raise SpecUnreadable(
            f"{name} line {template.number}: the file is still the unfilled template.", line=template.number
        )
    items = [(line, item) for line in blocks.visible() if (item := read_item(line.text))]
    _refuse_what_hides_tasks(blocks, name)
    families = _families(items)
    _refuse_heading_tasks(blocks, items, families, name)
    titles = _without_repeats(blocks.headings, items)
    places = Places(with_written_phases(titles, blocks.visible()))
    warnings: list[str] = []
    if families:
        chosen = list(_with_ids(items, families, places, warnings))
        chosen = _with_boxless(items, chosen, families, places, name, warnings)
    elif struck := _all_struck(items, places):
        chosen = struck
        warnings.append("No task has a box; tasks that are struck through count as done.")
    else:
        chosen = list(_without_ids(items, places))
    for line, item in chosen:
        if item.fault not in {None, Fault.NO_BOX}:
            raise SpecUnreadable(f"{name} line {line.number} ({item.id or 'task'}): {item.fault}.", line=line.number)
    if not chosen:
        raise SpecUnreadable(f"{name} has no readable task: {_why_none(blocks, items)}.")
    phases = _phases(chosen, blocks, places)
    warnings.extend(_doubts(phases, chosen, blocks, places))
    return TasksFile(phases, tuple(warnings))


def tick(data: bytes, tasks: Iterable[SpecTask], mark: str | None = None) -> bytes:
    """Tick the boxes of these tasks and leave every other byte as it is; a ticked box stays.

    The mark is the letter that the file uses most, unless one is given: the one that stood there before, say. Raises SpecUnreadable when the file no longer holds one of the tasks at its line and offset.
    """
    before = read_tasks(data)
    letters = Counter(data[task.box_offset : task.box_offset + 1] for task in before.tasks)
    letter = "X" if letters[b"X"] > letters[b"x"] else "x"
    return set_boxes(data, before, tasks, mark or letter, expected=Mark.OPEN)


def untick(data: bytes, task: SpecTask, mark: str = " ") -> bytes:
    """Put a mark, one of ` `, `~`, `-`, `/`, into the ticked box of a task and leave every other byte as it is."""
    return set_boxes(data, read_tasks(data), [task], mark, expected=Mark.DONE)


def _families(items: list[_Found]) -> frozenset[str]:
    """Find the kinds of id that name tasks here: T always, others when they are no accident such as "S3" or "ES2022"."""
    boxed = [item for _, item in items if item.fault is not Fault.NO_BOX]
    ids = {item.id: item.family for item in boxed if item.id}
    families = {family for family in ids.values() if is_task_family(family)}
    fewest = 1 if families else _FEWEST_IDS
    for family in set(ids.values()) - families:
        members = [task_id for task_id, kind in ids.items() if kind == family]
        digits = min(sum(sign.isdigit() for sign in task_id) for task_id in members)
        share = sum(item.family == family for item in boxed) / len(boxed)
        if (digits >= 3 and (len(members) >= fewest or share >= 0.5)) or (
            digits == 2 and len(members) > 1 and share >= 0.5
        ):
            families.add(family)
    return frozenset(families)


def is_task_family(family: str) -> bool:
    """Return True for a kind of id that names tasks in any file: `T`, `T-AI`."""
    return family.split("-", maxsplit=1)[0] == "T"


def _with_ids(items: list[_Found], families: frozenset[str], places: Places, warnings: list[str]) -> Iterator[_Found]:
    boxed = [(line, item) for line, item in items if item.family in families and item.fault is not Fault.NO_BOX]
    elsewhere = {item.id for line, item in boxed if not _is_aside(places, line)}
    for line, item in boxed:
        place = places.at(line.number)
        if place.is_illustration or (place.is_prose and item.id in elsewhere):
            warnings.append(f"Line {line.number} repeats {item.id} outside of the phases; it is not counted.")
        else:
            yield line, item


def _is_aside(places: Places, line: Line) -> bool:
    place = places.at(line.number)
    return place.is_prose or place.is_illustration


def _without_ids(items: list[_Found], places: Places) -> Iterator[_Found]:
    for line, item in items:
        place = places.at(line.number)
        aside = place.is_prose or place.is_illustration or place.is_checklist
        if item.fault is not Fault.NO_BOX and line.depth <= 1 and not aside:
            yield line, replace(item, id=None, text=item.plain)


def _refuse_what_hides_tasks(blocks: Blocks, name: str) -> None:
    for block in blocks.hidden:
        if block.closed:
            continue
        for line in blocks.lines[block.first : block.last]:
            item = read_item(line.text)
            if item and item.id and item.fault is not Fault.NO_BOX:
                raise SpecUnreadable(
                    f"{name} line {block.first} opens a {block.kind} that is never closed and hides {item.id}.",
                    line=block.first,
                )


def _refuse_heading_tasks(blocks: Blocks, items: list[_Found], families: frozenset[str], name: str) -> None:
    headings = _without_repeats(blocks.headings, items)
    found = [heading for heading in headings if task_of(heading)]
    boxed = sum(item.family in families and item.fault is not Fault.NO_BOX for _, item in items)
    if found and len(found) * 2 >= boxed:
        first = found[0]
        raise SpecUnreadable(
            f"{name} line {first.number} writes a task as a heading ({first.title[:60]!r}); write tasks as `- [ ] T001 text`.",
            line=first.number,
        )


def _without_repeats(headings: tuple[Heading, ...], items: list[_Found]) -> tuple[Heading, ...]:
    """Leave out the headings that repeat the id of a box: they are titles of that task, and no place of their own."""
    boxed = {item.id for _, item in items if item.id and item.fault is not Fault.NO_BOX}
    return tuple(heading for heading in headings if task_of(heading) not in boxed)


def task_of(heading: Heading) -> str | None:
    """Return the id that a heading starts with as a task does; None for a title of the file."""
    found = _HEADING_TASK.match(heading.title) if heading.level > 1 else None
    return found[1] if found else None


def _all_struck(items: list[_Found], places: Places) -> list[_Found]:
    """Return the tasks as done where an author without boxes strikes through finished tasks and has struck all; else []."""
    named = [(line, item) for line, item in items if item.id and line.depth <= 1 and not _is_aside(places, line)]
    if len(named) < _FEWEST_STRUCK or any(item.mark is not Mark.SET_ASIDE or item.column >= 0 for _, item in named):
        return []
    if any(item.fault is not Fault.NO_BOX for _, item in items):
        return []
    return [(line, replace(item, mark=Mark.DONE)) for line, item in named]


def _with_boxless(
    items: list[_Found],
    chosen: list[_Found],
    families: frozenset[str],
    places: Places,
    name: str,
    warnings: list[str],
) -> list[_Found]:
    """Add the odd task whose box was forgotten among many that have one; refuse where it is more than that.

    Such a task is open, and no agent is given it: there is no box that could be ticked.
    """
    known = {item.id for _, item in chosen}
    owners = {places.at(line.number).owner for line, _ in chosen}
    found: list[_Found] = []
    for line, item in items:
        if item.fault is not Fault.NO_BOX or item.family not in families or item.id in known or line.depth > 1:
            continue
        if is_about_tasks(item.plain) or _is_aside(places, line):
            continue
        if places.at(line.number).owner in owners:
            found.append((line, item))
    if len(found) * _BOXED_FOR_ONE > len(chosen):
        line, item = found[0]
        raise SpecUnreadable(f"{name} line {line.number} ({item.id}): {item.fault}.", line=line.number)
    warnings.extend(f"Line {line.number} ({item.id}): {Fault.NO_BOX}." for line, item in found)
    return sorted([*chosen, *found], key=lambda one: one[0].number)


def _why_none(blocks: Blocks, items: list[_Found]) -> str:
    hidden = [line for block in blocks.hidden for line in blocks.lines[block.first - 1 : block.last]]
    inside = next((line.number for line in hidden if (item := read_item(line.text)) and item.column >= 0), None)
    if inside:
        return f"line {inside} and the boxes after it stand inside a fence or comment"
    if any(item.fault is Fault.NO_BOX for _, item in items):
        return f"line {items[0][0].number} names a task without a box; write `- [ ] T001 text`"
    if items:
        return f"the boxes, from line {items[0][0].number} on, belong to checklists"
    return "there is no line such as `- [ ] T001 text`"


def _phases(chosen: list[_Found], blocks: Blocks, places: Places) -> tuple[Phase, ...]:
    facts = facts_by_owner(blocks.visible(), places)
    groups: dict[int, list[SpecTask]] = {}
    titles: dict[int, str] = {}
    for line, item in chosen:
        place = places.at(line.number)
        owner = place.owner
        number = owner.number if owner else 0
        titles[number] = owner.title if owner else IMPLICIT
        groups.setdefault(number, []).append(_task(line, item, blocks, place))
    return tuple(_phase(number, titles[number], tasks, facts.get(number, Facts())) for number, tasks in groups.items())


def _phase(number: int, title: str, tasks: list[SpecTask], facts: Facts) -> Phase:
    line = number or tasks[0].line
    return Phase(title, line, tuple(tasks), facts.purpose, facts.checkpoint, facts.independent_test)


def _task(line: Line, item: Item, blocks: Blocks, place: Place) -> SpecTask:
    text = " ".join([item.text, *_wrapped(line, blocks)]).strip()
    return SpecTask(
        id=item.id or f"L{line.number}",
        line=line.number,
        mark=item.mark,
        text=text,
        box_offset=line.offset + len(line.text[: item.column].encode()) if item.column >= 0 else NO_BOX,
        story=item.story,
        parallel=item.parallel,
        paths=paths_in(text),
        reasons=_reasons(text, item, place) if item.mark is Mark.OPEN else (),
        depends_on=tuple(task_id for task_id in waits_in(text) if task_id != item.id),
    )


def _reasons(text: str, item: Item, place: Place) -> tuple[Reason, ...]:
    """Name what keeps an open task from an agent, each kind once: marks, else its kind, else that it only verifies."""
    boxless = (Reason(NO_BOX_KIND),) if item.column < 0 else ()
    own = marks_in(text)
    kinds = {reason.kind for reason in own}
    marks = (*own, *(reason for reason in place.reasons if reason.kind not in kinds))
    if marks:
        return (*marks, *boxless)
    looks = () if place.is_search else looks_only(text, closing=place.is_closing)
    return (*(kinds_in(text) or looks), *boxless)


def _wrapped(line: Line, blocks: Blocks) -> Iterator[str]:
    """Yield the indented lines that continue a task's description."""
    for following in blocks.lines[line.number : line.number + _LONGEST_WRAP]:
        if not following.text.startswith((" ", "\t")) or _BULLET.match(following.text):
            return
        yield following.text.strip()


def _doubts(phases: tuple[Phase, ...], chosen: list[_Found], blocks: Blocks, places: Places) -> Iterator[str]:
    lines: dict[str, list[int]] = {}
    for line, item in chosen:
        lines.setdefault(item.id or "", []).append(line.number)
    if repeated := [f"{key} (lines {', '.join(map(str, at))})" for key, at in lines.items() if key and len(at) > 1]:
        yield f"These IDs belong to more than one task: {', '.join(repeated)}."
    for line, item in chosen:
        if item.odd_mark and item.mark is Mark.SET_ASIDE:
            yield f"Line {line.number}: [{item.odd_mark}] is an unknown mark; the task is set aside."
    for line in blocks.visible():
        if is_placeholder(line.text) and not places.at(line.number).is_illustration:
            yield f"Line {line.number} is a placeholder of the template; it is not counted."
    first = next((position for position, phase in enumerate(phases) if phase.pending), None)
    if first is not None and (later := next((phase for phase in phases[first + 1 :] if phase.completed), None)):
        done = next(task.line for task in later.tasks if task.mark is Mark.DONE)
        yield (
            f"Line {done}: {later.title!r} has done tasks although {phases[first].title!r} before it has open ones "
            f"(line {phases[first].pending[0].line}): boxes may be stale."
        )
    used = {places.at(line.number).owner for line, _ in chosen}
    for heading in blocks.headings:
        place = places.at(heading.number)
        if place.owner is heading and is_phase_title(heading.title) and heading not in used and not place.is_prose:
            yield f"{heading.title!r} (line {heading.number}) has no task of its own."
