"""Settings of a worker: every Celery command is refused where there is no broker."""

import pytest

AMQP = "amqp://guest:guest@127.0.0.1:1//"


@pytest.fixture(autouse=True)
def broker(clean_environment: None, monkeypatch: pytest.MonkeyPatch) -> None:
    """Name a broker that nobody asks."""
    monkeypatch.setenv("CELERY_BROKER_URL", AMQP)
