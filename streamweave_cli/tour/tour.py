"""The tour itself, chapter by chapter; each one shows something and checks that it is so.

The tour's chapters on who sees what: private by default, then granted to a person, a group and a project.
"""

import hashlib
import json
import time
from pathlib import Path
from typing import Any

from streamweave_cli.tour.stage import Client, Narration, Stage

RESEARCHER = {"email": "researcher@test.org", "password": "testpassword123"}
NOT_FOUND = {"detail": "File not found"}


class AccessTour:
    """An admin who grants, and a researcher who looks at what that opens."""

    def __init__(self, api: str, admin: Client, narration: Narration, files: list[dict[str, Any]]) -> None:
        self.tell = narration
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
        """A researcher without any grant."""
        self.tell.chapter("Private by default")
        self.user_id = self.researcher.post("/auth/register", RESEARCHER)["id"]
        self.researcher.log_in(**RESEARCHER)
        self.tell.expect(self.researcher.get("/api/files") == [], "a researcher sees no files")
        self.tell.expect(self.researcher.get("/api/transfers") == [], "and no transfers")
        self.tell.expect(not self._sees(self.file), "what one may not see is not found")
        answer = self.researcher.request("GET", "/api/instruments", 403)
        self.tell.expect(answer == {"detail": "Admin access required"}, "configuration is for admins")

    def grant_to_a_person(self) -> None:
        """One file, granted and revoked."""
        self.tell.chapter("Granted to a person")
        grant = self._grant("user", self.user_id)
        self.tell.expect(len(self.researcher.get("/api/files")) == 1, "the researcher sees exactly the granted file")
        self.tell.expect(not self._sees(self.other), "and no other")
        self.admin.delete(f"/api/files/{self.file['id']}/access/{grant['id']}")
        self.tell.expect(not self._sees(self.file), "revoked, it is not found again")

    def grant_through_group_and_project(self) -> None:
        """The researcher is in a group, the group is in a project, the project may see the file."""
        self.tell.chapter("Granted to a project, through a group")
        group = self.admin.post("/api/groups", {"name": "Lab A Researchers"})
        project = self.admin.post("/api/projects", {"name": "Microscopy Study 2026"})
        self._grant("project", project["id"])
        member = {"member_type": "group", "member_id": group["id"]}
        self.admin.post(f"/api/projects/{project['id']}/members", member)
        self.tell.expect(not self._sees(self.file), "a project's file is hidden from those outside")
        self.admin.post(f"/api/groups/{group['id']}/members", {"user_id": self.user_id})
        self.tell.expect(self._sees(self.file), "person in group, group in project: the file is there")

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
HANDS_OFF_SECONDS = 60


class Tour:
    """What the tour knows on its way: the stage, the admin's client, and the microscope."""

    def __init__(self, stage: Stage, narration: Narration) -> None:
        self.stage = stage
        self.tell = narration
        self.admin = Client(stage.api)
        self.instruments: list[dict[str, Any]] = []
        self.microscope: dict[str, Any] = {}
        self.schedule_id = ""

    def play(self) -> None:
        """Play every chapter. Raises ``TourFailed`` at the first expectation that does not hold."""
        self.log_in()
        self.see_the_configuration()
        self.make_the_schedules_anew()
        self.harvest_by_hand()
        self.filter_a_temporary_file()
        self.enrich_with_metadata()
        self.harvest_without_touching_anything()
        self.look_at_the_catalog()
        self.find_nothing_new()
        self.see_who_sees_what()
        self.hold_the_archive_against_the_catalog()

    def log_in(self) -> None:
        """The admin's token."""
        self.tell.chapter("The service is there")
        self.tell.expect(self.admin.get("/health") == {"status": "ok"}, "/health says ok")
        self.admin.log_in(self.stage.admin_email, self.stage.admin_password)
        self.tell.expect(self.admin.get("/users/me")["role"] == "admin", f"{self.stage.admin_email} is an admin")
        self.tell.say(f"API {self.stage.api}   Dagster {self.stage.dagster}   home {self.stage.home}")

    def see_the_configuration(self) -> None:
        """Instruments, storage locations and hooks."""
        self.tell.chapter("Simulated instruments on real SMB shares")
        self.instruments = self.admin.get("/api/instruments")
        self.tell.table(
            ("instrument", "slug", "share", "quiet period"),
            [
                (each["name"], each["slug"], f"//{each['cifs_host']}:{each['cifs_port']}/{each['cifs_share']}",
                 f"{each['quiet_period_seconds']} s")
                for each in self.instruments
            ],
        )  # fmt: skip
        locations, hooks = self.admin.get("/api/storage-locations"), self.admin.get("/api/hooks")
        self.tell.table(("storage location", "base path"), [(each["name"], each["base_path"]) for each in locations])
        rows = [(each["name"], each["trigger"], json.dumps(each["config"])) for each in hooks]
        self.tell.table(("hook", "trigger", "configuration"), rows)
        self.tell.expect(len(self.instruments) == 3, "there are 3 instruments")
        self.tell.expect((len(locations), len(hooks)) == (2, 2), "there are 2 storage locations and 2 hooks")
        self.microscope = next(each for each in self.instruments if each["cifs_share"] == "microscope")

    def make_the_schedules_anew(self) -> None:
        """Schedules deleted and made again through the service, as an admin would."""
        self.tell.chapter("Schedules: a change of rows reaches Dagster by itself")
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
            self.tell.say(f"{schedule['cron_expression']}  {schedule['dagster_schedule_name']}")
        schedules = self.admin.get("/api/schedules")
        self.schedule_id = schedules[0]["id"]
        self.tell.expect(all(each["dagster_schedule_name"] for each in schedules), "each one has its Dagster schedule")

    def harvest_by_hand(self) -> None:
        """The first harvest, by trigger."""
        self.tell.chapter("A harvest by trigger")
        self.admin.harvest(self.tell, self.schedule_id)
        files = self._microscope_files()
        self._show(files)
        names = sorted(file["filename"] for file in files)
        self.tell.expect(names == ["experiment_001.csv", "experiment_002.csv"], "the microscope's two files are there")
        transfers = self.admin.get("/api/transfers", instrument_id=self.microscope["id"])
        self.tell.expect(
            all(each["status"] == "completed" and each["checksum_verified"] for each in transfers),
            "each copy was read back and compared: checksum_verified",
        )
        self.tell.expect(all(Path(each["destination_path"]).is_file() for each in transfers), "the copies are on disk")

    def filter_a_temporary_file(self) -> None:
        """A file that the microscope's filter excludes."""
        self.tell.chapter("Filtered, not forgotten: scratch.tmp")
        self._write("scratch.tmp", b"temp data\n")
        self.admin.harvest(self.tell, self.schedule_id)
        [scratch] = [file for file in self._microscope_files() if file["filename"] == "scratch.tmp"]
        self.tell.expect(scratch["state"] == "skipped", f"scratch.tmp is known, and skipped: {scratch['reason']}")
        transfers = self.admin.get("/api/transfers", file_id=scratch["id"])
        self.tell.expect({each["status"] for each in transfers} == {"skipped"}, "its transfers say the same")

    def enrich_with_metadata(self) -> None:
        """Three scans whose paths tell who made them."""
        self.tell.chapter("Metadata from paths")
        for path in SCANS:
            self._write(path, SCAN)
        self.admin.harvest(self.tell, self.schedule_id)
        files = self._microscope_files()
        self._show(files)
        self.tell.expect(len(files) == 6, "six files are known of the microscope")
        for path in SCANS:
            [file] = [file for file in files if file["source_path"] == f"microscope/{path}"]
            user, experiment, _ = path.split("/")
            self.tell.expect(
                file["metadata_"] == {"username": user, "experiment": experiment} and file["xxhash"] == SCAN_XXHASH,
                f"{path} is of {user}, {experiment}; xxhash {SCAN_XXHASH}",
            )

    def harvest_without_touching_anything(self) -> None:
        """A file dropped into a share, harvested by the sensor."""
        self.tell.chapter("Hands off: the sensor harvests what an instrument writes")
        spectrometer = next(each for each in self.instruments if each["cifs_share"] == "spectrometer")
        folder = self.stage.shares / "spectrometer"
        (folder / "sample_C_spectrum.csv").write_bytes(b"wavelength_nm,absorbance\n200,0.01\n201,0.02\n")
        started = time.monotonic()

        def archived() -> bool:
            files = self.admin.get("/api/files", instrument_id=spectrometer["id"], state="archived")
            return any(file["filename"] == "sample_C_spectrum.csv" for file in files)

        self.tell.wait_for("sample_C_spectrum.csv to be archived", archived, HANDS_OFF_SECONDS)
        seconds = time.monotonic() - started
        self.tell.expect(True, f"sample_C_spectrum.csv was archived {seconds:.0f} s after it was written")
        quiet = spectrometer["quiet_period_seconds"]
        self.tell.measured["hands-off harvest"] = f"{seconds:.0f} s, of which {quiet} s quiet period"

    def look_at_the_catalog(self) -> None:
        """Identifiers, filters, single items, scans."""
        self.tell.chapter("The catalog")
        files = self.admin.get("/api/files")
        arks = [file["persistent_id"] for file in files]
        self.tell.expect(len(arks) == len(set(arks)), f"{len(arks)} files have {len(set(arks))} different ARKs")
        self.tell.expect(all(ark.startswith("ark:/99999/fk4") for ark in arks), "they all begin with ark:/99999/fk4")
        self.tell.show(self.admin.get(f"/api/files/{files[0]['id']}"))
        scans = self.admin.get(f"/api/instruments/{self.microscope['id']}/scans", limit=3)
        self.tell.table(
            ("look at the microscope", "outcome", "files", "new"),
            [(each["started_at"], each["outcome"], each["files"], each["new_files"]) for each in scans],
        )
        self.tell.expect(scans[0]["outcome"] == "complete", "every look at a share is on record with its outcome")

    def find_nothing_new(self) -> None:
        """A harvest of what is known."""
        self.tell.chapter("A further trigger finds nothing new")
        before = {file["id"] for file in self._microscope_files()}
        transfers = len(self.admin.get("/api/transfers", instrument_id=self.microscope["id"]))
        self.admin.harvest(self.tell, self.schedule_id)
        self.tell.expect({file["id"] for file in self._microscope_files()} == before, "no file twice")
        again = len(self.admin.get("/api/transfers", instrument_id=self.microscope["id"]))
        self.tell.expect(again == transfers, "no transfer twice")

    def see_who_sees_what(self) -> None:
        """Private by default, and what grants open."""
        AccessTour(self.stage.api, self.admin, self.tell, self._microscope_files()).play()

    def hold_the_archive_against_the_catalog(self) -> None:
        """Every archived file read from the disk once more."""
        self.tell.chapter("The proof: the archive, read once more")
        transfers = self.admin.get("/api/transfers", status="completed", limit=1000)
        digests = {file["id"]: file["sha256"] for file in self.admin.get("/api/files", limit=1000)}
        for transfer in transfers:
            content = Path(transfer["destination_path"]).read_bytes()
            if hashlib.sha256(content).hexdigest() != digests[transfer["file_id"]]:
                self.tell.expect(False, f"{transfer['destination_path']} matches the catalog")
        self.tell.expect(True, f"{len(transfers)} archived files match their sha256 in the catalog")
        partial = list(self.stage.storage.rglob("*.part"))
        self.tell.expect(partial == [], "no temporary file is left")
        self.tell.measured["archived"] = f"{len(transfers)} files"

    def _microscope_files(self) -> list[dict[str, Any]]:
        files: list[dict[str, Any]] = self.admin.get("/api/files", instrument_id=self.microscope["id"])
        return files

    def _show(self, files: list[dict[str, Any]]) -> None:
        self.tell.table(
            ("file", "state", "bytes", "metadata"),
            [
                (
                    file["source_path"],
                    file["state"],
                    file["size_bytes"],
                    " ".join(f"{name}={value}" for name, value in file["metadata_"].items()),
                )
                for file in files
            ],
        )

    def _write(self, path: str, content: bytes) -> None:
        """As if the microscope had written a file."""
        target = self.stage.shares / "microscope" / path
        target.parent.mkdir(parents=True, exist_ok=True)
        target.write_bytes(content)
