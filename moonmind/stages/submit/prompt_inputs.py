"""Reads what the prompt says of the repository from git objects of the starting commit."""

from moonmind.engine.stage_context import StageContext
from moonmind.errors import SpecUnreadable, VcsRefused
from moonmind.runs.stored_text import storable
from moonmind.speckit.project_commands import LARGEST
from moonmind.speckit.project_facts import project_facts
from moonmind.speckit.prompt import render_prompt
from moonmind.speckit.tasks_md import read_tasks
from moonmind.stages.kit.plan import Plan
from moonmind.stages.submit.agent_job import SubmitJob


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
    )
