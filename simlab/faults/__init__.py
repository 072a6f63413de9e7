"""Faults: what happens to shares in laboratories, as scenarios by name, on a real server.

``line``
    a TCP proxy in front of a server, which counts the bytes that pass, cuts connections, or damages what the server
    sends
``stage``
    a shared folder, the server, and the line in front of it
``reaching``, ``files``, ``hostile``
    the scenarios: of server and network, of the files on the share, of a server that breaks the protocol; those that
    happen during a copy wait for the byte at which they do
``scenarios``
    all of them by name

In tests: ``with set_stage(folder, work) as stage, SCENARIOS["freezes"](stage): …``. By hand: ``python -m simlab
faults`` lists them, ``python -m simlab fault NAME --folder DIR`` serves a folder with one of them.
"""

from simlab.faults.scenarios import SCENARIOS, Scenario, scenario_called, sentence_of, server_options_for
from simlab.faults.stage import SHARE, Stage, set_stage

__all__ = [
    "SCENARIOS",
    "SHARE",
    "Scenario",
    "Stage",
    "scenario_called",
    "sentence_of",
    "server_options_for",
    "set_stage",
]
