"""`python -m streamweave.cli` is `streamweave`, wherever PATH leads."""

from streamweave.cli import app

app()
