"""When the candidates of a question were changed last, as the checkout's own git knows it; nothing is fetched."""

import time
from collections.abc import Mapping
from dataclasses import replace

from moonmind.cli.checkout_git import WorkTree
from moonmind.cli.speckit.checkout import Checkout
from moonmind.speckit.answer import Answer

SECONDS = 2.0
"""For all candidates together: who asks what comes next does not wait for a long history."""


def with_last_changes(checkout: Checkout, found: Answer, environment: Mapping[str, str]) -> Answer:
    """Add the last commits' times to the candidates, of as many as there is time for; what is not committed does not count."""
    tree = WorkTree.around(checkout.root, environment)
    if tree is None:
        return found
    begin = checkout.root.absolute().relative_to(tree.top)
    end = time.monotonic() + SECONDS
    candidates = []
    for one in found.candidates:
        left = end - time.monotonic()
        changed = tree.changed_at((begin / one.feature).as_posix(), left) if left > 0 else None
        candidates.append(replace(one, changed_at=None if changed is None else changed.isoformat()))
    return replace(found, candidates=tuple(candidates))
