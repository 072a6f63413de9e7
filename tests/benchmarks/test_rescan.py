"""The benchmark of the rescan still runs, and its catalog knows every file of its share."""

from benchmarks.rescan import FILES_PER_FOLDER, rescan


def test_a_rescan_of_a_small_share_finds_nothing_new() -> None:
    measured = rescan(2 * FILES_PER_FOLDER + 1)

    assert measured.files == 2 * FILES_PER_FOLDER + 1
    assert measured.new_files == 0
    assert measured.peak_rss_mib > 0
