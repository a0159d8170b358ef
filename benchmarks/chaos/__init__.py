"""A chaos campaign: a whole MoonMind of its own, killed and cut off from a seed while it works on runs, and then judged.

python -m benchmarks.chaos --profile full|embedded --runs N --seed S [--minutes M] [--json]
"""
