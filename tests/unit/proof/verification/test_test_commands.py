import pytest

from moonmind.proof.recipe import RecipeFile
from moonmind.proof.verification.test_commands import plan_tests


@pytest.mark.parametrize("run", ["npx jest", "node node_modules/jest/bin/jest.js --ci", "npm test"])
@pytest.mark.parametrize(("reporter", "expected"), [("jest-junit", True), ("jest-other", False)])
def test_the_package_says_whether_jest_has_its_reporter(run: str, reporter: str, expected: bool) -> None:
    package = f'{{"scripts": {{"test": "jest"}}, "devDependencies": {{"jest": "30", "{reporter}": "16"}}}}'
    recipe = RecipeFile.model_validate({"verify": [{"run": run}]})
    plan = plan_tests(recipe, ["package.json"], "", ["a.js"], {"package.json": package.encode()}.get)
    (command,) = plan.commands
    assert command.jest_junit is expected
