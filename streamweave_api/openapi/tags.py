"""What the parts of the service are for."""

from litestar.openapi.spec import Tag

DESCRIPTIONS = {
    "Health": "Whether the service can do its work.",
    "Logins": "Logging in and out: with a bearer token for programs, with cookies for browsers.",
    "Passwords": "New passwords, and what is sent by mail to get them.",
    "Users": "Registering, who one is, and, for admins, everybody.",
    "API tokens": "Personal tokens for programs: shown once, and ended by themselves after a while.",
    "Instruments": "Where files come from: shares, how long files settle there, and how the looks at them went.",
    "Service accounts": "What the instruments' shares are read with. A password goes in and never comes out.",
    "Storage locations": "Where archived versions go.",
    "Schedules": "When an instrument is harvested, and into which storage location.",
    "Hooks": "Configured steps before a transfer (filters) and after it (metadata, access), built in or others'.",
    "Runs": "How a harvest that was triggered is getting on, in Dagster's words.",
    "Files": "The catalog: every file that was ever found, its versions, its history, and its content.",
    "Transfers": "Each attempt to bring a version to a storage location, with its proof.",
    "Fixity": "Re-readings of the archive: what was found damaged, how it was repaired, and what waits for a person.",
    "Certificates": "May this be deleted at the source? Safe with the proof, or every reason why not; signed.",
    "Summary": "What a dashboard draws from.",
    "Identifiers": "The resolver of ARKs: citation, description and place of what they name.",
    "Access": "Who may see which files: grants on files, instruments and folders, owners, and what waits for a name.",
    "Groups": "Users who may see the same.",
    "Projects": "Users and whole groups who work on the same.",
    "Instrument requests": "Everyone may ask for an instrument, admins decide.",
    "Notifications": "What one was told.",
    "Alerts": "What is wrong and what was, who was told, and who is on it.",
    "Audit log": "Every change that was made, by whom, with what was before and after. Nobody can change it.",
}
TAGS = [Tag(name=name, description=description) for name, description in DESCRIPTIONS.items()]
