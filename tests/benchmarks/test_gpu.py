"""The table of `benchmarks.gpu`: what fails or has no time left is a line, and the rest goes on."""

from pathlib import Path

import pytest

from benchmarks.gpu_parts import Table


def test_a_part_that_fails_or_has_no_time_is_a_line(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    def fails() -> None:
        raise MemoryError("too large")

    table = Table(tmp_path / "table.txt", 100)
    table.part("first", 1, fails)
    table.part("second", 1000, fails)
    table.part("third", 1, lambda: table.line("rate", 12.0, "samples/s"))
    lines = (tmp_path / "table.txt").read_text().splitlines()
    assert lines == capsys.readouterr().out.splitlines()
    assert "first: FAILED MemoryError: too large" in lines[0]
    assert lines[1].startswith("second: no time left")
    assert lines[2].split() == ["rate", "12", "samples/s"]
