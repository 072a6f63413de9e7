"""The service account of hosts, from the environment: everyone on a machine sees the passwords on its command lines."""

from typing import Annotated

import typer

USERNAME_VARIABLE, PASSWORD_VARIABLE = "SIMLAB_USERNAME", "SIMLAB_PASSWORD"

Username = Annotated[
    str, typer.Option(envvar=USERNAME_VARIABLE, help="The one user who is let in.", show_default=False)
]
Password = Annotated[
    str, typer.Option(envvar=PASSWORD_VARIABLE, help="Their password; give it as the variable.", show_default=False)
]
