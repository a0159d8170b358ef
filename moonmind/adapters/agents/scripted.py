"""An agent that plays a script: the demo's and the tests' agent, run by the same supervisor as the real one."""

import json
import re
import sys
from pathlib import Path
from typing import Any

from moonmind.adapters.agents import scripted_player
from moonmind.adapters.agents.supervised_agent import SupervisedAgent
from moonmind.adapters.supervisor.folder import write_whole
from moonmind.adapters.supervisor.order import Order
from moonmind.errors import NotConfigured
from moonmind.ports.agent import AgentJob, Brief
from moonmind.ports.check import Check, CheckStatus


class ScriptedAgent(SupervisedAgent):
    """Does what a script says; without one it creates or extends each path that the tasks name, and claims them."""

    name = "scripted"

    def check(self) -> tuple[Check, ...]:
        """Report that there is nothing to probe, or what is wrong with the script."""
        script = self._options.script
        if script is not None:
            try:
                json.loads(script.read_bytes())
            except (OSError, ValueError) as error:
                return (
                    Check(
                        "agent.script",
                        CheckStatus.FAILED,
                        f"the script {script} cannot be read: {error}",
                        remediation="Correct the file that MOONMIND_SCRIPT names, or unset it.",
                    ),
                )
        return (
            Check(
                "codex",
                CheckStatus.SKIPPED,
                "a scripted agent does the work; Codex is not used",
                facts={"agent": self.name},
            ),
        )

    def _order(self, job: AgentJob) -> Order:
        script = self._jobs.folder(job.key).path / "script.json"
        write_whole(script, self._script(job.brief))
        state = self._jobs.home(job.home_key or job.key.partition("/")[0]) / "scripted.json"
        return Order(
            folder=str(script.parent),
            argv=(sys.executable, "-I", scripted_player.__file__, str(script), str(state), job.resume_thread or ""),
            environment=self._environment(job),
            cwd=str(job.workspace),
            stdin=job.prompt,
            log_path=str(job.log_path),
            stall_seconds=job.limits.stall_seconds,
            total_seconds=job.limits.total_seconds,
            output_bytes=job.limits.output_bytes,
            secrets=self.secrets(),
        )

    def _script(self, brief: Brief) -> bytes:
        if self._options.script is not None:
            try:
                return self._options.script.read_bytes()
            except OSError as error:
                raise NotConfigured(
                    f"the script {self._options.script} cannot be read: {error.strerror}",
                    remediation="Correct the file that MOONMIND_SCRIPT names, or unset it.",
                ) from error
        packaged = self._options.script_for(brief.phase) if self._options.script_for is not None else None
        return packaged if packaged is not None else improvised(brief)


def improvised(brief: Brief) -> bytes:
    """Write a script for a phase that has none: change each path of each task, claim all tasks."""
    steps: list[dict[str, Any]] = [{"say": f"{brief.phase}: {len(brief.tasks)} tasks."}]
    for task in brief.tasks:
        paths = task.paths or (f"notes/{task.id}.md",)
        steps += ({"append": _file(path), "content": _line(path, task.id, task.text)} for path in paths)
    steps.append({"claim": [task.id for task in brief.tasks]})
    steps.append({"usage": {"inputTokens": 100 * len(brief.tasks), "outputTokens": 10 * len(brief.tasks)}})
    report = [f"{task.id}: done - added `{_name(task.id)}`" for task in brief.tasks]
    steps.append({"end": "completed", "message": "\n".join([f"All tasks of {brief.phase} are done.", *report])})
    return json.dumps({"version": scripted_player.VERSION, "steps": steps}).encode()


def _file(path: str) -> str:
    # A task may name a folder; something has to be in it.
    return f"{path}README.md" if path.endswith("/") else path


_ASSIGNMENTS = {
    ".py .toml .rb .cfg .ini": "{name} = {words}",
    ".sh .env": "{name}={words}",
    ".yml .yaml": "{name}: {words}",
    ".json": '{{"{name}": {words}}}',
    ".js .jsx .ts .tsx .mjs": "export const {name} = {words};",
    ".go": "const {name} = {words}",
    ".rs": "pub const {name}: &str = {words};",
    ".java .cs .kt .dart": "class {name} {{ String text = {words}; }}",
    ".c .h .cpp": "const char *{name} = {words};",
    ".css .scss": ".{name} {{ content: {words}; }}",
}
"""How a language writes down a text under a name: a comment alone is no change that counts."""


def _line(path: str, task_id: str, text: str) -> str:
    """Write a line that says something in the file's language, and that names the task."""
    words = " ".join(text.split())
    quoted = json.dumps(re.sub(r"[\"\\$`]", "'", words), ensure_ascii=False)
    form = next((form for names, form in _ASSIGNMENTS.items() if Path(path).suffix in names.split()), None)
    return (form.format(name=_name(task_id), words=quoted) if form else f"{task_id}: {words}") + "\n"


def _name(task_id: str) -> str:
    return re.sub(r"\W", "_", f"task_{task_id}")
