"""Python's search for reference cycles, made rarer at the start of a process that handles many objects without any.

Claims, rows and answers are freed as soon as nothing refers to them. By default Python searches for cycles among them
whenever there are 700 more objects than before.
"""

import gc

HARVESTING = (50_000, 20, 100)
SERVING = (700, 10, 100)


def reduce_gc(thresholds: tuple[int, int, int] = HARVESTING) -> None:
    """Search for cycles less often in this process; ``thresholds`` as ``gc.set_threshold`` takes them.

    ``HARVESTING``: by default the search took a fifth of a harvest's processor time. What an error leaves behind with
    its traceback is still freed soon. ``SERVING``, for a process that answers requests: a full search holds up one
    answer, by 17 ms once all caches are filled; by default that was one in 200, now it is one in 2,000, and young
    objects are searched as often as ever.
    """
    gc.set_threshold(*thresholds)
