"""The scripted agent itself: plays a script in its working directory and speaks as `codex exec --json` does.

Run as a file by a bare interpreter, `python -I scripted_player.py SCRIPT STATE THREAD`: standard library only, no imports of
ours. STATE counts the plays of one run; THREAD is the conversation to go on with, empty for a new one.
"""

import json
import os
import signal
import subprocess
import sys
import time
import uuid
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, NoReturn

VERSION = 1
_METHODS = {"usage": "_count"}  # `_usage` is what it counts into
_NO_USAGE = {"inputTokens": 0, "cachedInputTokens": 0, "outputTokens": 0, "reasoningOutputTokens": 0}


class ScriptError(Exception):
    """The script cannot be played; the message says which step and why."""


class Player:
    """One play of a script. Every step is an object with one verb; paths are relative to the workspace and stay inside."""

    def __init__(self, workspace: Path) -> None:
        self._workspace = workspace.resolve()
        self._said = 0
        self._words = ""
        self._claims: list[str] = []
        self._usage = dict(_NO_USAGE)

    def play(self, steps: Sequence[Mapping[str, Any]]) -> int:
        """Play to the end and return the exit code; a script without an end is completed."""
        for number, step in enumerate(steps, 1):
            verbs = [name for name in step if name in _VERBS]
            if len(verbs) != 1:
                raise ScriptError(f"step {number} has {len(verbs)} verbs; exactly one of {', '.join(_VERBS)} is needed")
            if verbs[0] == "end":
                return self._end(step)
            getattr(self, _METHODS.get(verbs[0], f"_{verbs[0]}"))(step)
        return self._end({"end": "completed"})

    # --- one method per verb

    def _say(self, step: Mapping[str, Any]) -> None:
        self._message(str(step["say"]))

    def _write(self, step: Mapping[str, Any]) -> None:
        path, name = self._inside(step["write"]), str(step["write"])
        kind = "update" if path.exists() else "add"
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(str(step.get("content", "")), "utf-8")
        self._changed(name, kind)

    def _append(self, step: Mapping[str, Any]) -> None:
        path, name = self._inside(step["append"]), str(step["append"])
        kind = "update" if path.exists() else "add"
        path.parent.mkdir(parents=True, exist_ok=True)
        with path.open("a", encoding="utf-8") as file:
            file.write(str(step.get("content", "")))
        self._changed(name, kind)

    def _delete(self, step: Mapping[str, Any]) -> None:
        self._inside(step["delete"]).unlink(missing_ok=True)
        self._changed(str(step["delete"]), "delete")

    def _run_for_seconds(self, step: Mapping[str, Any]) -> None:
        time.sleep(float(step["run_for_seconds"]))

    def _wait_for(self, step: Mapping[str, Any]) -> None:
        path = self._workspace / str(step["wait_for"])  # an absolute path stays one: waiting changes nothing
        while not path.exists():
            time.sleep(0.02)

    def _claim(self, step: Mapping[str, Any]) -> None:
        self._claims += [str(task) for task in step["claim"]]

    def _count(self, step: Mapping[str, Any]) -> None:
        self._usage |= {name: int(count) for name, count in step["usage"].items() if name in _NO_USAGE}

    def _hang(self, step: Mapping[str, Any]) -> None:  # noqa: ARG002 - a verb like the others
        while True:
            time.sleep(3600)

    def _crash(self, step: Mapping[str, Any]) -> None:  # noqa: ARG002 - a verb like the others
        os.kill(os.getpid(), signal.SIGKILL)

    def _reconnect_for_seconds(self, step: Mapping[str, Any]) -> None:
        until = time.monotonic() + float(step["reconnect_for_seconds"])
        while time.monotonic() < until:
            emit({"type": "error", "message": "Reconnecting... waiting for network"})
            time.sleep(0.1)

    def _leave_running(self, step: Mapping[str, Any]) -> None:
        # In a session of its own and without an end: what an agent's careless command leaves behind.
        code = "import sys, time; time.sleep(float(sys.argv[1]))"
        command = [sys.executable, "-I", "-c", code, str(float(step["leave_running"]))]
        left = subprocess.Popen(command, start_new_session=True, stdin=subprocess.DEVNULL)
        if "pid_file" in step:
            self._inside(step["pid_file"]).write_text(f"{left.pid}\n", "utf-8")
        self._message("left a process running")

    def _exec(self, step: Mapping[str, Any]) -> None:
        command = str(step["exec"])
        # Not its own output: that is what the supervisor reads.
        done = subprocess.run(  # noqa: S602 - the script is the operator's, and this is what it says
            command, shell=True, cwd=self._workspace, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
            stderr=subprocess.STDOUT, text=True, errors="replace", check=False,
        )  # fmt: skip
        item = {"id": self._item(), "type": "command_execution", "command": command, "aggregated_output": done.stdout}
        emit({"type": "item.completed", "item": {**item, "exit_code": done.returncode, "status": "completed"}})
        if done.returncode != 0:
            raise ScriptError(f"{command!r} ended with {done.returncode}: {done.stdout[-2000:]}")

    def _print_environment(self, step: Mapping[str, Any]) -> None:  # noqa: ARG002 - a verb like the others
        self._message("\n".join(f"{name}={value}" for name, value in sorted(os.environ.items())))  # noqa: TID251 - this is the agent, not MoonMind

    # --- how it ends

    def _end(self, step: Mapping[str, Any]) -> int:
        how, words = str(step["end"]), str(step.get("message", ""))
        if how == "completed":
            self._report(words)
            usage = {_snake(name): count for name, count in self._usage.items()}
            emit({"type": "turn.completed", "usage": usage})
            return 0
        error: dict[str, Any] = {"message": words or f"the script ends as {how}"}
        if how != "failed":
            error["code"] = how
        if "resetsInSeconds" in step:
            error["resets_at"] = time.time() + float(step["resetsInSeconds"])
        emit({"type": "turn.failed", "error": error})
        return 1

    def _report(self, words: str) -> None:
        claims = [f"{task}: done" for task in self._claims]
        text = "\n".join([*([words] if words else []), *claims])
        if text and text != self._words:
            self._message(text)

    def _message(self, text: str) -> None:
        self._words = text
        emit({"type": "item.completed", "item": {"id": self._item(), "type": "agent_message", "text": text}})

    def _changed(self, name: str, kind: str) -> None:
        change = {"path": str(self._workspace / name), "kind": kind}
        item = {"id": self._item(), "type": "file_change", "changes": [change], "status": "completed"}
        emit({"type": "item.completed", "item": item})

    def _item(self) -> str:
        self._said += 1
        return f"item_{self._said - 1}"

    def _inside(self, name: object) -> Path:
        path = (self._workspace / str(name)).resolve()
        if not path.is_relative_to(self._workspace) or path == self._workspace:
            raise ScriptError(f"the path {name!r} leaves the workspace")
        return path


_VERBS = (
    "say", "write", "append", "delete", "run_for_seconds", "wait_for", "claim", "usage", "hang", "crash",
    "reconnect_for_seconds", "leave_running", "exec", "print_environment", "end",
)  # fmt: skip


def _snake(name: str) -> str:
    return "".join(f"_{letter.lower()}" if letter.isupper() else letter for letter in name)


def emit(event: Mapping[str, Any]) -> None:
    """Write one line of the agent's output."""
    sys.stdout.write(json.dumps(event) + "\n")
    sys.stdout.flush()


def steps_of(script: object, play: int) -> Sequence[Mapping[str, Any]]:
    """Pick the steps of this play, counted from 0; the last of `attempts` serves all later ones. Raises ScriptError."""
    if not isinstance(script, dict) or script.get("version", VERSION) != VERSION:
        raise ScriptError(f"the script is not an object of version {VERSION}")
    attempts = script.get("attempts", [script.get("steps")])
    if not isinstance(attempts, list) or not attempts:
        raise ScriptError("the script has neither steps nor attempts")
    chosen = attempts[min(play, len(attempts) - 1)]
    steps = chosen.get("steps") if isinstance(chosen, dict) else chosen
    if not isinstance(steps, list) or not all(isinstance(step, dict) for step in steps):
        raise ScriptError("steps must be a list of objects")
    return steps


def count_play(state: Path) -> int:
    """Return how often this home's script was played before, and count this play."""
    try:
        plays = int(json.loads(state.read_text("utf-8"))["plays"])
    except FileNotFoundError:
        plays = 0
    after = state.with_name(f".{state.name}.{os.getpid()}")
    after.write_text(json.dumps({"plays": plays + 1}), "utf-8")
    after.replace(state)
    return plays


def _leave(*_: object) -> NoReturn:
    os._exit(1)  # at once and without an event, as Codex does on SIGINT


def main() -> int:
    """Play the script that the arguments name."""
    signal.signal(signal.SIGINT, _leave)
    script, state, thread = Path(sys.argv[1]), Path(sys.argv[2]), sys.argv[3]
    sys.stdin.read()  # the prompt: read to its end, as an agent would, though a script has no use for it
    play = count_play(state)
    emit({"type": "thread.started", "thread_id": thread or str(uuid.uuid4())})
    emit({"type": "turn.started"})
    try:
        return Player(Path.cwd()).play(steps_of(json.loads(script.read_text("utf-8")), play))
    except (ScriptError, OSError, ValueError, KeyError, TypeError) as error:
        emit({"type": "turn.failed", "error": {"message": f"the script cannot be played: {error}"}})
        return 1


if __name__ == "__main__":
    sys.exit(main())
