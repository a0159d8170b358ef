"""Counts the calls of the model that a run makes, and says when no more are allowed."""

import json
import threading
import time
from pathlib import Path

from moonmind.adapters.supervisor.folder import write_json
from moonmind.adapters.supervisor.order import KeyProxy

LIMIT_CODE = "model_call_limit"


class CallCount:
    """The run's count, kept in the job's folder before each call is made: a killed supervisor's calls stay counted.

    A call counts once the service has begun to answer it; one that is under way counts until it is known to be refused.
    Used by several threads.
    """

    def __init__(self, path: Path | None, terms: KeyProxy) -> None:
        self._path = path
        self._terms = terms
        self._total = terms.calls_before
        self._guard = threading.Lock()
        self.refused_at: float | None = None
        """When a call was first refused for the limit, by the monotonic clock."""
        self.refusals: set[int] = set()
        """The statuses with which the service refused calls."""
        self._write()

    def begin(self) -> bool:
        """Count a call that is about to be made; return False at the limit. Raises OSError where it cannot be kept."""
        with self._guard:
            if self._terms.calls_most is not None and self._total >= self._terms.calls_most:
                self.refused_at = time.monotonic() if self.refused_at is None else self.refused_at
                return False
            self._total += 1
            self._write()
            return True

    def take_back(self) -> None:
        """Uncount a call that the service did not answer. Raises OSError where that cannot be kept."""
        with self._guard:
            self._total -= 1
            self._write()

    def words(self) -> str:
        """Return how far the allowance is used."""
        with self._guard:
            used, most = self._total - self._terms.calls_base, self._terms.calls_most
        return f"{used} calls were made" + ("" if most is None else f", {most - self._terms.calls_base} are allowed")

    def refusal(self) -> bytes:
        """Return the body that ends Codex's turn: an error of the request, which is not tried again."""
        error = {"type": "invalid_request_error", "code": LIMIT_CODE, "message": f"limit reached: {self.words()}"}
        return json.dumps({"error": error}).encode()

    def _write(self) -> None:
        if self._path is not None:
            write_json(
                self._path, {"total": self._total, "base": self._terms.calls_base, "most": self._terms.calls_most}
            )
