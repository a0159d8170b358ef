"""Every page can be indexed: it has a title and the date of its last review."""

import re
import unittest
from pathlib import Path

PAGES = sorted(path for path in Path(__file__).parents[1].joinpath("docs").glob("*.md") if path.name != "index.md")


class Docs(unittest.TestCase):
    def test_there_are_pages(self):
        self.assertTrue(PAGES)

    def test_every_page_has_a_title_and_a_review_date(self):
        for page in PAGES:
            with self.subTest(page.name):
                self.assertRegex(page.read_text("utf-8"), re.compile(r"\A# \S.*\n\nReviewed: \d{4}-\d{2}-\d{2}\n"))


if __name__ == "__main__":
    unittest.main()
