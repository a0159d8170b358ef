"""What redaction takes for the worst text of each pattern, beside plain text of the same size in the same process."""

import sys
import time
from collections.abc import Iterator, Mapping

from moonmind.redact import Redactor

SIZE = 1024 * 1024
LIMIT = 3.0
"""Times plain text."""

PLAIN = "The quick brown fox jumps over the lazy dog; def function(argument): return argument + 1\n"
SECRETS = ("ghp_" + "aB3dEfGh1jKlMnOp" * 2 + "wxyz", "ab" * 30, "a" * 40, "s3cret/with+odd=chars&more", "p4ss-w0rd")
"""Known ones, two of them as bad for a search as can be: every place of a text may begin them."""

WORST: Mapping[str, str] = {
    "spaces": " ",
    "line breaks": "\n",
    "quotes that are joined": '"+\n"',
    "words": "a.",
    "private key: begins": "-----BEGIN PRIVATE KEY-----",
    "private key: begins, dashes shared": "-----BEGIN PRIVATE KEY",
    "private key: long label": "-----BEGIN " + "A" * 41,
    "private key: begins and ends": "-----BEGIN PRIVATE KEY-----x-----END PRIVATE KEY-----",
    "private key: half a begin": "-----BEGIN ",
    "JWT: headers": "-eyJ",
    "JWT: payloads": ".eyJ",
    "JWT: short parts": ".eyJaaaaaaaaaa",
    "JWT: nearly": "eyJaaaaaaaaaa.eyJaaaaaaaaaa.aaaaaaaaa ",
    "JWT: whole": "eyJaaaaaaaaaa.eyJaaaaaaaaaa.aaaaaaaaaa ",
    "JWT: long parts": "a" * 8003 + ".eyJ" + "a" * 8000 + "." + "-eyJ" * 2000,
    "URL: schemes": "a://",
    "URL: whole": "a://u:p@",
    "URL: long scheme, no end": "a." * 16 + "://" + "u" * 200 + ":" + "p" * 500 + " ",
    "URL: colons": "a://:" + ":" * 500,
    "ghp_: one short": "ghp_" + "a" * 19 + " ",
    "ghp_: one long": "ghp_" + "a" * 256 + " ",
    "ghp_: whole": "ghp_" + "a" * 36 + " ",
    "github_pat_: repeated": "github_pat_",
    "github_pat_: one long": "github_pat_" + "a" * 256 + " ",
    "sk-: repeated": "sk-",
    "sk-: one short": "sk-" + "a" * 19 + " ",
    "AKIA: one long": "AKIA" + "A" * 17 + " ",
    "glpat-: repeated": "glpat-",
    "xoxb-: repeated": "xoxb-a",
    "npm_: one long": "npm_" + "a" * 37 + " ",
    "known: whole": SECRETS[0],
    "known: nearly": SECRETS[0][:-1],
    "known: nearly, periodic": "ab" * 29 + "a ",
    "known: one letter": "a",
}


def ratios(size: int = SIZE, rounds: int = 3) -> Iterator[tuple[str, float]]:
    """Return for each worst text how many times the time of plain text it takes: CPU time, the best of the rounds."""
    redactor = Redactor(SECRETS)
    plain = _seconds(redactor, PLAIN, size, rounds)
    for name, unit in WORST.items():
        yield name, _seconds(redactor, unit, size, rounds) / plain


def _seconds(redactor: Redactor, unit: str, size: int, rounds: int) -> float:
    text = (unit * (size // len(unit) + 1))[:size]
    data = text.encode()
    best = float("inf")
    for _ in range(rounds):
        began = time.thread_time()
        redactor.text(text)
        redactor.holds_known(data)
        best = min(best, time.thread_time() - began)
    return best


def main() -> int:
    """Print the ratios; 1 where one is above the limit."""
    worst = 0.0
    for name, ratio in ratios():
        worst = max(worst, ratio)
        print(f"{name:<36} {ratio:5.2f}  {'' if ratio <= LIMIT else 'TOO SLOW'}")
    print(f"the worst takes {worst:.2f} times the time of plain text; at most {LIMIT:.0f} are allowed")
    return 0 if worst <= LIMIT else 1


if __name__ == "__main__":
    sys.exit(main())
