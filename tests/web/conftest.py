"""A real browser on a real server. Where there is no Chromium there is nothing to test in: .ci/run installs one."""

import shutil
from collections.abc import AsyncIterator

import pytest
from playwright.async_api import Page, async_playwright

from tests.races.conftest import start_process

__all__ = ["page", "start_process"]

CHROMIUM = shutil.which("chromium")
collect_ignore_glob = [] if CHROMIUM else ["test_*.py"]

QUIET = ("--no-sandbox", "--disable-gpu", "--disable-background-networking", "--disable-component-update")


@pytest.fixture
async def page() -> AsyncIterator[Page]:
    """An empty page of a browser that has never been anywhere."""
    async with async_playwright() as playwright:
        browser = await playwright.chromium.launch(executable_path=CHROMIUM, args=list(QUIET))
        yield await browser.new_page()
        await browser.close()
