"""What parameters mean whose handlers say no more than their type."""

from typing import Any

DESCRIPTIONS = {
    "account_id": "The service account",
    "action": "Only changes of this kind",
    "actor_id": "Only what this user changed",
    "alert_id": "The alert",
    "entity_id": "Only changes of this row",
    "file_id": "The file",
    "grant_id": "The grant",
    "group_id": "The group",
    "hold_id": "The hold",
    "hook_id": "The hook",
    "instrument_id": "The instrument",
    "location_id": "The storage location",
    "member_id": "The user or group, by its own id",
    "name": "The rest of the identifier: `99999/fk4…`, with `.v2` after it for that version",
    "notification_id": "The notification",
    "number": "The version's number, from 1",
    "owner_id": "Only files of this user",
    "pending_id": "The pending grant",
    "project_id": "The project",
    "request_id": "The instrument request",
    "run_id": "The run's id in Dagster",
    "schedule_id": "The schedule",
    "status": "Only transfers that stand so",
    "token_id": "The API token",
    "transfer_id": "The transfer",
    "user_id": "The user",
}


def described(parameter: dict[str, Any]) -> dict[str, Any]:
    """The parameter, with what it means."""
    return {"description": DESCRIPTIONS.get(parameter["name"], ""), **parameter}
