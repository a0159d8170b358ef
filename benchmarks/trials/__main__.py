"""Run trials by name, each on servers and processes of its own, and print what they found.

python -m benchmarks.trials                    # all of them, as the documentation cites them
python -m benchmarks.trials stale cancels --scale 0.2 --json
"""

import argparse
import json
import sys
import time

import structlog

from benchmarks import stand
from benchmarks.trials import requests, services, workers

TRIALS = {**workers.TRIALS, **services.TRIALS, **requests.TRIALS}


def main() -> int:
    """Run what the command line names; the exit code tells whether every limit was met."""
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("names", nargs="*", metavar="NAME", help=f"of {', '.join(TRIALS)}; default: all")
    parser.add_argument("--scale", type=float, default=1.0, help="of waits and numbers: 0.1 is a short look")
    parser.add_argument("--keep", action="store_true", help="keep the folders with the logs")
    parser.add_argument("--json", action="store_true", help="one object per line")
    chosen = parser.parse_args()
    if unknown := set(chosen.names) - set(TRIALS):
        parser.error(f"there is no trial {', '.join(sorted(unknown))}; there are {', '.join(TRIALS)}")
    stand.interrupt_once()
    structlog.configure(logger_factory=structlog.PrintLoggerFactory(sys.stderr))
    failed = []
    for name in chosen.names or TRIALS:
        trial, began = TRIALS[name], time.monotonic()
        try:
            with stand.folder(keep=chosen.keep) as place:
                found = trial.run(place, chosen.scale)
            passed = trial.passed(found)
        except (RuntimeError, OSError) as error:
            # What did not come in time, or could not be started: said, and the other trials go on.
            found, passed = {"error": str(error)}, False
        said = {"trial": name, "passed": passed, "seconds": round(time.monotonic() - began), **found}
        print(json.dumps(said, indent=None if chosen.json else 1), flush=True)
        if not passed:
            failed.append(name)
    if failed:
        print(f"not met: {', '.join(failed)}", file=sys.stderr)
    return 1 if failed else 0


if __name__ == "__main__":
    sys.exit(main())
