"""The REST service as the tour uses it."""

from typing import Any

import httpx

from streamweave.demo.narration import Narration, TourFailed

RUN_ENDS = ("SUCCESS", "FAILURE", "CANCELED")
RUN_SECONDS = 120


class Client:
    """One person's way to the service: anonymous, or with the token of a login."""

    def __init__(self, base_url: str) -> None:
        self._http = httpx.Client(base_url=base_url, timeout=30)

    def log_in(self, email: str, password: str) -> None:
        """Log in; every later request carries the token."""
        body = self.request("POST", "/auth/jwt/login", 200, data={"username": email, "password": password})
        self._http.headers["Authorization"] = f"Bearer {body['access_token']}"

    def get(self, path: str, **query: Any) -> Any:
        """Read something."""
        return self.request("GET", path, 200, params=query)

    def post(self, path: str, body: Any = None, status: int = 201) -> Any:
        """Create something, or have something done."""
        return self.request("POST", path, status, json=body)

    def patch(self, path: str, body: Any) -> Any:
        """Change something."""
        return self.request("PATCH", path, 200, json=body)

    def delete(self, path: str) -> None:
        """Remove something."""
        self.request("DELETE", path, 204)

    def request(self, method: str, path: str, status: int, **options: Any) -> Any:
        """The body of an answer. Raises ``TourFailed`` when the answer has another status."""
        answer = self._http.request(method, path, **options)
        if answer.status_code != status:
            raise TourFailed(f"{method} {path} answered {answer.status_code} instead of {status}: {answer.text}")
        return answer.json() if answer.content else None

    def harvest(self, narration: Narration, schedule_id: str) -> str:
        """Trigger a schedule and wait for its run; returns the run's id. Raises ``TourFailed`` when it fails."""
        run_id: str = self.post(f"/api/schedules/{schedule_id}/trigger", status=200)["run_id"]

        def ended() -> dict[str, Any] | None:
            run: dict[str, Any] = self.get(f"/api/runs/{run_id}")
            return run if run["status"] in RUN_ENDS else None

        run = narration.wait_for(f"run {run_id} to end", ended, RUN_SECONDS)
        narration.expect(run["status"] == "SUCCESS", f"run {run_id[:8]} succeeded")
        return run_id

    def close(self) -> None:
        """Let go of the connections."""
        self._http.close()
