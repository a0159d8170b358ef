"""Creating runs as a client does who does not give up: each under a key of its own, until it is accepted."""

import time
from collections.abc import Callable

import httpx

from benchmarks.chaos.background import Background

RUNS = "/api/workflows/speckit/runs"
PATIENCE_SECONDS = 300.0


class Load(Background):
    """Creates runs at an even pace, and remembers those that the API accepted."""

    def __init__(self, url: str, runs: int, per_second: float, may: Callable[[float], bool]) -> None:
        super().__init__("load")
        self._url = url
        self._runs = runs
        self._per_second = per_second
        self._may = may
        """Asked before each run, with the share of runs that there are: the load lasts as long as the faults."""
        self.accepted: list[str] = []
        self.answers: dict[int, int] = {}
        """How often the API answered how; 0 counts the requests without an answer."""

    def work(self) -> None:
        """Create the runs, each in its turn."""
        began = time.monotonic()
        for number in range(self._runs):
            turn = began + number / self._per_second
            while time.monotonic() < turn or not self._may(number / self._runs):
                if self.closing.wait(0.05):
                    return
            self._create(number)

    def _create(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self.closing.is_set():
            status, body = self._post(number)
            self.answers[status] = self.answers.get(status, 0) + 1
            if status == 202:
                self.accepted.append(str(body["id"]))
                return
            if status not in {0, 503} or time.monotonic() > deadline:
                raise RuntimeError(f"run {number} was answered {status}: {body}")
            time.sleep(0.3)

    def _post(self, number: int) -> tuple[int, dict[str, object]]:
        try:
            answer = httpx.post(
                f"{self._url}{RUNS}",
                json={"repository": f"chaos/r{number}"},
                headers={"Idempotency-Key": f"chaos-{number}"},
                timeout=60,
            )
        except httpx.TransportError:
            return 0, {}
        return answer.status_code, answer.json()
