"""Speak to a running MoonMind over HTTP, as any other program would."""

import json
from collections.abc import Mapping
from typing import Any, Self
from urllib.parse import quote
from uuid import UUID

import httpx

from moonmind.errors import Conflict, External, InvalidRequest, MoonMindError, NotFound, Unavailable
from moonmind.wire import RunEvent, RunPage, SpecWorkflowRun

_RUNS = "/api/workflows/speckit/runs"
_TIMEOUT_SECONDS = 20.0
_KINDS: Mapping[int, type[MoonMindError]] = {404: NotFound, 409: Conflict, 422: InvalidRequest, 503: Unavailable}


class Client:
    """The calls that the demo makes; raises what the server answered as an error of the one tree."""

    def __init__(self, url: str, transport: httpx.BaseTransport | None = None) -> None:
        # The server is this machine's own: a proxy from the environment has no business here.
        self._http = httpx.Client(base_url=url, timeout=_TIMEOUT_SECONDS, trust_env=False, transport=transport)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, *_error: object) -> None:
        self._http.close()

    def create(self, repository: str, feature_key: str) -> SpecWorkflowRun:
        """Ask for a run, with the quickstart's own body."""
        body = {"repository": repository, "featureKey": feature_key}
        return SpecWorkflowRun.model_validate_json(self._ask("POST", _RUNS, json=body).content)

    def get(self, run_id: UUID) -> SpecWorkflowRun:
        """Show a run whole."""
        wanted = {"includeTasks": "true", "includeArtifacts": "true"}
        return SpecWorkflowRun.model_validate_json(self._ask("GET", f"{_RUNS}/{run_id}", params=wanted).content)

    def events(self, run_id: UUID) -> list[RunEvent]:
        """List a run's events from its start, 1000 at most."""
        listed = self._ask("GET", f"{_RUNS}/{run_id}/events", params={"limit": "1000"}).json()
        return [RunEvent.model_validate(event) for event in listed]

    def newest(self) -> SpecWorkflowRun | None:
        """Find the run that was created last."""
        items = RunPage.model_validate_json(self._ask("GET", _RUNS, params={"limit": "1"}).content).items
        return items[0] if items else None

    def cancel(self, run_id: UUID) -> None:
        """Ask a run to stop."""
        self._ask("POST", f"{_RUNS}/{run_id}/cancel")

    def artifact(self, run_id: UUID, path: str, start: int = 0) -> bytes:
        """Read an artifact from a position on; nothing where it holds no more, or does not exist yet."""
        headers = {"Range": f"bytes={start}-"} if start else {}
        answer = self._send("GET", f"{_RUNS}/{run_id}/artifacts/{quote(path)}", headers=headers)
        if answer.status_code in {404, 416}:
            return b""
        _refuse(answer)
        return answer.content[start:] if answer.status_code == 200 else answer.content

    def _ask(self, method: str, path: str, **given: Any) -> httpx.Response:
        answer = self._send(method, path, **given)
        _refuse(answer)
        return answer

    def _send(self, method: str, path: str, **given: Any) -> httpx.Response:
        try:
            return self._http.request(method, path, **given)
        except httpx.HTTPError as error:
            raise Unavailable(f"MoonMind does not answer: {error}") from None


class HttpSource:
    """Looks at a run through a server; see `follow.Source`."""

    def __init__(self, client: Client, run_id: UUID) -> None:
        self._client = client
        self._id = run_id

    def look(self) -> SpecWorkflowRun:
        """See `follow.Source`."""
        return self._client.get(self._id)

    def log(self, path: str, start: int) -> bytes:
        """See `follow.Source`."""
        return self._client.artifact(self._id, path, start)

    def requests(self) -> list[RunEvent]:
        """See `follow.Source`."""
        return [event for event in self._client.events(self._id) if event.actor is not None]


def _refuse(answer: httpx.Response) -> None:
    if answer.is_success:
        return
    try:
        problem = json.loads(answer.content)
        message, remediation = str(problem["message"]), problem.get("remediation")
    except (ValueError, KeyError, TypeError, AttributeError):
        message, remediation = f"MoonMind answered {answer.status_code}", None
    raise _KINDS.get(answer.status_code, External)(message, remediation=remediation)
