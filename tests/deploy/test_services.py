"""The services fit together: dependencies, ports, volumes."""

import inspect
import re
from graphlib import TopologicalSorter
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

import pytest

from simlab.host import HostAddress
from simlab.manifest import manifest
from simlab.seed import SEED
from streamweave_cli.postgres import cluster
from streamweave_cli.postgres.cluster import INSTALLATION

WITHOUT_HEALTH_OF_ITS_OWN = {"dagster-daemon"}
STORAGE = {"/storage/archive", "/storage/restricted"}


def mounts_of(service: dict[str, Any]) -> dict[str, str]:
    """What is mounted, by the path in the container."""
    pattern = re.compile(r"(\$\{[^}]*\}|[^:]+):([^:]+)(?::ro)?")
    matches = [pattern.fullmatch(mount) for mount in service.get("volumes", [])]
    return {match[2]: match[1] for match in matches if match}


def is_one_shot(service: dict[str, Any]) -> bool:
    return service["restart"] == "no"


def test_the_services_are_those_of_streamweave_up(services: dict[str, Any]) -> None:
    assert set(services) == {"postgres", "migrate", "code-server", "dagster-daemon", "dagster-webserver", "api"}


def test_dependencies_exist_and_form_no_circle(all_services: dict[str, Any]) -> None:
    graph = {name: set(service.get("depends_on", {})) for name, service in all_services.items()}
    assert set().union(*graph.values()) <= set(graph)
    TopologicalSorter(graph).prepare()


def test_each_dependency_is_waited_for_in_the_way_that_it_can_fulfil(all_services: dict[str, Any]) -> None:
    for service in all_services.values():
        for name, dependency in service.get("depends_on", {}).items():
            needed = all_services[name]
            if dependency["condition"] == "service_healthy":
                assert needed["healthcheck"]
            else:
                assert dependency["condition"] == "service_completed_successfully"
                assert is_one_shot(needed)


def test_what_stays_is_started_again_and_tells_its_health(all_services: dict[str, Any]) -> None:
    for name, service in all_services.items():
        assert service["restart"] in {"no", "unless-stopped"}
        assert ("healthcheck" in service) != (is_one_shot(service) or name in WITHOUT_HEALTH_OF_ITS_OWN)


def test_only_the_api_and_dagster_are_published_and_only_on_loopback(all_services: dict[str, Any]) -> None:
    published = {name: service["ports"] for name, service in all_services.items() if "ports" in service}
    assert published == {"api": ["127.0.0.1:8000:8000"], "dagster-webserver": ["127.0.0.1:3000:3000"]}


@pytest.mark.parametrize("name", ["api", "dagster-webserver"])
def test_the_published_port_is_the_one_that_is_listened_on(name: str, services: dict[str, Any]) -> None:
    address, host_port, port = services[name]["ports"][0].split(":")
    assert (address, host_port) == ("127.0.0.1", port)
    assert port in services[name]["command"]


def test_the_api_finds_dagster_where_it_listens(services: dict[str, Any]) -> None:
    url = urlsplit(services["api"]["environment"]["STREAMWEAVE_DAGSTER_URL"])
    assert url.hostname == "dagster-webserver"
    assert str(url.port) in services["dagster-webserver"]["command"]


def test_every_named_volume_is_declared_and_used(compose: dict[str, Any]) -> None:
    sources = {source for service in compose["services"].values() for source in mounts_of(service).values()}
    named = {re.sub(r"\$\{\w+:-(.*)\}", r"\1", source) for source in sources if not source.startswith(".")}
    assert named == set(compose["volumes"])


def test_everyone_who_touches_the_storage_has_the_same(all_services: dict[str, Any]) -> None:
    mounts = [mounts_of(all_services[name]) for name in ("code-server", "api", "simlab-configure")]
    assert [{path: mount[path] for path in STORAGE} for mount in mounts] == [
        {"/storage/archive": "${ARCHIVE_STORAGE:-archive}", "/storage/restricted": "${RESTRICTED_STORAGE:-restricted}"}
    ] * len(mounts)


def test_the_simulated_laboratorys_storage_is_what_is_mounted() -> None:
    instruments = [(instrument, HostAddress(instrument.host)) for instrument in SEED]
    content = manifest(instruments, username="u", password="p", storage_root=Path("/storage"))
    assert {location["base_path"] for location in content["storage_locations"]} == STORAGE


def test_postgres_is_the_version_that_the_tests_run_against(services: dict[str, Any]) -> None:
    major = INSTALLATION.removeprefix("pginstall")
    assert services["postgres"]["image"] == f"postgres:{major}"
    # since version 18 the image keeps its data in a folder of the version below this one
    assert "/var/lib/postgresql" in mounts_of(services["postgres"])


def test_postgres_sorts_as_the_embedded_server_does(services: dict[str, Any]) -> None:
    embedded = inspect.getsource(cluster)
    arguments = services["postgres"]["environment"]["POSTGRES_INITDB_ARGS"].split()
    assert {argument.split("=")[0] for argument in arguments} >= {"--encoding", "--locale-provider", "--locale"}
    assert [argument for argument in arguments if argument not in embedded] == []


def test_paths_of_the_checkout_exist(services: dict[str, Any], repository_root: Path) -> None:
    for service in services.values():
        for source in mounts_of(service).values():
            assert not source.startswith("./") or (repository_root / source).exists()
        if build := service.get("build"):
            assert (repository_root / build["context"] / build["dockerfile"]).is_file()
