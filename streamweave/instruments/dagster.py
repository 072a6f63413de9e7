"""Requests to Dagster's webserver over GraphQL (Dagster 1.13), and the run config of the job ``harvest``.

The code location that defines the job and the programs that launch it from outside both build on this.
"""

from typing import Any

import httpx

from streamweave.errors import OrchestratorUnavailable

LOCATION_NAME = "streamweave"
JOB_NAME = "harvest"
INSTRUMENT_TAG = "instrument"

ANSWER_SECONDS = 30.0
RELOAD_SECONDS = 120.0
RELOAD = """
mutation Reload($location: String!) {
  reloadRepositoryLocation(repositoryLocationName: $location) {
    __typename
    ... on WorkspaceLocationEntry { locationOrLoadError { __typename ... on PythonError { message } } }
    ... on PythonError { message }
    ... on ReloadNotSupported { message }
    ... on RepositoryLocationNotFound { message }
    ... on UnauthorizedError { message }
  }
}
"""


def harvest_run_config(slug: str) -> dict[str, Any]:
    """The run config of ``harvest`` for the instrument ``slug``."""
    return {"ops": {"discover": {"config": {"instrument": slug}}}}


def harvest_run_tags(slug: str) -> dict[str, str]:
    """The tags of every run that harvests the instrument ``slug``; one such run goes at a time."""
    return {INSTRUMENT_TAG: slug}


def orchestrator(url: str, token: str = "") -> httpx.Client:
    """The way to the webserver at ``url``, to be closed in the end; ``token`` is what its guard lets programs in by."""
    # Dagster is on our own network: no proxy of the environment is used for it
    headers = {"Authorization": f"Bearer {token}"} if token else {}
    return httpx.Client(base_url=url, headers=headers, timeout=ANSWER_SECONDS, trust_env=False)


def ask(client: httpx.Client, query: str, variables: dict[str, Any], seconds: float = ANSWER_SECONDS) -> dict[str, Any]:
    """The data of the answer. Raises ``OrchestratorUnavailable``."""
    try:
        response = client.post("/graphql", json={"query": query, "variables": variables}, timeout=seconds)
        response.raise_for_status()
        answer = response.json()
    except (httpx.HTTPError, ValueError) as error:
        raise OrchestratorUnavailable(f"Dagster doesn't answer at {client.base_url}: {error}") from error
    if not isinstance(answer, dict) or answer.get("errors") or not isinstance(answer.get("data"), dict):
        raise OrchestratorUnavailable("Dagster doesn't understand what it was asked")
    return dict(answer["data"])


def message_of(answer: dict[str, Any]) -> str:
    """Why something was not done, in Dagster's words."""
    errors = [error["message"] for error in answer.get("errors", [])]
    return "; ".join(errors) or answer.get("message") or answer["__typename"]


def reload_code_location(client: httpx.Client) -> None:
    """Have the code location read the catalog's configuration anew. Raises ``OrchestratorUnavailable``."""
    answer = ask(client, RELOAD, {"location": LOCATION_NAME}, RELOAD_SECONDS)["reloadRepositoryLocation"]
    loaded = answer.get("locationOrLoadError") or {}
    if answer["__typename"] != "WorkspaceLocationEntry" or loaded.get("__typename") == "PythonError":
        raise OrchestratorUnavailable(f"Dagster did not reload: {message_of(loaded if loaded else answer)}")
