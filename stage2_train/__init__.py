"""Stage 2: the student, its objectives and its trainer."""
