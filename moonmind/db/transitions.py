"""Every move of a run that a claim or an operator makes."""

from moonmind.db.claims import Claims
from moonmind.db.operator_requests import Requests
from moonmind.db.outcomes import Outcomes


class Transitions(Claims, Outcomes, Requests):
    """The transitions of one transaction: each is guarded in its own UPDATE and writes one event beside it."""
