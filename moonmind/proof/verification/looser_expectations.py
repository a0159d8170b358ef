"""Tests of JavaScript and TypeScript that assert of the same value something looser than before."""

from moonmind.proof.verification.asserted_script import asserted_in_script


def looser_in_scripts(before: bytes, after: bytes, ending: str) -> tuple[str, ...]:
    """Return the tests that are in both files and assert something looser of the same value, by their titles."""
    old, new = (asserted_in_script(content, ending, generous=True) for content in (before, after))
    if old is None or new is None:
        return ()
    found = []
    for test in old[0]:
        if test not in old[1] or test not in new[1] or old[0][test].forms == new[0][test].forms:
            continue
        now = dict[str, int]()
        for value, strength in new[0][test].forms:
            now[value] = max(strength, now.get(value, 0))
        if any(value in now and now[value] < strength for value, strength in old[0][test].forms):
            found.append(test)
    return tuple(found)
