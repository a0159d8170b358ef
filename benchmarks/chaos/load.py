"""Creating runs as a client does who does not give up: each under a key of its own, until it is accepted."""

import threading
import time
from collections.abc import Callable

import httpx

RUNS = "/api/workflows/speckit/runs"
PATIENCE_SECONDS = 300.0


class Load:
    """Creates runs at an even pace, and remembers those that the API accepted."""

    def __init__(self, url: str, runs: int, per_second: float, may: Callable[[float], bool]) -> None:
        self._url = url
        self._runs = runs
        self._per_second = per_second
        self._may = may
        """Asked before each run, with the share of runs that there are: the load lasts as long as the faults."""
        self.accepted: list[str] = []
        self.answers: dict[int, int] = {}
        """How often the API answered how; 0 counts the requests without an answer."""
        self.error: BaseException | None = None
        self._closing = threading.Event()
        self._thread = threading.Thread(target=self._go, name="load", daemon=True)

    def start(self) -> None:
        """Begin."""
        self._thread.start()

    def close(self) -> None:
        """Create no more."""
        self._closing.set()
        self._thread.join()

    @property
    def over(self) -> bool:
        """Tell whether all runs were created."""
        return not self._thread.is_alive()

    def _go(self) -> None:
        began = time.monotonic()
        try:
            for number in range(self._runs):
                turn = began + number / self._per_second
                while time.monotonic() < turn or not self._may(number / self._runs):
                    if self._closing.wait(0.05):
                        return
                self._create(number)
        except BaseException as error:  # noqa: BLE001 - handed to the campaign, which ends with it
            self.error = error

    def _create(self, number: int) -> None:
        deadline = time.monotonic() + PATIENCE_SECONDS
        while not self._closing.is_set():
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
