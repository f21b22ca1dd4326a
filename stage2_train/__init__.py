"""Stage 2: train the student on shards beside the cached targets.

    student     what is trained, saved and used afterwards
    stream      from shards and feature stores to mini-batches on the device, every join proved
    training    from mini-batches to a trained student, on any number of ranks

Each imports from those above it, never from one below.
"""

import pipeline  # noqa: F401  Ctrl-C ends a command with one line from here on
