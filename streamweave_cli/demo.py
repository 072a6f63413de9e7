"""`streamweave demo`: a guided tour of the running system, with simulated instruments.

Each chapter shows something and checks that it is so.
"""

import hashlib
import json
import tempfile
import time
from pathlib import Path
from typing import Annotated, Any

import typer
from rich.console import Console
from rich.markup import escape

from streamweave_cli.demo_system import Client, DemoSystem, Narration, TourFailed, demo_system
from streamweave_cli.terminal import one_sentence

TOUR_FAILED = 1


def demo(
    keep: Annotated[Path | None, typer.Option(help="Play in this new home and keep it, to be inspected later.")] = None,
) -> None:
    """Play the whole tour: simulated instruments, harvests, catalog; ends with a summary."""
    console = Console()
    narration = Narration(console)
    started = time.monotonic()
    with tempfile.TemporaryDirectory(prefix="streamweave-demo-") as scratch, one_sentence():
        try:
            with demo_system(keep or Path(scratch) / "home", console) as system:
                narration.measured["started in"] = f"{time.monotonic() - started:.0f} s"
                Tour(system, narration).play()
        except TourFailed as failure:
            console.print(f"[red]✗[/red] {escape(str(failure))}", highlight=False, soft_wrap=True)
            raise typer.Exit(TOUR_FAILED) from failure
    _summarise(narration, time.monotonic() - started)


def _summarise(narration: Narration, seconds: float) -> None:
    narration.chapter("Summary")
    rows = {"expectations checked": narration.checked, **narration.measured, "the whole tour": f"{seconds:.0f} s"}
    narration.table(("what", "how much"), rows.items())
    narration.say("Everything that was started has been stopped. To run it yourself: make up")


RESEARCHER = {"email": "researcher@test.org", "password": "testpassword123"}
NOT_FOUND = {"detail": "File not found"}


class AccessTour:
    """The chapters on access: private by default, then granted to a person, a group and a project."""

    def __init__(self, api: str, admin: Client, narration: Narration, files: list[dict[str, Any]]) -> None:
        self.narration = narration
        self.admin = admin
        self.researcher = Client(api)
        self.file, self.other = files[0], files[1]

    def play(self) -> None:
        """Play the chapters. Raises ``TourFailed``."""
        self.see_nothing()
        self.grant_to_a_person()
        self.grant_through_group_and_project()
        self.researcher.close()

    def see_nothing(self) -> None:
        self.narration.chapter("Private by default")
        self.user_id = self.researcher.post("/auth/register", RESEARCHER)["id"]
        self.researcher.log_in(**RESEARCHER)
        self.narration.expect(self.researcher.get("/api/files") == [], "a researcher sees no files")
        self.narration.expect(self.researcher.get("/api/transfers") == [], "and no transfers")
        self.narration.expect(not self._sees(self.file), "a file without a grant is answered with 404")
        answer = self.researcher.request("GET", "/api/instruments", 403)
        self.narration.expect(answer == {"detail": "Admin access required"}, "only admins see the configuration")

    def grant_to_a_person(self) -> None:
        self.narration.chapter("Granted to a person")
        grant = self._grant("user", self.user_id)
        self.narration.expect(
            len(self.researcher.get("/api/files")) == 1, "the researcher sees exactly the granted file"
        )
        self.narration.expect(not self._sees(self.other), "and no other")
        self.admin.delete(f"/api/files/{self.file['id']}/access/{grant['id']}")
        self.narration.expect(not self._sees(self.file), "once revoked, it is not found any more")

    def grant_through_group_and_project(self) -> None:
        self.narration.chapter("Granted to a project, through a group")
        group = self.admin.post("/api/groups", {"name": "Lab A Researchers"})
        project = self.admin.post("/api/projects", {"name": "Microscopy Study 2026"})
        self._grant("project", project["id"])
        member = {"member_type": "group", "member_id": group["id"]}
        self.admin.post(f"/api/projects/{project['id']}/members", member)
        self.narration.expect(not self._sees(self.file), "a project's file is hidden from who is not in the project")
        self.admin.post(f"/api/groups/{group['id']}/members", {"user_id": self.user_id})
        self.narration.expect(self._sees(self.file), "a member of a group in the project sees the file")

    def _grant(self, grantee_type: str, grantee_id: str) -> dict[str, Any]:
        body = {"grantee_type": grantee_type, "grantee_id": grantee_id}
        grant: dict[str, Any] = self.admin.post(f"/api/files/{self.file['id']}/access", body)
        return grant

    def _sees(self, file: dict[str, Any]) -> bool:
        path = f"/api/files/{file['id']}"
        if any(each["id"] == file["id"] for each in self.researcher.get("/api/files")):
            return bool(self.researcher.get(path)["id"] == file["id"])
        return bool(self.researcher.request("GET", path, 404) != NOT_FOUND)


SCAN = b"time,value\n0,1.0\n1,2.0\n"
SCAN_XXHASH = "7c0d455ba2126c3d"
SCANS = [f"user_{user}/experiment_00{number}/scan_01.csv" for user, number in (("a", 1), ("a", 2), ("b", 3))]
SENSOR_SECONDS = 60


class Tour:
    """The chapters, in order. What an early one finds (instruments, microscope, schedule) the later ones use."""

    def __init__(self, system: DemoSystem, narration: Narration) -> None:
        self.system = system
        self.narration = narration
        self.admin = Client(system.api)
        self.instruments: list[dict[str, Any]] = []
        self.microscope: dict[str, Any] = {}
        self.schedule_id = ""

    def play(self) -> None:
        """Play every chapter. Raises ``TourFailed`` at the first expectation that does not hold."""
        self.log_in()
        self.show_the_configuration()
        self.replace_the_schedules()
        self.trigger_a_harvest()
        self.filter_a_temporary_file()
        self.read_metadata_from_paths()
        self.let_the_sensor_harvest()
        self.show_the_catalog()
        self.find_nothing_new()
        AccessTour(self.system.api, self.admin, self.narration, self._microscope_files()).play()
        self.compare_archive_and_catalog()

    def log_in(self) -> None:
        self.narration.chapter("The service answers")
        self.narration.expect(self.admin.get("/health") == {"status": "ok"}, "/health answers ok")
        self.admin.log_in(self.system.admin_email, self.system.admin_password)
        self.narration.expect(self.admin.get("/users/me")["role"] == "admin", f"{self.system.admin_email} is an admin")
        self.narration.say(f"API {self.system.api}   Dagster {self.system.dagster}   home {self.system.home}")

    def show_the_configuration(self) -> None:
        self.narration.chapter("Simulated instruments on real SMB shares")
        self.instruments = self.admin.get("/api/instruments")
        self.narration.table(
            ("instrument", "slug", "share", "quiet period"),
            [
                (
                    each["name"],
                    each["slug"],
                    f"//{each['cifs_host']}:{each['cifs_port']}/{each['cifs_share']}",
                    f"{each['quiet_period_seconds']} s",
                )
                for each in self.instruments
            ],
        )
        locations, hooks = self.admin.get("/api/storage-locations"), self.admin.get("/api/hooks")
        self.narration.table(
            ("storage location", "base path"), [(each["name"], each["base_path"]) for each in locations]
        )
        rows = [(each["name"], each["trigger"], json.dumps(each["config"])) for each in hooks]
        self.narration.table(("hook", "trigger", "configuration"), rows)
        self.narration.expect(len(self.instruments) == 3, "there are 3 instruments")
        self.narration.expect((len(locations), len(hooks)) == (2, 2), "there are 2 storage locations and 2 hooks")
        self.microscope = self._instrument("microscope")

    def replace_the_schedules(self) -> None:
        """Delete the schedules and create new ones through the service, as an admin would."""
        self.narration.chapter("Schedules: Dagster follows the catalog by itself")
        for schedule in self.admin.get("/api/schedules"):
            self.admin.delete(f"/api/schedules/{schedule['id']}")
        archive, restricted = (each["id"] for each in self.admin.get("/api/storage-locations"))
        for number, instrument in enumerate(self.instruments):
            schedule = self.admin.post(
                "/api/schedules",
                {
                    "instrument_id": instrument["id"],
                    "default_storage_location_id": restricted if number == 2 else archive,
                    "cron_expression": "*/15 * * * *",
                    "enabled": True,
                },
            )
            self.narration.say(f"{schedule['cron_expression']}  {schedule['dagster_schedule_name']}")
        schedules = self.admin.get("/api/schedules")
        self.schedule_id = schedules[0]["id"]
        self.narration.expect(
            all(each["dagster_schedule_name"] for each in schedules), "each one has its Dagster schedule"
        )

    def trigger_a_harvest(self) -> None:
        self.narration.chapter("A harvest by trigger")
        self.admin.harvest(self.narration, self.schedule_id)
        files = self._microscope_files()
        self._show(files)
        names = sorted(file["filename"] for file in files)
        self.narration.expect(
            names == ["experiment_001.csv", "experiment_002.csv"], "the microscope's two files are there"
        )
        transfers = self.admin.get("/api/transfers", instrument_id=self.microscope["id"])
        self.narration.expect(
            all(each["status"] == "completed" and each["checksum_verified"] for each in transfers),
            "each copy was read back and compared: checksum_verified",
        )
        self.narration.expect(
            all(Path(each["destination_path"]).is_file() for each in transfers), "the copies are on disk"
        )

    def filter_a_temporary_file(self) -> None:
        self.narration.chapter("Excluded by a filter, and recorded: scratch.tmp")
        self._write("scratch.tmp", b"temp data\n")
        self.admin.harvest(self.narration, self.schedule_id)
        [scratch] = [file for file in self._microscope_files() if file["filename"] == "scratch.tmp"]
        self.narration.expect(scratch["state"] == "skipped", f"scratch.tmp is known, and skipped: {scratch['reason']}")
        transfers = self.admin.get("/api/transfers", file_id=scratch["id"])
        self.narration.expect({each["status"] for each in transfers} == {"skipped"}, "its transfers are skipped too")

    def read_metadata_from_paths(self) -> None:
        """Three scans whose paths name user and experiment."""
        self.narration.chapter("Metadata from paths")
        for path in SCANS:
            self._write(path, SCAN)
        self.admin.harvest(self.narration, self.schedule_id)
        files = self._microscope_files()
        self._show(files)
        self.narration.expect(len(files) == 6, "the catalog has six files of the microscope")
        for path in SCANS:
            [file] = [file for file in files if file["source_path"] == f"microscope/{path}"]
            user, experiment, _ = path.split("/")
            self.narration.expect(
                file["metadata_"] == {"username": user, "experiment": experiment} and file["xxhash"] == SCAN_XXHASH,
                f"{path} belongs to {user}, {experiment}; xxhash {SCAN_XXHASH}",
            )

    def let_the_sensor_harvest(self) -> None:
        self.narration.chapter("The sensor harvests what an instrument writes, without a trigger")
        spectrometer = self._instrument("spectrometer")
        folder = self.system.shares / "spectrometer"
        (folder / "sample_C_spectrum.csv").write_bytes(b"wavelength_nm,absorbance\n200,0.01\n201,0.02\n")
        started = time.monotonic()

        def archived() -> bool:
            files = self.admin.get("/api/files", instrument_id=spectrometer["id"], state="archived")
            return any(file["filename"] == "sample_C_spectrum.csv" for file in files)

        self.narration.wait_for("sample_C_spectrum.csv to be archived", archived, SENSOR_SECONDS)
        seconds = time.monotonic() - started
        self.narration.expect(True, f"sample_C_spectrum.csv was archived {seconds:.0f} s after it was written")
        quiet = spectrometer["quiet_period_seconds"]
        self.narration.measured["harvest by the sensor"] = f"{seconds:.0f} s, of which {quiet} s quiet period"

    def show_the_catalog(self) -> None:
        """Identifiers, one file, scans."""
        self.narration.chapter("The catalog")
        files = self.admin.get("/api/files")
        arks = [file["persistent_id"] for file in files]
        self.narration.expect(len(arks) == len(set(arks)), f"{len(arks)} files have {len(set(arks))} different ARKs")
        self.narration.expect(
            all(ark.startswith("ark:/99999/fk4") for ark in arks), "they all begin with ark:/99999/fk4"
        )
        self.narration.show(self.admin.get(f"/api/files/{files[0]['id']}"))
        scans = self.admin.get(f"/api/instruments/{self.microscope['id']}/scans", limit=3)
        self.narration.table(
            ("scan of the microscope", "outcome", "files", "new"),
            [(each["started_at"], each["outcome"], each["files"], each["new_files"]) for each in scans],
        )
        self.narration.expect(scans[0]["outcome"] == "complete", "every scan of a share is on record with its outcome")

    def find_nothing_new(self) -> None:
        self.narration.chapter("A second harvest finds nothing new")
        before = {file["id"] for file in self._microscope_files()}
        transfers = len(self.admin.get("/api/transfers", instrument_id=self.microscope["id"]))
        self.admin.harvest(self.narration, self.schedule_id)
        self.narration.expect({file["id"] for file in self._microscope_files()} == before, "no file was added twice")
        again = len(self.admin.get("/api/transfers", instrument_id=self.microscope["id"]))
        self.narration.expect(again == transfers, "no transfer was made twice")

    def compare_archive_and_catalog(self) -> None:
        """Read every archived file from disk, and hash it."""
        self.narration.chapter("Archive and catalog compared")
        transfers = self.admin.get("/api/transfers", status="completed", limit=1000)
        digests = {file["id"]: file["sha256"] for file in self.admin.get("/api/files", limit=1000)}
        for transfer in transfers:
            content = Path(transfer["destination_path"]).read_bytes()
            if hashlib.sha256(content).hexdigest() != digests[transfer["file_id"]]:
                self.narration.expect(False, f"{transfer['destination_path']} matches the catalog")
        self.narration.expect(True, f"{len(transfers)} archived files match their sha256 in the catalog")
        partial = list(self.system.storage.rglob("*.part"))
        self.narration.expect(partial == [], "no temporary file is left")
        self.narration.measured["archived"] = f"{len(transfers)} files"

    def _instrument(self, share: str) -> dict[str, Any]:
        return next(each for each in self.instruments if each["cifs_share"] == share)

    def _microscope_files(self) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self.admin.get("/api/files", instrument_id=self.microscope["id"])
        return files

    def _show(self, files: list[dict[str, Any]]) -> None:
        rows = []
        for file in files:
            metadata = " ".join(f"{name}={value}" for name, value in file["metadata_"].items())
            rows.append((file["source_path"], file["state"], file["size_bytes"], metadata))
        self.narration.table(("file", "state", "bytes", "metadata"), rows)

    def _write(self, path: str, content: bytes) -> None:
        """Write a file into the microscope's share, as the instrument would."""
        target = self.system.shares / "microscope" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
