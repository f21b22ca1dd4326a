"""Stage 2: the student, its objectives and its trainer."""

import pipeline  # noqa: F401  Ctrl-C ends a command with one line from here on
