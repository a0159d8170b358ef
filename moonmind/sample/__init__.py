"""The packaged sample: a small Spec Kit repository, and what a scripted agent does in each of its phases."""
