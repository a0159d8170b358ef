"""What the product loads as its agent and its forge: found through entry points, as any third party's adapter would be.

The forge has no uniqueness of its own: whoever asks for a pull request gets one more. The agent notes every start where
nobody but the judge looks.
"""

import http.client
import json
import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from typing import Any
from urllib.parse import quote, urlsplit
from zlib import crc32

from moonmind.adapters.agents.scripted import ScriptedAgent
from moonmind.adapters.forges.forge_options import ForgeOptions
from moonmind.adapters.forges.local import LocalForge
from moonmind.adapters.supervisor.order import Order
from moonmind.errors import ForgeUnavailable
from moonmind.ports.agent import AgentJob
from moonmind.ports.forge import PullRequest, PullRequestDraft, PullState, always

NAME = "chaos"
STARTS = "MOONMIND_CHAOS_STARTS"
"""The file into which each agent writes its job's key when it starts."""
SECONDS = "MOONMIND_CHAOS_SECONDS"
"""How long each agent takes before it does its work; unset: up to a few seconds, by its job's key."""
POISON = "poison"
"""In a repository's name: publishing to it kills the process that does."""
LONGEST_SECONDS = 4.0
_TIMEOUT = 10.0
_NOTE_AND_GO = 'printf "%s\\n" "$1" >>"$2" && sleep "$3" && shift 3 && exec "$@"'

ENTRY_POINTS = f"""\
[moonmind.agents]
{NAME} = benchmarks.chaos.plugin:ChaosAgent

[moonmind.forges]
{NAME} = benchmarks.chaos.plugin:ChaosForge
"""


def install(folder: Path) -> None:
    """Write what makes Python find the adapters, into a folder that is on the product's path."""
    place = folder / "moonmind_chaos-1.dist-info"
    place.mkdir(parents=True)
    (place / "METADATA").write_text("Metadata-Version: 2.1\nName: moonmind-chaos\nVersion: 1\n")
    (place / "entry_points.txt").write_text(ENTRY_POINTS)


class ChaosAgent(ScriptedAgent):
    """The scripted agent, which says when it starts and takes its time: up to a few seconds, by its job's key."""

    name = NAME

    def _order(self, job: AgentJob) -> Order:
        order = super()._order(job)
        environment = self._options.environment
        seconds = environment.get(SECONDS) or f"{crc32(job.key.encode()) % 1000 / 1000 * LONGEST_SECONDS:.2f}"
        note = ("/bin/sh", "-c", _NOTE_AND_GO, "agent", job.key, environment[STARTS], seconds)
        return replace(order, argv=(*note, *order.argv))


class ChaosForge(LocalForge):
    """Local repositories; their pull requests are at the campaign's server, which makes as many as it is asked for."""

    name = NAME

    def __init__(self, options: ForgeOptions) -> None:
        super().__init__(replace(options, sample_only=None))
        self._server = urlsplit(options.api_url).netloc

    def pull_requests(self, repository: str, branch: str) -> tuple[PullRequest, ...]:
        """List the pull requests of a branch, newest first."""
        found = self._ask("GET", f"/pulls?repository={quote(repository)}&branch={quote(branch)}")
        return tuple(_pull(one) for one in found)

    def ensure_pull_request(
        self, repository: str, draft: PullRequestDraft, *, allowed: Callable[[], None] = always
    ) -> PullRequest:
        """Look for the branch's open pull request, and make one where there is none."""
        said = {
            "repository": repository,
            "branch": draft.branch,
            "base": draft.base,
            "title": draft.title,
            "body": draft.body,
        }
        if POISON in repository:
            os.kill(os.getpid(), signal.SIGKILL)  # what the kernel does to a stage that takes all the memory
        for pull in self.pull_requests(repository, draft.branch):
            if pull.state is PullState.OPEN:
                allowed()
                return _pull(self._ask("POST", f"/pulls/{pull.number}", said))
        allowed()
        return _pull(self._ask("POST", "/pulls", said))

    def _ask(self, method: str, path: str, body: dict[str, Any] | None = None) -> Any:
        connection = http.client.HTTPConnection(self._server, timeout=_TIMEOUT)
        try:
            said = None if body is None else json.dumps(body)
            connection.request(method, path, said, {"X-Process": str(os.getpid())})
            answer = connection.getresponse()
            text = answer.read()
        except (OSError, http.client.HTTPException) as error:
            raise ForgeUnavailable(f"the forge does not answer: {type(error).__name__}: {error}") from error
        finally:
            connection.close()
        if answer.status != 200:
            raise ForgeUnavailable(f"the forge answered {answer.status}")
        return json.loads(text)


def _pull(one: dict[str, Any]) -> PullRequest:
    state = PullState(one["state"])
    return PullRequest(
        one["number"], one["url"], state, one["branch"], one["base"], one["title"], one["body"]
    )  # fmt: skip


def starts(place: Path) -> list[str]:
    """Read the keys of the jobs whose agents started, each as often as it did."""
    return place.read_text().splitlines() if place.exists() else []
