"""Worker processes that decode, augment, digest and join for both stages.

The processes are those of Python's own `concurrent.futures.ProcessPoolExecutor`. torch's DataLoader
hands tasks to its workers in a fixed turn, so that one slow clip holds up all, or, without order,
lets results pile up without a bound; it turns a worker's error into another with a traceback in its
text, and draws from the global generator whose state a checkpoint holds. Here a free process takes
the next task, results come in the tasks' order, and at most a given number are under way.
"""

from pipeline.engine.pool import Workers
from pipeline.engine.prefetch import prefetched_map

__all__ = ["Workers", "prefetched_map"]
