"""What routes are given."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request

from api_service.auth import ACTOR
from api_service.information import Information
from moonmind.runtime.container import Container
from moonmind.services.preview_service import PreviewService
from moonmind.services.run_service import RunService
from moonmind.wire import Text


def container(request: Request) -> Container:
    """Return the container that the application serves."""
    found: Container = request.app.state.container
    return found


def runs(request: Request) -> RunService:
    """Return the service behind every route."""
    return container(request).runs


def previews(request: Request) -> PreviewService:
    """Return the service that answers what a run would take up."""
    return container(request).previews


def information(request: Request) -> Information:
    """Return what readiness shows beside what it decides by."""
    found: Information = request.app.state.information
    return found


async def actor(request: Request) -> str | None:
    """Return who asks, as the guard found out: an OS user, or the name of a token."""
    found: str | None = request.scope.get(ACTOR)
    return found


Parts = Annotated[Container, Depends(container)]
Runs = Annotated[RunService, Depends(runs)]
Previews = Annotated[PreviewService, Depends(previews)]
Informed = Annotated[Information, Depends(information)]
Actor = Annotated[str | None, Depends(actor)]
"""Who is recorded with what a route changes."""
RunId = Annotated[UUID, Path(description="The run's id.")]
Search = Annotated[Text | None, Query(max_length=200)]
"""A text filter; absent means all."""
