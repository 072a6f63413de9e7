"""What an instrument writes in a trial: a few dozen files of mixed sizes, the same for the same seed."""

import random
from collections.abc import Mapping
from dataclasses import dataclass, field

MIB = 1 << 20
SMALL_FILES, LARGE_FILES = 24, 2
FOLDERS = ("", "user_a/experiment_001/", "user_b/run 2/", "user_b/run 2/raw/")
ODD_NAMES = ("empty.dat", "scan~v2.csv", "Ünïcode 測定 😀.txt", "user_b/2026.03.02", "100% sure.csv")
SKIPPED_SUFFIX = ".tmp"
"""What the trial's hook decides against."""


@dataclass(frozen=True)
class Changes:
    """What an instrument does to files that have been harvested before: paths, and the contents they get."""

    written: Mapping[str, bytes] = field(default_factory=dict)
    touched: tuple[str, ...] = ()
    removed: tuple[str, ...] = ()


def first_files(seed: str) -> dict[str, bytes]:
    """Files by their paths below the base folder: small ones, some over 1 MiB, odd names, one to be skipped."""
    chance = random.Random(seed)
    files = {
        f"{chance.choice(FOLDERS)}scan_{number:03}.csv": chance.randbytes(chance.randint(1, 40_000))
        for number in range(SMALL_FILES)
    }
    for number in range(LARGE_FILES):
        files[f"{chance.choice(FOLDERS)}stack_{number}.raw"] = chance.randbytes(chance.randint(MIB + 1, 6 * MIB))
    files |= {name: chance.randbytes(chance.randint(1, 4_000)) for name in ODD_NAMES}
    files["empty.dat"] = b""
    files["user_a/scratch" + SKIPPED_SUFFIX] = chance.randbytes(500)
    return files


def changes_to(files: Mapping[str, bytes], seed: str) -> Changes:
    """Some files get another content (longer, or as long as before), some are touched, some are gone, some are new."""
    chance = random.Random(f"changes {seed}")
    paths = [path for path in sorted(files) if not path.endswith(SKIPPED_SUFFIX)]
    chance.shuffle(paths)
    appended, rewritten, touched, removed = paths[:4], paths[4:7], tuple(paths[7:9]), tuple(paths[9:11])
    written = {path: files[path] + chance.randbytes(100) for path in appended}
    written |= {path: chance.randbytes(len(files[path]) or 1) for path in rewritten}
    written |= {f"later/scan_{chance.randrange(10**9)}.csv": chance.randbytes(3_000) for _ in range(5)}
    written[f"later/stack_{chance.randrange(10**9)}.raw"] = chance.randbytes(MIB + chance.randint(1, MIB))
    return Changes(written, touched, removed)
