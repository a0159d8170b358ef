"""Reads what the prompt says of the repository from git objects of the starting commit."""

from collections.abc import Collection, Iterable

from moonmind.engine.stage_context import StageContext
from moonmind.errors import SpecUnreadable, VcsRefused
from moonmind.ports.agent import Brief, BriefTask
from moonmind.runs.stored_text import storable
from moonmind.speckit.project_commands import LARGEST
from moonmind.speckit.project_facts import named_files, project_facts
from moonmind.speckit.prompt import SetUp, render_prompt
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.kit.plan import Plan
from moonmind.stages.submit.agent_job import SubmitJob


def brief_of(context: StageContext, plan: Plan) -> Brief:
    """Return the work in structured form; paths that are not there yet are those of the project that the feature is in."""
    root = plan.feature.root
    listing = context.vcs.listing(plan.repository.full_name, plan.starting_commit) if root else ()
    targets = {path for task in plan.tasks for path in task.targets}
    places = places_in_tree(targets, root, frozenset(one.path for one in listing))
    tasks = (BriefTask(task.id, task.text, tuple(places[path] for path in task.targets)) for task in plan.tasks)
    return Brief(plan.feature.path, plan.phase, tuple(tasks))


def places_in_tree(named: Iterable[str], root: str, present: Collection[str]) -> dict[str, str]:
    """Map named paths to where they are among the paths of a tree, or belong where they are not there yet."""
    named = tuple(named)
    places: dict[str, str] = {}
    for path, found in zip(named, named_files(present, root, (path.rstrip("/") for path in named)), strict=True):
        whole = found.place or (path if not root or path.startswith(f"{root}/") else f"{root}/{path}")
        places[path] = f"{whole}/" if path.endswith("/") and not whole.endswith("/") else whole
    return places


def prompt_of(context: StageContext, plan: Plan, job: SubmitJob) -> str:
    """Write the prompt of the plan's phase; raises SpecUnreadable where tasks.md is gone."""
    repository = plan.repository.full_name
    data = context.vcs.read(repository, plan.starting_commit, plan.feature.tasks_path)
    if data is None:
        raise SpecUnreadable(f"{plan.feature.tasks_path} is not in commit {plan.starting_commit[:12]}.")

    def read(path: str) -> bytes | None:
        try:
            return context.vcs.read(repository, plan.starting_commit, path, limit=LARGEST)
        except VcsRefused:
            return None  # too large to be one

    file = read_tasks(data, name=plan.feature.tasks_path)
    listing = [one.path for one in context.vcs.listing(repository, plan.starting_commit)]
    named = [path for task in plan.tasks for path in (*task.targets, *task.references)]
    return render_prompt(
        work=plan.work(file),
        documents=plan.documents,
        constitution_path=plan.constitution,
        skills=plan.skills,
        notes=context.run.notes or "",
        previous="\n\n".join(words for words in (job.before.ended, context.note) if words),
        facts=project_facts(plan.feature, [path for path in listing if storable(path) == path], named, read),
        done=file.phases,
        offline=not context.agent.reaches_host(),
        environments=[SetUp(one.root, one.setup, one.start, one.problem) for one in job.checkpoint.environments],
    )
