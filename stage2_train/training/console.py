"""The training's line on the console: a live bar on a terminal, a line a minute elsewhere."""

from collections import defaultdict
from collections.abc import Mapping

from pipeline.progress import ProgressLine

_LABELS = {"text_binding": "text", "image_binding": "image", "teacher_feature": "feature"} | {
    "teacher_similarity": "similarity"
}


class ConsoleLine:
    """Open while training."""

    def __init__(self, first: int, total: int) -> None:
        self._first, self._total = first, total
        self._line = ProgressLine("step")
        self._scored = ""

    def __enter__(self) -> "ConsoleLine":
        self._line.__enter__()
        self._line.begin(self._total, done=self._first)
        return self

    def __exit__(self, *exception: object) -> None:
        self._line.__exit__(*exception)

    def step(self, number: int, values: Mapping[str, float]) -> None:
        """Show a finished step, and the latest held-out score."""
        if "held_out" in values:
            self._scored = f", held out {100 * values['held_out']:.1f} % at {number}"
        self._line.update(number, summary(values) + self._scored)


def summary(values: Mapping[str, float]) -> str:
    """Loss, its parts as means over the sources, samples/s, and the share of waiting for data."""
    parts: dict[str, list[float]] = defaultdict(list)
    for name, value in values.items():
        part, slash, _ = name.partition("/")
        if slash and not part.startswith(("expert_use", "probe", "held_out")):
            parts[_LABELS.get(part, part)].append(value)
    means = ", ".join(f"{name} {sum(each) / len(each):.2f}" for name, each in parts.items())
    return (
        f"loss {values.get('loss', float('nan')):.3f} ({means}), "
        f"{values['samples_per_second']:.0f} samples/s, "
        f"waits {100 * values['data_wait_share']:.0f} %"
    )
