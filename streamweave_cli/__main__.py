"""`python -m streamweave_cli` is `streamweave`, wherever PATH leads."""

from streamweave_cli.app import app

app()
