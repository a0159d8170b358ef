"""Health: is the process alive, and can runs be taken and moved."""

from collections.abc import Sequence

from fastapi import APIRouter

from api_service.deps import Informed, Parts
from api_service.routes.answers import refusals
from moonmind.errors import Unavailable
from moonmind.ports.check import Check
from moonmind.wire import CheckResult, Health, Problem, Readiness

router = APIRouter(tags=["health"])


@router.get("/healthz", operation_id="health", response_model=Health, responses=refusals())
def healthz() -> Health:
    """Return that the process answers."""
    return Health()


@router.get(
    "/readyz",
    operation_id="readiness",
    response_model=Readiness,
    responses={503: {"model": Problem, "description": "Not ready; `details.checks` says why."}, **refusals()},
)
def readyz(parts: Parts, information: Informed) -> Readiness:
    """Return whether runs are accepted and executed now; informational checks show what a run may still lack."""
    checks = [*parts.ready(), *information.checks()]
    failed = [check for check in checks if check.failed and not check.informational]
    if failed:
        said = "; ".join(f"{check.name}: {check.message}" for check in failed)
        listed = [result.model_dump(mode="json", by_alias=True) for result in _results(checks)]
        raise Unavailable(
            f"not ready: {said}", remediation=" ".join(check.remediation for check in failed) or None, checks=listed
        )
    return Readiness(ready=True, checks=_results(checks))


def _results(checks: Sequence[Check]) -> list[CheckResult]:
    return [CheckResult.of(check) for check in checks]
