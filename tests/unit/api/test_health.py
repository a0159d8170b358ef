"""The routes of health."""

from typing import Any

import pytest
from fastapi.testclient import TestClient

from api_service.app import create_app
from moonmind.ports.check import Check, CheckStatus
from tests.support.peers import ours


def test_a_living_process_says_so(client: TestClient) -> None:
    assert client.get("/healthz").json() == {"status": "ok"}


def test_a_ready_process_lists_its_checks(client: TestClient) -> None:
    answer = client.get("/readyz")
    assert answer.status_code == 200
    assert answer.json() == {
        "ready": True,
        "checks": [
            {
                "name": "database",
                "status": "passed",
                "message": "it answers",
                "remediation": None,
                "informational": False,
            }
        ],
    }


@pytest.mark.parametrize(("status", "expected"), [("failed", 503), ("unknown", 200), ("skipped", 200)])
def test_only_a_failed_check_makes_a_process_not_ready(build: Any, status: str, expected: int) -> None:
    container = build()
    container.checks.append(Check("broker", CheckStatus(status), "no answer", "Start RabbitMQ."))
    with TestClient(
        create_app(container=container, owner_of=ours), base_url="http://localhost", client=("127.0.0.1", 1)
    ) as client:
        assert client.get("/readyz").status_code == expected


def test_an_informational_check_is_shown_and_decides_nothing(build: Any) -> None:
    container = build()
    container.checks.append(Check("codex.binary", CheckStatus.FAILED, "no codex", "Install it.", informational=True))
    with TestClient(
        create_app(container=container, owner_of=ours), base_url="http://localhost", client=("127.0.0.1", 1)
    ) as client:
        answer = client.get("/readyz")
        assert (answer.status_code, answer.json()["ready"]) == (200, True)
        assert answer.json()["checks"][1] == {
            "name": "codex.binary",
            "status": "failed",
            "message": "no codex",
            "remediation": "Install it.",
            "informational": True,
        }
        container.checks.append(Check("broker", CheckStatus.FAILED, "no answer", "Start RabbitMQ."))
        problem = client.get("/readyz").json()
    assert problem["message"] == "not ready: broker: no answer"
    assert len(problem["details"]["checks"]) == 3


def test_a_process_that_is_not_ready_says_which_check_failed(build: Any) -> None:
    container = build()
    container.checks.append(Check("broker", CheckStatus.FAILED, "no answer", "Start RabbitMQ."))
    with TestClient(
        create_app(container=container, owner_of=ours), base_url="http://localhost", client=("127.0.0.1", 1)
    ) as client:
        answer = client.get("/readyz")
    problem = answer.json()
    assert problem["message"] == "not ready: broker: no answer"
    assert problem["remediation"] == "Start RabbitMQ."
    assert [check["status"] for check in problem["details"]["checks"]] == ["passed", "failed"]
    assert answer.headers["retry-after"]
