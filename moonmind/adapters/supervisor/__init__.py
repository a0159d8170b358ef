"""Owns one agent from start to end, in a process of its own that outlives the one that asked for it.

Standard library, `moonmind.redact` and nothing else: it must start fast and not care what its starter had loaded.
`python -m moonmind.adapters.supervisor` reads one order (order.py) on standard input, answers `started` or `already`,
and leaves a process behind that holds the job folder's lock until it has written `result.json` (folder.py).
"""
