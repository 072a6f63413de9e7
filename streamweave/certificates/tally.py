"""What the files of a scope come to, in memory that doesn't grow with their number. Pure."""

import hashlib
from collections import Counter
from dataclasses import dataclass, field
from typing import Any

from streamweave.certificates.evidence import FileEvidence
from streamweave.certificates.judgement import Judgement, Verdict
from streamweave.certificates.reasons import SENTENCES, Reason

NAMED_FILES = 20
"""So many files are named for each reason; all are counted."""


@dataclass(slots=True)
class Tally:
    """Counts by verdict and by reason. ``manifest`` takes in what is certified of each file, line by line.

    It is fed in large pieces: hashing lets other threads go on each time, and each time waits for them.
    """

    files: Counter[Verdict] = field(default_factory=Counter)
    sizes: Counter[Verdict] = field(default_factory=Counter)
    reasons: Counter[Reason] = field(default_factory=Counter)
    first: dict[Reason, list[dict[str, str]]] = field(default_factory=dict)
    gone_unarchived: int = 0
    manifest: Any = field(default_factory=hashlib.sha256)

    def add(self, file: FileEvidence, judgement: Judgement, *, is_archived: bool) -> None:
        """One more file. Its line of the manifest is added apart."""
        self.files[judgement.verdict] += 1
        self.sizes[judgement.verdict] += file.size_bytes
        self.gone_unarchived += judgement.verdict == Verdict.GONE and not is_archived
        for reason in {finding.reason for finding in judgement.findings}:
            self.reasons[reason] += 1
        for finding in judgement.findings:
            named = self.first.setdefault(finding.reason, [])
            if len(named) < NAMED_FILES:
                named.append({"path": file.source_path, "detail": finding.detail})

    @property
    def total(self) -> int:
        """All files."""
        return sum(self.files.values())

    def counts(self) -> dict[str, int]:
        """As a certificate shows them."""
        return {
            "known": self.total,
            **{str(verdict): self.files[verdict] for verdict in Verdict},
            "safe_bytes": self.sizes[Verdict.SAFE],
            "gone_before_archived": self.gone_unarchived,
        }

    def by_reason(self) -> list[dict[str, Any]]:
        """Why files must stay, in the order in which people should read it."""
        return [
            {
                "reason": str(reason),
                "sentence": SENTENCES[reason],
                "files": self.reasons[reason],
                "first": self.first[reason],
            }
            for reason in Reason
            if self.reasons[reason]
        ]
