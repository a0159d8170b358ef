"""Trials: one fault each, on real processes and servers of their own, with a figure and a limit.

python -m benchmarks.trials [NAME ...] [--scale X] [--json]
"""
