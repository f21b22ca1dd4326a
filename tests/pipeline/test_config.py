"""params.yaml is read strictly: whatever is wrong is named, with its place and the nearest key."""

from pathlib import Path

import pytest

from pipeline import commands
from pipeline.config import load_params
from pipeline.errors import UserError

ROOT = Path(__file__).parents[2]
TEXT = """
seed: 0
shards: shards
cache: cache
sources:
  objects:
    {modality: points, converter: pack_objects, raw: pack, splits: [train, test],
     samples_per_shard: 128}
  pictures: {modality: image, converter: pack_pictures, raw: pack}
views: {count: 4, image_size: 64, points: 1024}
teacher_files: nano
teachers:
  clip: {arch: ViT-B-16, batch_size: 256}
  ulip: {arch: ulip1-pointbert, weights: checkpoint.pt}
extract:
  clip-pictures: {teacher: clip, source: pictures}
  ulip-objects: {teacher: ulip, source: objects}
student:
  modalities: [image, points]
  points: {groups: 64, widths: [64, 128, 256]}
train:
  out: runs
  teachers: [clip-pictures, ulip-objects]
  sources: {objects: 2, pictures: 1}
  warmup_steps: 50
  batch_size: 128
  peak_lr: 1.0e-3
benchmarks:
  test: {source: objects, teacher: ulip}
"""


def load(tmp_path: Path, *changes: tuple[str, str]) -> object:
    text = TEXT
    for old, new in changes:
        assert text.count(old) >= 1, old
        text = text.replace(old, new, 1)
    path = tmp_path / "params.yaml"
    path.write_text(text)
    return load_params(path)


def refused(tmp_path: Path, *changes: tuple[str, str]) -> str:
    """The one line that refuses a changed file; it begins with the file's name."""
    with pytest.raises(UserError) as caught:
        load(tmp_path, *changes)
    assert str(caught.value).startswith(f"{tmp_path / 'params.yaml'}: ")
    assert "\n" not in str(caught.value)
    return str(caught.value)


@pytest.mark.parametrize("path", [ROOT / "params.yaml", *sorted((ROOT / "configs").glob("*.yaml"))])
def test_the_committed_params_are_valid(path: Path) -> None:
    assert load_params(path).sources


@pytest.mark.parametrize(
    ("right", "wrong", "where"),
    [
        ("seed:", "sead:", ("sead", "seed")),
        ("image_size:", "imagesize:", ("views.imagesize", "views.image_size")),
        ("samples_per_shard:", "sample_per_shard:", (
            "sources.objects.sample_per_shard", "sources.objects.samples_per_shard")),
        ("warmup_steps:", "warm_up:", ("train.warm_up", "train.warmup_steps")),
        ("groups:", "gruops:", ("student.points.gruops", "student.points.groups")),
        ("batch_size: 256", "batch: 256", ("teachers.clip.batch", "teachers.clip.batch_size")),
    ],
)  # fmt: skip
def test_a_misspelt_key_names_the_nearest(
    tmp_path: Path, right: str, wrong: str, where: tuple[str, str]
) -> None:
    said = refused(tmp_path, (right, wrong))
    assert f"unknown key '{where[0]}'; the nearest valid key is '{where[1]}'" in said


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("seed: 0", "seed: zero", "Expected `int`, got `str` - at `$.seed`"),
        ("seed: 0", "seed: 1.5", "Expected `int`, got `float` - at `$.seed`"),
        ("peak_lr: 1.0e-3", "peak_lr: fast", "at `$.train.peak_lr`"),
        ("modality: points", "modality: smell", "is 'smell'; expected one of image, video, points"),
        ("points: 1024", "points: 0", "points must be >= 1, found 0"),
        ("batch_size: 128", "batch_size: 0", "batch_size must be >= 1, found 0"),
        ("out: runs", "out: s3://b/a", "out must be a folder, only shards and cache may be URLs"),
        ("peak_lr: 1.0e-3", "peak_lr: .nan", "'train.peak_lr' is nan"),
        ("widths: [64, 128, 256]", "widths: [64, 128]", "at `$.student.points.widths"),
        ("shards: shards", "shards: null", "Expected `str`, got `null`"),
    ],
)
def test_wrong_types_and_values_name_their_place(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in refused(tmp_path, (old, new))


@pytest.mark.parametrize(
    ("old", "new", "said"),
    [
        ("{teacher: ulip,", "{teacher: ulp,", "extract.ulip-objects.teacher names 'ulp'"),
        ("source: pictures}", "source: pics}", "source names 'pics', which is not one of objects"),
        ("teachers: [clip-pictures,", "teachers: [clip,", "train.teachers names 'clip'"),
        ("sources: {objects: 2,", "sources: {object: 2,", "train.sources names 'object'"),
        ("test: {source: objects,", "test: {source: o,", "benchmarks.test.source names 'o'"),
        ("splits: [train, test]", "splits: [train]", "benchmarks.test needs split 'test' of"),
        ("splits: [train, test]", "splits: [test]", "needs split 'train' of source 'objects'"),
    ],
)  # fmt: skip
def test_a_name_that_points_nowhere_is_refused(
    tmp_path: Path, old: str, new: str, said: str
) -> None:
    assert said in refused(tmp_path, (old, new))


@pytest.mark.parametrize(
    ("content", "said"),
    [
        (b"seed: [1", "not valid YAML"),
        (b"seed: 1\nseed: 2\n", "duplicate key"),
        (b"!!python/object/apply:os.system [ls]", "not valid YAML"),
        (b"\xff\xfe\x00\x01", "not a text in UTF-8"),
        (b"", "Expected `object`, got `null`"),
        (b"- seed", "Expected `object`, got `array`"),
        (b"a: " + b"[" * 1200, "not valid YAML"),
    ],
)
def test_a_file_that_is_no_params_file_is_refused(
    tmp_path: Path, content: bytes, said: str
) -> None:
    (tmp_path / "params.yaml").write_bytes(content)
    with pytest.raises(UserError, match=said):
        load_params(tmp_path / "params.yaml")


def test_a_teacher_may_have_a_model_for_each_modality(tmp_path: Path) -> None:
    archs = "{points: vitlens-l-pc, depth: vitlens-l-depth}"
    params = load(tmp_path, ("arch: ulip1-pointbert", f"arch: {archs}"))
    assert params.teachers["ulip"].model("points")[:2] == ("vitlens-l-pc", "checkpoint.pt")
    why = refused(tmp_path, ("arch: ulip1-pointbert", "arch: {depth: vitlens-l-depth}"))
    assert "ulip-objects pairs ulip with objects: arch has no entry for points" in why
    assert "Invalid enum value" in refused(tmp_path, ("arch: ulip1-pointbert", "arch: {pc: a}"))


def test_the_students_sizes_are_the_views(tmp_path: Path) -> None:
    modalities = ("modalities: [image, points]", "modalities: [image, audio]")
    why = refused(tmp_path, modalities, ("points: 1024}", "audio_seconds: 2, points: 1024}"))
    assert "student.audio.seconds is 5.0, views.audio_seconds is 2.0: set them equal" in why


def test_a_missing_file_is_refused_with_the_way_out(tmp_path: Path) -> None:
    with pytest.raises(UserError, match=r"gone.yaml: no such params file; .* --params FILE"):
        load_params(tmp_path / "gone.yaml")
    with pytest.raises(UserError, match="expected a regular file, found a folder"):
        load_params(tmp_path)


def test_exponents_without_a_dot_are_numbers(tmp_path: Path) -> None:
    """YAML 1.1 readers make a string of 2e-4."""
    assert load(tmp_path, ("peak_lr: 1.0e-3", "peak_lr: 2e-4")).train.peak_lr == 2e-4


def test_defaults_are_the_supplements(tmp_path: Path) -> None:
    """Table 1, and section 3.2's sizes."""
    params = load(tmp_path)
    train, views = type(params.train), type(params.views)
    defaults = train(out="", teachers=(), sources={"a": 1})
    assert (defaults.peak_lr, defaults.betas, defaults.weight_decay) == (2e-4, (0.9, 0.98), 0.05)
    assert (defaults.batch_size, defaults.warmup_steps, defaults.epochs) == (2048, 10_000, 100)
    assert (views().image_size, views().points) == (224, 8192)


def test_params_cannot_be_changed_by_accident(tmp_path: Path) -> None:
    with pytest.raises(AttributeError):
        load(tmp_path).seed = 1


def test_recommended_commands_carry_the_params_file_that_was_named(tmp_path: Path) -> None:
    named = tmp_path / "mine.yaml"
    named.write_text((ROOT / "params.yaml").read_text())
    assert commands.prepare_command("web") == "python -m pipeline.prepare --source web"
    load_params(named)
    assert commands.prepare_command("web").endswith(f"--source web --params {named}")
    assert commands.repair_command("ulip", "web").endswith(f"--params {named} --repair")


def test_a_setting_of_an_earlier_release_is_taken_under_its_present_name(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    named = tmp_path / "mine.yaml"
    text = (ROOT / "params.yaml").read_text()
    named.write_text(text.replace("loader_workers: 1", "loader_threads: 3"))
    assert load_params(named).train.loader_workers == 3
    assert "train.loader_threads is now train.loader_workers" in capsys.readouterr().err
