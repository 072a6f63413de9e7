"""The tour's chapters on who sees what: private by default, then granted to a person, a group and a project."""

from typing import Any

from streamweave.demo.client import Client
from streamweave.demo.narration import Narration

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
