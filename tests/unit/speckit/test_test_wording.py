"""Tasks that running the tests decides, and others that look alike."""

import pytest

from moonmind.speckit.test_wording import asks_for_tests


@pytest.mark.parametrize(
    "text",
    [
        "Run the full test suite",
        "Run all tests and verify they pass",
        "Execute pytest and confirm all tests are green",
        "Verify that all existing tests still pass",
        "Run `npm test` and make sure everything passes",
        "Run unit and integration tests",
        "Run tests in tests/contract/ and confirm that they pass",
        "Ensure all tests pass",
        "Ejecutar todas las pruebas",
        "运行所有测试",
    ],
)
def test_a_task_that_only_asks_for_passing_tests_is_one(text: str) -> None:
    assert asks_for_tests(text)


@pytest.mark.parametrize(
    "text",
    [
        "Write tests for the cart in tests/test_cart.py",
        "Run the tests and fix what fails",
        "Verify that the tests FAIL before the implementation",
        "Run quickstart.md validation",
        "Run all tests in the browser by hand",
        "Verify test coverage is above 80%",
        "Run load tests against staging",
        "Run linting and tests",
        "Run e2e tests on a real device",
        "Verify SC-001 with the test users",
        "Add a test command to package.json",
        "Implement the test runner in src/runner.py",
        "Run the build",
        "Check that the docs match the tests",
        "Run all tests and verify p95 under 200ms",
        "Run full test suite and confirm >=90% of lines are hit",
        "Verify that the API returns 401 without a token and tests pass",
        "Validate all tests pass and that no console errors appear",
        "Test that the cart rejects negative amounts",
        "Verify that the tests pass twice in a row under load",
        "",
        "x" * 5_000,
    ],
)
def test_a_task_that_asks_for_more_or_else_is_none(text: str) -> None:
    assert not asks_for_tests(text)
