"""In CI a skipped test is a failed test, unless the CPU lacks a feature."""

from __future__ import annotations

from pathlib import Path

import pytest

pytest_plugins = ["pytester"]

CONFTEST = Path(__file__).parents[1] / "conftest.py"

CASES = """
    import pytest

    def test_passes():
        pass

    def test_cpu():
        pytest.skip("cpu feature sha_ni is absent")

    @pytest.mark.skip(reason="no browser")
    def test_marked():
        pass

    def test_server():
        pytest.skip("no server")
"""


@pytest.fixture
def suite(pytester: pytest.Pytester) -> pytest.Pytester:
    """Return a small suite of its own that uses this project's conftest."""
    pytester.makeconftest(CONFTEST.read_text(encoding="utf-8"))
    pytester.makepyfile(CASES)
    return pytester


def test_skips_fail_in_ci(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CI", "true")
    result = suite.runpytest_subprocess("-p", "no:cacheprovider")
    result.assert_outcomes(passed=1, skipped=1, failed=1, errors=1)
    result.stdout.fnmatch_lines(["*no browser*", "*no server*"])


def test_a_module_that_skips_whole_fails_in_ci(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("CI", "true")
    suite.makepyfile(test_whole="import pytest\npytest.importorskip('no_such_module')")
    suite.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(errors=1)


def test_skips_are_skips_elsewhere(suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("CI", raising=False)
    suite.runpytest_subprocess("-p", "no:cacheprovider").assert_outcomes(passed=1, skipped=3)


def test_a_run_ends_with_what_it_did_not_test(
    suite: pytest.Pytester, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.delenv("CI", raising=False)
    suite.makepyfile(test_whole="import pytest\npytest.importorskip('no_such_module')")
    suite.makepyfile(test_again="import pytest\ndef test_too():\n    pytest.skip('no server')")
    lines = suite.runpytest_subprocess("-p", "no:cacheprovider").stdout.lines
    said = [line for line in lines if line.startswith("NOT TESTED")]
    assert said == [
        "NOT TESTED (1): could not import 'no_such_module': No module named 'no_such_module'",
        "NOT TESTED (1): cpu feature sha_ni is absent",
        "NOT TESTED (1): no browser",
        "NOT TESTED (2): no server",
    ]
