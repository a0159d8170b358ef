"""The key of a built environment: whoever needs the same, finds it; whatever differs, leads to another."""

import hashlib
import json
from collections.abc import Mapping

from moonmind.proof.environments.environment_value import Environment

VERSION = 2
"""Raised whenever the same inputs are to be built anew."""
_DIGITS = 32
_OF_USE = ("image", "paths", "start")
"""Fields of an environment that change nothing of what a build makes: `foundation` stands for the image that is really used."""


def environment_key(
    *,
    repository: str,
    sandbox: str,
    foundation: str,
    uid: int,
    registries: Mapping[str, str],
    environment: Environment,
    key_files: Mapping[str, bytes],
) -> str:
    """Return a short name, such as `v1-90cf...`, that is the same in every process.

    `sandbox` is its kind, `foundation` stands for the programs that a build finds (an image's ID, or the host's programs), `uid`
    is whose files they are, `registries` the settings of registries, without logins, and `key_files` the content by path.
    Which services are started, and for which paths an environment is meant, counts when it is used.
    """
    whole = {
        "version": VERSION,
        "repository": repository,
        "sandbox": sandbox,
        "foundation": foundation,
        "registries": dict(registries),
        "uid": uid,
        "environment": {name: value for name, value in environment.as_json().items() if name not in _OF_USE},
        "key_files": {path: hashlib.sha256(content).hexdigest() for path, content in key_files.items()},
    }
    text = json.dumps(whole, sort_keys=True, separators=(",", ":"))
    return f"v{VERSION}-{hashlib.sha256(text.encode('ascii')).hexdigest()[:_DIGITS]}"
