"""One Chromium for every test that looks at pages; each opens a context of its own in it.

A test is marked `browser` by asking for `chromium`, directly or not. Without one on the machine
those are skipped, and the end of the run says so.
"""

import os
import shutil
from collections.abc import Iterator

import pytest
from playwright.sync_api import Browser, sync_playwright

CHROMIUM = os.environ.get("CHROMIUM") or next(
    filter(None, map(shutil.which, ("chromium", "chromium-browser", "google-chrome"))), None
)
ARGUMENTS = [
    "--no-sandbox",
    "--disable-gpu",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--no-first-run",
]
_NONE = "no Chromium on this machine"


@pytest.fixture(scope="session")
def chromium() -> Iterator[Browser]:
    if CHROMIUM is None:
        pytest.skip(_NONE)
    with (
        sync_playwright() as playwright,
        playwright.chromium.launch(executable_path=CHROMIUM, args=ARGUMENTS) as running,
    ):
        yield running


@pytest.hookimpl(tryfirst=True)  # before `-m` chooses
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    for item in items:
        if "chromium" in getattr(item, "fixturenames", ()):
            item.add_marker("browser")


def pytest_terminal_summary(terminalreporter: pytest.TerminalReporter) -> None:
    """Nobody shall take a run without a browser for a whole one."""
    if any(_NONE in str(report.longrepr) for report in terminalreporter.getreports("skipped")):
        terminalreporter.section("NO BROWSER", sep="!", red=True, bold=True)
        terminalreporter.write_line(
            "No Chromium was found on this machine: the pages were NOT looked at in a browser.\n"
            "Install one (apt-get install chromium), or say where it is: CHROMIUM=/path/to/it."
        )
