"""What a trained student is worth on held-out data: zero-shot, in retrieval, fine-tuned."""

import pipeline  # noqa: F401  Ctrl-C ends a command with one line from here on
