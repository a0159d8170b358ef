"""The key of a built environment: whoever needs the same, finds it; whatever differs, leads to another."""

import hashlib
import json
from collections.abc import Mapping

from moonmind.proof.environments.environment_value import Environment

VERSION = 1
"""Raised whenever the same inputs are to be built anew."""
_DIGITS = 32


def environment_key(
    *,
    repository: str,
    sandbox: str,
    image: str | None,
    uid: int,
    environment: Environment,
    key_files: Mapping[str, bytes],
) -> str:
    """Return a short name, such as `v1-90cf...`, that is the same in every process.

    `sandbox` is its kind, `image` the ID of the image that is really used (None where there is none), `uid` whose files they are,
    `key_files` the content by path.
    """
    whole = {
        "version": VERSION,
        "repository": repository,
        "sandbox": sandbox,
        "image": image,
        "uid": uid,
        "environment": environment.as_json(),
        "key_files": {path: hashlib.sha256(content).hexdigest() for path, content in key_files.items()},
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return f"v{VERSION}-{hashlib.sha256(text.encode('ascii')).hexdigest()[:_DIGITS]}"
