"""The card of a published student: what it encodes, how well, and of what it was made."""

from collections.abc import Iterator
from pathlib import Path

from pipeline.commands import extract_command, zeroshot_command
from pipeline.config import Params
from pipeline.errors import UserError
from pipeline.locations import path_or_url
from pipeline.shards import read_index
from pipeline.small_files import read_json
from pipeline.store import Provenance, store_path
from pipeline.weights import file_sha256
from stage2_train.student.portable import TENSORS, StudentCard, stored_card

_UNKNOWN = "not known on the machine that published it"
_USE = """```python
from stage2_train.student import Student

student = Student.load("hf://{to}")
found = student.encode_files(["a.jpg", "b.wav", "c.npy"])    # found.embeddings: [files, dim]
texts = student.encode_text(["a chair", "a lamp"])
```"""


def model_card(params: Params, ckpt: Path, folder: Path, to: str) -> str:
    """Markdown of README.md.

    Args:
        params: of its training: sources and teachers, whose licences stand in shards and stores.
        ckpt: its folder, beside which eval.zeroshot wrote its scores.
        folder: what is published.
        to: its repository.
    """
    card = stored_card(folder)
    sections = {
        f"A UNIALIGN student of {', '.join(card.config.modalities)} and text": _USE.format(to=to),
        "Held-out zero-shot top-1": _table(_scores(ckpt)) or "Not scored.",
        "Recipe": _table(_recipe(params, card)),
        "Data": _table(_sources(params)),
        "Teachers": _table(_teachers(params)) or "None.",
    }
    body = "\n\n".join(f"## {title}\n\n{text}" for title, text in sections.items())
    return f"---\nlicense: other\ntags: [multimodal, feature-extraction]\n---\n\n{body}\n"


def _table(rows: Iterator[tuple[str, ...]]) -> str:
    """Markdown of a header and its rows; nothing where there are no rows."""
    header, *lines = rows
    if not lines:
        return ""
    marked = [header, tuple("---" for _ in header), *lines]
    return "\n".join(f"| {' | '.join(map(_cell, line))} |" for line in marked)


def _cell(text: str) -> str:
    return " ".join(text.replace("|", "\\|").split())


def _scores(ckpt: Path) -> Iterator[tuple[str, ...]]:
    """Of this very student; what lies there of another is passed over."""
    yield "benchmark", "samples", "classes", "chance (%)", "student (%)", "teacher (%)"
    folder, mend = ckpt.parent / "zeroshot", f"run: {zeroshot_command(ckpt)}"
    try:
        metrics = read_json(folder / "metrics.json", dict[str, dict[str, float]], mend)
        students = read_json(folder / "students.json", dict[str, str], mend)
    except FileNotFoundError:
        return
    own = file_sha256(ckpt / TENSORS)
    for name, score in metrics.items():
        if students.get(name) == own:
            counts = [f"{score.get(count, 0):.0f}" for count in ("samples", "classes")]
            shares = [score.get(share) for share in ("chance", "student_top1", "teacher_top1")]
            yield name, *counts, *("-" if s is None else f"{100 * s:.1f}" for s in shares)


def _recipe(params: Params, card: StudentCard) -> Iterator[tuple[str, ...]]:
    config, train = card.config, params.train
    yield "setting", "value"
    yield "frozen CLIP", f"{config.arch}, {config.weights or 'its own weights'}"
    yield "its weights' sha256", card.clip["weights_sha256"]
    experts = config.experts
    yield "experts", f"{experts.shared} shared, {experts.owned} owned, top-{config.top_k}"
    yield "rank, alpha", f"{config.rank}, {config.lora_alpha:g}"
    yield "epochs, batch size", f"{train.epochs}, {train.batch_size}"
    yield "peak learning rate", f"{train.peak_lr:g}"
    yield "seeds of views and training", f"{params.seed}, {train.seed}"


def _sources(params: Params) -> Iterator[tuple[str, ...]]:
    yield "source", "modality", "weight", "licence"
    for name, weight in params.train.sources.items():
        try:
            licence = read_index(path_or_url(params.shards) / name / "train").licence
        except UserError:
            licence = _UNKNOWN
        yield name, params.sources[name].modality, f"{weight:g}", licence


def _teachers(params: Params) -> Iterator[tuple[str, ...]]:
    yield "teacher", "source", "licence", "weights' sha256"
    for name in params.train.teachers:
        pair = params.extract[name]
        licence = sha256 = _UNKNOWN
        try:
            store = store_path(params.cache, pair.teacher, pair.source, "train")
            notes = Provenance.read(store, extract_command(pair.teacher, pair.source)).notes
            licence = str(notes.get("licence", _UNKNOWN))
            sha256 = str(notes.get("weights_sha256", _UNKNOWN))
        except UserError:
            pass
        yield pair.teacher, pair.source, licence, sha256
