"""Small files: read many in one go over one connection, and hand them on in batches."""

import uuid
from collections import deque
from collections.abc import Callable, Iterable, Iterator

from streamweave.errors import SourceError, SourceUnreachable
from streamweave.harvest.agenda import Agenda
from streamweave.harvest.blame import IN_A_ROW, Blame, answers
from streamweave.harvest.claims import Claim
from streamweave.harvest.copying import unexpected
from streamweave.harvest.proving import Answer, Batch
from streamweave.sources.base import Source, SourceFile


class SmallFilesReader:
    """Reads what an agenda has over one connection, and hands it on in batches.

    ``before_reading`` is called before a file is asked for, and may take its time. With ``after_large`` the reading
    ends when a large file waits.
    """

    def __init__(
        self,
        source: Source,
        agenda: Agenda,
        hand_on: Callable[[Batch], None],
        before_reading: Callable[[Claim], None],
        blame: Blame,
        *,
        after_large: bool = False,
    ) -> None:
        self._source = source
        self._blame = blame
        self._agenda = agenda
        self._hand_on = hand_on
        self._before_reading = before_reading
        self._after_large = after_large
        self._batch = Batch()
        self._asked: deque[Claim] = deque()
        self._lost_on: deque[Claim] = deque()
        self._lost_before: set[uuid.UUID] = set()
        self._losses_in_a_row = 0

    def read(self) -> None:
        """Read until nothing waits any more.

        When the connection is lost, what it still owes is asked for again over a fresh one, one by one, and the file
        that it was lost on last of all: so one that breaks connections takes no others along, and is handed on as one
        that can't be read if it is to blame. When the share is, or fails in another way, the agenda is closed: the file
        then asked for is handed on with the error, and those behind it were not read.
        """
        while True:
            try:
                for claim in list(self._asked):
                    self._ask([claim])
                self._ask(self._taken())
                self._ask(self._lost())
                return self._pass_on()
            except SourceUnreachable as error:
                if not self._set_aside(error):
                    return self._give_up(error)
            except SourceError as error:
                return self._give_up(error)
            except Exception as error:
                if not self._asked:
                    raise
                self._take(unexpected(self._asked[0], error).error)

    def _taken(self) -> Iterator[Claim]:
        while claim := self._agenda.next_small(after_large=self._after_large):
            self._asked.append(claim)
            self._before_reading(claim)
            yield claim

    def _lost(self) -> Iterator[Claim]:
        while self._lost_on:
            self._asked.append(self._lost_on.popleft())
            yield self._asked[-1]

    def _ask(self, claims: Iterable[Claim]) -> None:
        files = (SourceFile(claim.source_path, claim.size_bytes, claim.mtime) for claim in claims)
        for answer in self._source.read_whole(files):
            self._blame.acquit()
            self._losses_in_a_row = 0
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        self._batch.add(self._asked.popleft(), answer)
        if self._batch.is_full:
            self._pass_on()

    def _set_aside(self, error: SourceUnreachable) -> bool:
        """Whether to go on without the file that the connection was lost on, which was the first one owed."""
        self._losses_in_a_row += 1
        if not self._asked or self._losses_in_a_row > IN_A_ROW:
            return False
        first = self._asked[0]
        if self._losses_in_a_row > 1 and not answers(self._source, first):
            return False
        if first.claim_id not in self._lost_before:
            self._lost_before.add(first.claim_id)
            self._lost_on.append(self._asked.popleft())
            return True
        judged = self._blame.for_losing(self._source, first, error)
        if judged is not error:
            self._take(judged)
        return judged is not error

    def _give_up(self, error: SourceError) -> None:
        """Tell of the error with one file, be it one that nobody has asked for yet; all others are not begun."""
        owed = [*self._asked, *self._lost_on]
        self._asked.clear()
        self._lost_on.clear()
        if not owed and (waiting := self._agenda.next_small() or self._agenda.next_large()):
            owed = [waiting]
        self._agenda.close(unread=owed[1:])
        if owed:
            self._batch.add(owed[0], error)
        self._pass_on()

    def _pass_on(self) -> None:
        if self._batch.answers:
            self._hand_on(self._batch)
        self._batch = Batch()
