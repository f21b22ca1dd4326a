"""A finished run over the tiny world: what the stages before the report leave."""

import json
from pathlib import Path

from PIL import Image

from pipeline.config import Params
from pipeline.openclip import load_openclip
from stage2_train.student import Student
from tests.tiny_world import tiny_params

HOSTILE = '</script><img src=x onerror="alert(1)">'
"""A class name that would become markup."""


def run_params(world: Path) -> Params:
    benchmarks = {
        "points": {"source": "objects", "teacher": "fake"},
        "image": {"source": "renders", "teacher": "clip"},
    }
    return tiny_params(world, benchmarks=benchmarks)


def make_run(world: Path, run: Path) -> Path:
    """Write it; the student's folder is returned."""
    params = run_params(world)
    student = Student(load_openclip(params.student.arch), params.student, views=params.views)
    student.save(run / "student")
    scored = run / "zeroshot"
    for folder in ("per_class", "predictions", "confusion"):
        (scored / folder).mkdir(parents=True)
    metrics = {"samples": 6, "classes": 2, "chance": 0.5, "majority": 0.5}
    metrics |= {"student_top1": 0.625, "teacher_top1": 0.75, "student_top5": 1.0}
    (scored / "metrics.json").write_text(json.dumps({"points": metrics}))
    quoted = '"' + HOSTILE.replace('"', '""') + '"'
    per_class = f"class,samples,student,teacher\n{quoted},3,0.667,nan\nstick,3,1.000,0.500\n"
    (scored / "per_class/points.csv").write_text(per_class)
    predicted = f"{quoted},stick\n{quoted},stick\nstick,stick\nstick,{quoted}\n"
    (scored / "predictions/points.csv").write_text(f"actual,predicted\n{predicted}")
    Image.new("RGB", (1500, 1400)).save(scored / "confusion/points.png")
    records = [
        {
            "step": step, "recipe": "abcdef012345", "loss": 9 / step, "anchor/a": 1 / step,
            "samples_per_second": 24.0,
        }
        for step in range(1, 9)
    ]  # fmt: skip
    (run / "curves.json").write_text(json.dumps(records))
    return run / "student"
