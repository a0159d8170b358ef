"""Every move of a run that no claim and no operator makes: what publisher, janitor and waker do."""

from moonmind.db.dispatch_rows import Hints
from moonmind.db.rescues import Rescues
from moonmind.db.wakeups import Wakes


class Recovery(Hints, Rescues, Wakes):
    """The recovery of one transaction: every method may be called again, and by several processes at once."""
