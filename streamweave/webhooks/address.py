"""Addresses as people enter them: which of them a webhook can have at all."""

import re

import httpx

LONGEST_URL = 2_000
_PORT = "6553[0-5]|655[0-2][0-9]|65[0-4][0-9]{2}|6[0-4][0-9]{3}|[1-5][0-9]{4}|[1-9][0-9]{0,3}"
WEBHOOK_URL = rf'^https?://(?:[A-Za-z0-9.-]+|\[[0-9A-Fa-f:.]+\])(?::(?:{_PORT}))?(?:/[!-"$-~]*)?$'
"""No name and password before the host, no fragment after the path, and a name with an umlaut in its ``xn--`` form."""


def check_url(url: str) -> httpx.URL:
    """The address in its parts. Raises ``ValueError`` for one that no webhook can have."""
    if len(url) > LONGEST_URL or not re.fullmatch(WEBHOOK_URL, url):
        raise ValueError(f"must be written like https://host/path, in at most {LONGEST_URL} characters of ASCII")
    try:
        return httpx.URL(url)
    except (httpx.InvalidURL, UnicodeError) as error:
        raise ValueError("must name a host that can exist") from error
