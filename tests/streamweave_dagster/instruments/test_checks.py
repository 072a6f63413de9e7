"""The checks tell whether an instrument's archive is intact, complete and up to date."""

from dataclasses import replace
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

import dagster as dg
import pytest

from streamweave.catalog.tables import Instrument
from streamweave.errors import FileDenied, ShareMissing


@pytest.fixture
def archived(lab: Any, orchestra: Any, microscope: Instrument) -> Path:
    """The archive's copy of one harvested file."""
    lab.write(microscope, "a.csv", b"12345")
    orchestra.harvest(microscope.slug)
    return Path(lab.archive / "Microscope 01" / "share" / "a.csv")


def test_all_of_them_pass_for_a_healthy_instrument(orchestra: Any, archived: Path) -> None:
    assert orchestra.sweep().success
    checks = orchestra.check()
    assert {name: check.passed for name, check in checks.items()} == {
        "fixity": True,
        "completeness": True,
        "freshness": True,
    }
    assert checks["fixity"].description.startswith("1 copy, all re-read since ")
    assert checks["fixity"].description.endswith(", 0 overdue, 0 damaged")


def test_a_changed_byte_that_can_not_be_repaired_fails_fixity(
    lab: Any, microscope: Instrument, orchestra: Any, archived: Path
) -> None:
    archived.chmod(0o644)
    archived.write_bytes(b"12349")
    lab.shares[microscope.slug].write("share/a.csv", b"new", datetime.now(UTC))
    assert not orchestra.sweep().success
    fixity = orchestra.check()["fixity"]
    assert not fixity.passed
    assert fixity.severity == dg.AssetCheckSeverity.ERROR
    (row,) = fixity.metadata["damaged"].records
    assert row.data["path"] == "share/a.csv"


def test_a_location_that_is_not_there_fails_fixity_without_damage(orchestra: Any, archived: Path, lab: Any) -> None:
    lab.archive.rename(lab.archive.with_name("unmounted"))
    assert "archive: " in orchestra.complaint(orchestra.sweep())
    fixity = orchestra.check()["fixity"]
    assert not fixity.passed
    assert fixity.severity == dg.AssetCheckSeverity.WARN
    assert fixity.metadata["damaged"].records == []


def test_copies_that_nobody_re_reads_fail_fixity(lab: Any, orchestra: Any, archived: Path) -> None:
    lab.wait(timedelta(days=91))
    fixity = orchestra.check()["fixity"]
    assert (fixity.passed, fixity.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "1 overdue" in fixity.description


def test_a_failed_file_fails_completeness(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.write(microscope, "denied.csv")
    lab.shares[microscope.slug].file_faults["share/denied.csv"] = FileDenied("the account may not read it")
    orchestra.harvest(microscope.slug)
    completeness = orchestra.check()["completeness"]
    assert not completeness.passed
    assert completeness.severity == dg.AssetCheckSeverity.ERROR
    (row,) = completeness.metadata["files"].records
    assert (row.data["path"], row.data["reason"]) == ("share/denied.csv", "the account may not read it")


def test_files_without_a_destination_warn(lab: Any, orchestra: Any) -> None:
    instrument = lab.add_instrument("Spectrometer", scheduled=False)
    lab.write(instrument, "a.csv")
    orchestra.harvest(instrument.slug)
    completeness = orchestra.check()["completeness"]
    assert not completeness.passed
    assert completeness.severity == dg.AssetCheckSeverity.WARN
    assert completeness.description == (
        "0 files need a person, 1 wait for a destination: "
        "no enabled schedule names a storage location for this instrument"
    )


def test_a_failed_look_fails_freshness_with_its_message(lab: Any, orchestra: Any, microscope: Instrument) -> None:
    lab.shares[microscope.slug].unreachable = ShareMissing("pc.example has no share 'share'")
    orchestra.harvest(microscope.slug)
    freshness = orchestra.check()["freshness"]
    assert not freshness.passed
    assert "pc.example has no share 'share'" in freshness.description


def test_an_instrument_that_nobody_has_looked_at_is_not_fresh(orchestra: Any, microscope: Instrument) -> None:
    freshness = orchestra.check()["freshness"]
    assert (freshness.passed, freshness.description) == (False, "nobody has looked at the share yet")


def test_a_look_older_than_the_schedules_period_is_not_fresh(lab: Any, orchestra: Any, archived: Path) -> None:
    lab.wait(timedelta(hours=23))
    assert orchestra.check()["freshness"].passed
    lab.wait(timedelta(hours=3))
    assert not orchestra.check()["freshness"].passed


def test_a_folder_that_can_not_be_listed_fails_completeness_by_name_and_reason(
    lab: Any, orchestra: Any, microscope: Instrument
) -> None:
    share = lab.shares[microscope.slug]
    lab.write(microscope, "a.csv")
    share.folders.add("share/closed")
    share.listing_faults["share/closed"] = FileDenied("the account may not read it")
    orchestra.harvest(microscope.slug)
    completeness = orchestra.check()["completeness"]
    assert (completeness.passed, completeness.severity) == (False, dg.AssetCheckSeverity.WARN)
    assert "1 folder could not be listed: share/closed (the account may not read it)" in completeness.description
    (row,) = completeness.metadata["folders"].records
    assert row.data == {"folder": "share/closed", "reason": "the account may not read it"}


def test_what_is_to_be_known_of_a_place_is_said_and_fails_nothing(
    lab: Any, orchestra: Any, archived: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    noticing = replace(lab.facility, storage_notice=lambda location: f"{location.base_path} lies outside")
    monkeypatch.setattr(type(lab), "facility", noticing)
    fixity = orchestra.check()["fixity"]
    assert fixity.passed
    assert fixity.description.endswith(f"; archive: {lab.archive} lies outside")
