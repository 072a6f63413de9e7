"""Small files: read many in one go over one connection, and hand them on in batches."""

from collections import deque
from collections.abc import Callable, Iterable, Iterator

from streamweave.errors import SourceError, SourceUnreachable
from streamweave.harvest.agenda import Agenda
from streamweave.harvest.blame import Blame
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
        before_reading: Callable[[Claim], None] = lambda claim: None,
        *,
        after_large: bool = False,
    ) -> None:
        self._source = source
        self._blame = Blame(source)
        self._agenda = agenda
        self._hand_on = hand_on
        self._before_reading = before_reading
        self._after_large = after_large
        self._batch = Batch()
        self._asked: deque[Claim] = deque()
        self._answered = 0

    def read(self) -> None:
        """Read until nothing waits any more.

        When the connection is lost, the files that it still owes are asked for again over a fresh one, one by one, so
        that a file which breaks connections takes no others along. When it is lost again before anything was answered,
        the file is handed on as one that can't be read, if it is to blame. Else, or when the share fails in another
        way, the agenda is closed: the file then asked for is handed on with the error, and those behind it were not
        read.
        """
        lost_at: int | None = None
        while True:
            try:
                self._read_owed()
                self._ask(self._taken())
                return self._pass_on()
            except SourceUnreachable as error:
                if lost_at == self._answered and not self._pass_over(error):
                    return self._give_up(error)
                lost_at = self._answered
            except SourceError as error:
                return self._give_up(error)
            except Exception as error:
                if not self._asked:
                    raise
                self._take(unexpected(self._asked[0], error).error)

    def _read_owed(self) -> None:
        for claim in list(self._asked):
            self._ask([claim])

    def _taken(self) -> Iterator[Claim]:
        while claim := self._agenda.next_small(after_large=self._after_large):
            self._asked.append(claim)
            self._before_reading(claim)
            yield claim

    def _ask(self, claims: Iterable[Claim]) -> None:
        files = (SourceFile(claim.source_path, claim.size_bytes, claim.mtime) for claim in claims)
        for answer in self._source.read_whole(files):
            self._blame.acquit()
            self._take(answer)

    def _take(self, answer: Answer) -> None:
        self._batch.add(self._asked.popleft(), answer)
        self._answered += 1
        if self._batch.is_full:
            self._pass_on()

    def _pass_over(self, error: SourceUnreachable) -> bool:
        """Whether the file that is owed first is to blame for the lost connections; then it is owed no more."""
        if not self._asked:
            return False
        judged = self._blame.for_losing(self._asked[0], error)
        if judged is error:
            return False
        self._take(judged)
        return True

    def _give_up(self, error: SourceError) -> None:
        self._agenda.close(unread=list(self._asked)[1:])
        if self._asked:
            self._take(error)
        self._pass_on()

    def _pass_on(self) -> None:
        if self._batch.answers:
            self._hand_on(self._batch)
        self._batch = Batch()
