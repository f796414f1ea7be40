"""Shared by all tests: the skip rule, Hypothesis, the outside test data, a real PostgreSQL server.

In CI (``CI`` set) nothing may be skipped but for a CPU feature that the machine lacks: any other
skip is a failure. The reason of an allowed skip starts with "cpu feature". Elsewhere a run ends
with one line for each reason: what was not tested, and how many tests that was.
"""

from __future__ import annotations

import os
from collections import Counter
from collections.abc import Generator, Iterator
from pathlib import Path

import pytest
from hypothesis import HealthCheck, settings

from tests.support.postgresql import postgres_server

# No test is timed, and a failure prints what reproduces it.
settings.register_profile(
    "assay", deadline=None, print_blob=True, suppress_health_check=[HealthCheck.too_slow]
)
settings.load_profile("assay")

ALLOWED_SKIP = "Skipped: cpu feature"


def skip_reason(report: pytest.TestReport | pytest.CollectReport) -> str:
    """Return why a test, or a module as a whole, was skipped."""
    return report.longrepr[2] if isinstance(report.longrepr, tuple) else str(report.longrepr)


def fail_a_skip_in_ci(report: pytest.TestReport | pytest.CollectReport) -> None:
    """Turn a skip into a failure where CI must have run the test."""
    expected_failure = hasattr(report, "wasxfail")
    if not os.environ.get("CI") or not report.skipped or expected_failure:
        return
    reason = skip_reason(report)
    if not reason.startswith(ALLOWED_SKIP):
        report.outcome = "failed"
        report.longrepr = f"skipped in CI, where only a missing CPU feature may skip: {reason}"


@pytest.hookimpl(wrapper=True)
def pytest_runtest_makereport() -> Generator[None, pytest.TestReport, pytest.TestReport]:
    """Apply the skip rule to tests."""
    report = yield
    fail_a_skip_in_ci(report)
    return report


@pytest.hookimpl(wrapper=True)
def pytest_make_collect_report() -> Generator[None, pytest.CollectReport, pytest.CollectReport]:
    """Apply the skip rule to modules that skip as a whole."""
    report = yield
    fail_a_skip_in_ci(report)
    return report


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Say in one line for each reason what this run did not test."""
    reasons = Counter(skip_reason(report) for report in terminalreporter.getreports("skipped"))
    for reason, tests in sorted(reasons.items()):
        terminalreporter.write_line(f"NOT TESTED ({tests}): {reason.removeprefix('Skipped: ')}")


def outside_folder(variable: str, what: str) -> Path:
    """Return the folder that an environment variable names; its files are read in place."""
    folder = os.environ.get(variable)
    if not folder:
        pytest.skip(f"{what}: {variable} names no folder")
    return Path(folder)


@pytest.fixture(scope="session")
def test_data() -> Path:
    """Return the folder of public sample files."""
    return outside_folder("ASSAY_TEST_DATA", "public sample files of other projects")


@pytest.fixture(scope="session")
def test_cases() -> Path:
    """Return the folder of captured public data: main-net proofs, signatures, lists, dumps."""
    return outside_folder("ASSAY_TEST_CASES", "captured data of the main networks")


@pytest.fixture(scope="session")
def postgresql_url() -> Iterator[str]:
    """Start a private PostgreSQL server; return its SQLAlchemy URL."""
    with postgres_server() as server:
        yield server.url
