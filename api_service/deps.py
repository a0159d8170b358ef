"""What routes are given."""

from typing import Annotated
from uuid import UUID

from fastapi import Depends, Path, Query, Request

from api_service.backend import Container, RunService
from moonmind.wire import Text


def container(request: Request) -> Container:
    """Return the container that the lifespan opened."""
    found: Container = request.app.state.container
    return found


def runs(request: Request) -> RunService:
    """Return the service behind every route."""
    return container(request).runs


Parts = Annotated[Container, Depends(container)]
Runs = Annotated[RunService, Depends(runs)]
RunId = Annotated[UUID, Path(description="The run's id.")]
Search = Annotated[Text | None, Query(max_length=200)]
"""A text filter; absent means all."""
