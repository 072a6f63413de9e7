"""The documents as a site: it builds without a broken link, and loads nothing from other hosts."""

import os
import re
import subprocess
import sys
from pathlib import Path

import pytest

LOADED = re.compile(
    r"""<(?:script|img|iframe|source|video|audio|object|embed)\b[^>]*?\b(?:src|data)=["']?(?P<by_tag>[^"'\s>]+)"""
    r"""|<link\b(?=[^>]*\brel=["']?(?:stylesheet|preload|preconnect|prefetch|dns-prefetch|icon))[^>]*?\bhref=["']?"""
    r"""(?P<by_link>[^"'\s>]+)"""
    r"""|@import\s+(?:url\()?["']?(?P<by_import>[^"')\s]+)"""
    r"""|url\(["']?(?P<by_url>[^"')\s]+)"""
)
OF_ANOTHER_HOST = re.compile(r"^(?:https?:)?//")


@pytest.fixture(scope="module")
def site(tmp_path_factory: pytest.TempPathFactory, request: pytest.FixtureRequest) -> Path:
    """The built site. Raises if a link, an anchor or a page is missing."""
    folder = tmp_path_factory.mktemp("site")
    done = subprocess.run(
        [sys.executable, "-m", "mkdocs", "build", "--strict", "--site-dir", folder],
        cwd=request.config.rootpath,
        env={**os.environ, "NO_COLOR": "1", "NO_MKDOCS_2_WARNING": "true"},
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stdout + done.stderr
    return folder


def test_every_document_is_a_page(site: Path, repository_root: Path) -> None:
    documents = {document.stem for document in (repository_root / "docs").glob("*.md")} - {"index"}
    assert {page.parent.name for page in site.glob("*/index.html")} == documents


def test_nothing_is_loaded_from_another_host(site: Path) -> None:
    pages = [*site.rglob("*.html"), *site.rglob("*.css"), *site.rglob("*.svg")]
    assert len(pages) > 10
    found = [
        (page.name, address)
        for page in pages
        for match in LOADED.finditer(page.read_text())
        for address in match.groups()
        if address and OF_ANOTHER_HOST.match(address)
    ]
    assert found == []


def test_no_page_has_a_diagram_that_needs_a_script_of_another_host(repository_root: Path) -> None:
    """The theme fetches Mermaid from another host as soon as a page holds a diagram for it."""
    assert [page.name for page in (repository_root / "docs").glob("*.md") if "```mermaid" in page.read_text()] == []
