"""The threads of numpy's matrix products."""

from threadpoolctl import threadpool_limits


def one_blas_thread() -> None:
    """Leave every product of numpy's to the thread that asks for it, in this whole process.

    Views are made by many threads, each over small arrays. The threads that BLAS adds spin while
    they wait, on the cores of the others: resampling a sound takes three times as long with them.
    """
    threadpool_limits(1, user_api="blas")
