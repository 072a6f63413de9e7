"""Lists of what can be deleted."""

from typing import Annotated

from litestar.params import QueryParameter

IncludeDeleted = Annotated[bool, QueryParameter(description="Whether to list what is deleted, too")]
