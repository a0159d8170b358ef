"""The one list of checks before an agent costs money: for submit, `doctor`, `/readyz` and retry."""
