"""StreamWeave: from an instrument's share to a proven, identified, catalogued file.

The words, as they are used everywhere in the code:

instrument
    A machine in the facility whose control PC writes files to an SMB share. Its ``slug`` never changes.
service account
    The SMB credentials that open a share. The password is sealed (encrypted) in the catalog.
source
    Where files come from: the contract behind which a share is listed and read.
discovery
    Listing a share, comparing it with the catalog, recording what is new, changed or gone.
scan
    One discovery attempt, on record with its outcome: "nothing new" differs from "could not look".
settling
    Deciding that the instrument has finished a file: size and mtime unchanged over a quiet period on our clock.
file record
    One path on one instrument. It has one persistent identifier (ARK) for ever.
version
    One content of a file record. A changed file becomes a new version; the archive never overwrites, never deletes.
storage location
    Where versions go.
transfer
    One attempt to archive one version in one storage location; while it is under way it is the run's claim on it.
hook
    A configured step before (``pre_transfer``) or after (``post_transfer``) a transfer.
schedule
    A cron line that harvests an instrument into a storage location.
acquisition day
    The day of the file's mtime in the instrument's time zone: the partition that the file belongs to.
grant
    That a user, group or project may see a file, an instrument's files, or those below one of its folders.
openings
    All that is open to somebody: what they own, and what is granted to them or to whom they belong to.
harvest
    The way of a file: discover, settle, filter, copy, verify, publish, catalogue, enrich.
"""
