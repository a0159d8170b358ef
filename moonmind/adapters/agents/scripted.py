"""An agent that plays a script: the demo's and the tests' agent, run by the same supervisor as the real one."""

import json
import re
import sys
from collections.abc import Callable, Iterable
from dataclasses import replace
from pathlib import Path, PurePosixPath
from typing import Any

from moonmind.adapters.agents import scripted_player
from moonmind.adapters.agents.supervised_agent import SupervisedAgent
from moonmind.adapters.supervisor.folder import write_whole
from moonmind.adapters.supervisor.order import Order
from moonmind.errors import NotConfigured
from moonmind.ports.agent import AgentJob, Brief
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.sandbox import HOME, PYTHON, Mount
from moonmind.speckit.targets import is_folder

_PLAYER = "/opt/scripted_player.py"
"""Behind a wall."""


class ScriptedAgent(SupervisedAgent):
    """Does what a script says; without one it extends each path that the tasks name, and claims those tasks."""

    name = "scripted"

    def check(self) -> tuple[Check, ...]:
        """Report what confines a job, and what is wrong with the script; beside that there is nothing to probe."""
        sandbox = self._sandbox()
        confined = (*sandbox.parts, sandbox.check)
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
                    *confined,
                )
        return (
            Check(
                "codex",
                CheckStatus.SKIPPED,
                "scripted: a script stands in for a coding agent; Codex is not used, and no model is asked",
                facts={"agent": self.name},
            ),
            *confined,
        )

    def reaches_host(self) -> bool:
        """Return False: a script says what is done, and nobody's words decide it."""
        return False

    def _order(self, job: AgentJob) -> Order:
        script = self._jobs.folder(job.key).path / "script.json"
        write_whole(script, self._script(job.brief, job.workspace))
        sandbox = self._confined(job)
        thread = job.resume_thread or ""
        state = self._jobs.home(job.home_key or job.key.partition("/")[0]) / "scripted.json"
        order = Order(
            folder=str(script.parent),
            argv=(sys.executable, "-I", scripted_player.__file__, str(script), str(state), thread),
            environment=self._environment(job),
            cwd=str(job.workspace),
            stdin=job.prompt,
            log_path=str(job.log_path),
            stall_seconds=job.limits.stall_seconds,
            total_seconds=job.limits.total_seconds,
            output_bytes=job.limits.output_bytes,
            secrets=self.secrets(),
        )
        if sandbox.wall is None:
            return order
        # In its home, which is made to belong to whoever the job is behind the wall.
        home = self._walled_home(job) / "home"
        home.mkdir(exist_ok=True, mode=0o700)
        write_whole(home / script.name, script.read_bytes())
        behind = (PYTHON, "-I", _PLAYER, f"{HOME}/{script.name}", f"{HOME}/{state.name}", thread)
        order = replace(order, argv=behind, environment=self._walled_environment(job, {}))
        return self._behind(sandbox.wall, order, job, (Mount(Path(scripted_player.__file__), _PLAYER),))

    def _script(self, brief: Brief, workspace: Path) -> bytes:
        if self._options.script is not None:
            try:
                return self._options.script.read_bytes()
            except OSError as error:
                raise NotConfigured(
                    f"the script {self._options.script} cannot be read: {error.strerror}",
                    remediation="Correct the file that MOONMIND_SCRIPT names, or unset it.",
                ) from error
        find = self._options.script_for
        packaged = find(brief.feature, brief.phase) if find is not None else None
        return packaged if packaged is not None else improvised(brief, workspace)


def improvised(brief: Brief, workspace: Path) -> bytes:
    """Write a script for a phase that has none: change each path that the tasks name, claim the tasks whose paths can be.

    `workspace` is the folder that the script will be played in, as it is before.
    """
    places = Places(workspace, (path for task in brief.tasks for path in task.paths))
    steps: list[dict[str, Any]] = [{"say": f"{SIGN} {brief.phase}: {len(brief.tasks)} tasks."}]
    report = [f"{SIGN} The script of {brief.phase} is played."]
    done: list[str] = []
    for task in brief.tasks:
        files = {path: places.file_of(path) for path in task.paths or (f"notes/{task.id}.md",)}
        steps += (
            {"append": file, "content": _line(file, task.id, task.text)} for file in files.values() if file is not None
        )
        if blocked := [path for path, file in files.items() if file is None]:
            report.append(f"{task.id}: not done - {', '.join(blocked)} cannot be written here")
        else:
            done.append(task.id)
            report.append(f"{task.id}: done - added `{_name(task.id)}`")
    steps.append({"claim": done})
    steps.append({"usage": {"inputTokens": 100 * len(brief.tasks), "outputTokens": 10 * len(brief.tasks)}})
    steps.append({"end": "completed", "message": "\n".join(report)})
    return json.dumps({"version": scripted_player.VERSION, "steps": steps}).encode()


class Places:
    """Which file stands for a path that a task names, in a folder whose content anybody may have made."""

    def __init__(self, workspace: Path, named: Iterable[str]) -> None:
        self._workspace = workspace.resolve()
        bare = {path.rstrip("/") for path in named}
        self._above = {str(parent) for path in bare for parent in PurePosixPath(path).parents}

    def file_of(self, path: str) -> str | None:
        """Return the path, or a file in the folder that it means; None where no file can be written."""
        bare = path.rstrip("/")
        named_so = path.endswith("/") or (is_folder(bare) and not _FILE_NAME.fullmatch(PurePosixPath(bare).name))
        folder = named_so or bare in self._above or self._is_folder(bare)
        file = f"{bare}/{_IN_FOLDER}" if folder and not self._is_file(bare) else bare
        return file if self._is_free(file) else None

    def _is_free(self, file: str) -> bool:
        """Return True if the file is one or can become one, inside of the workspace."""
        try:
            place = (self._workspace / file).resolve()
            if not place.is_relative_to(self._workspace) or place == self._workspace or place.is_dir():
                return False
            above = [parent for parent in place.parents if parent.is_relative_to(self._workspace)]
            return not any(parent.exists() and not parent.is_dir() for parent in above)
        except (OSError, RuntimeError, ValueError):  # a loop of links, a name that is too long
            return False

    def _is_folder(self, path: str) -> bool:
        return _asked(Path.is_dir, self._workspace / path)

    def _is_file(self, path: str) -> bool:
        return _asked(Path.is_file, self._workspace / path)


def _asked(question: Callable[[Path], bool], path: Path) -> bool:
    try:
        return question(path)
    except (OSError, ValueError):
        return False


SIGN = "[scripted]"
"""Begins what the agent says of itself, so that nobody takes its words for those of a coding agent."""
_FILE_NAME = re.compile(r"\w*file|license|codeowners|readme|changelog|gradlew|mvnw", re.IGNORECASE)
"""Files whose names have no extension, as folders' have none."""
_IN_FOLDER = "README.md"
"""A task may name a folder; something has to be in it."""


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
