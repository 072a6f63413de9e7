"""How a command says that it can't be done: one sentence on standard error, and exit code 2."""

from collections.abc import Iterator
from contextlib import contextmanager

import typer
from pydantic import ValidationError

from streamweave.errors import StreamWeaveError
from streamweave.printable import printable

CANNOT_BE_DONE = 2


@contextmanager
def one_sentence() -> Iterator[None]:
    """Turn our own errors, and values of the environment that can't be used, into one sentence and exit code 2."""
    try:
        yield
    except StreamWeaveError as error:
        typer.echo(str(error), err=True)
        raise typer.Exit(CANNOT_BE_DONE) from error
    except ValidationError as error:
        typer.echo(printable(_sentence(error)), err=True)
        raise typer.Exit(CANNOT_BE_DONE) from error


def _sentence(error: ValidationError) -> str:
    first = error.errors()[0]
    return f"STREAMWEAVE_{'.'.join(map(str, first['loc'])).upper()}: {first['msg']}"
