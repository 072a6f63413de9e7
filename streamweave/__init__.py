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
    One discovery attempt, on record with its outcome: "nothing new" differs from "could not be scanned".
share guard
    Prevents conclusions from a scan that finds far too little, until a person says that the share was cleaned up.
settling
    Deciding that the instrument has finished a file: size and mtime unchanged over a quiet period on our clock.
acquisition
    A folder of files that belong together: they settle as one, where the instrument's row says at which depth.
acquisition day
    The day of the file's mtime in the instrument's time zone: the partition that the file belongs to.
unfinished
    A version that was archived though the instrument was still writing, where the row lets growing files be versions.
file record
    One path on one instrument. It has one persistent identifier (ARK), which never changes.
version
    One content of a file record. A changed file becomes a new version; the archive never overwrites, never deletes.
storage location
    Where versions go.
transfer
    One attempt to archive one version in one storage location; while it is in progress it is the run's claim on it.
mark
    A small file in a storage location that says which location of which catalog it is.
journal
    The archive's own record in each storage location: what was archived there, written before the catalog knows of it.
lease
    A heartbeat by the database's clock: the run is alive. A run whose lease is lost is ended on record, and retried.
copy
    The bytes of one version in one storage location.
hook
    A configured step before (``pre_transfer``) or after (``post_transfer``) a transfer: built in, or one that calls
    out, to a script or a webhook.
webhook
    A signed request to an address that an admin entered; the egress policy says which addresses may be reached.
schedule
    A cron line that harvests an instrument into a storage location.
harvest
    The way of a file: discover, settle, filter, copy, verify, publish, catalogue, enrich.
rehash
    Reading archived files again at the source, a few with each harvest: size and mtime do not show every change.
grant
    That a user, group or project may see a file, an instrument's files, or those below one of its folders.
access scope
    What a user may see: what they own, and what is granted to them, their groups or their projects.
fixity
    That copies still are what was archived. Sweeps re-read them; each re-reading is a check on record.
damage
    What a re-reading found wrong with a copy. It is evidence, and stays where it is.
repair
    A further transfer of the same version, to a path beside the damaged copy.
hold
    Too much damage at once in a storage location: nothing is marked damaged or repaired before a person releases it.
orphan
    Bytes in a storage location that no row of the catalog leads to.
certificate
    The answer to "may this be deleted at the source?": safe with the proof chain behind it, or every reason why not; as
    of the last complete scan.
alert
    What is wrong with an instrument or a storage location, from when to when; reported once when it begins and once
    when it is over. Behind it is a condition: what the catalog says is wrong at this moment.
"""
