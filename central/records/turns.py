"""A lock that serves the writers of one program in the order of their requests.

SQLite's own wait is not fair, so a thread that commits without a pause would keep a declaration waiting.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager


class Turns:
    """Serves its waiters first come, first served. Not reentrant."""

    def __init__(self) -> None:
        self._guard = threading.Lock()
        self._taken = False
        self._waiting: deque[threading.Lock] = deque()

    @contextmanager
    def taken(self) -> Iterator[None]:
        """Wait for the lock, and hold it for the block."""
        turn = threading.Lock()
        turn.acquire()
        with self._guard:
            if self._taken:
                self._waiting.append(turn)
            else:
                self._taken = True
                turn.release()
        turn.acquire()
        try:
            yield
        finally:
            with self._guard:
                if self._waiting:
                    self._waiting.popleft().release()
                else:
                    self._taken = False
