"""params.yaml -> frozen dataclasses. One class per concern, each in the file named after it."""

from pipeline.config.data import ExtractionConfig, SourceConfig, TeacherConfig, ViewsConfig
from pipeline.config.evaluation import BenchmarkConfig
from pipeline.config.load import load_params
from pipeline.config.params import Params
from pipeline.config.train import TrainConfig

__all__ = [
    "BenchmarkConfig",
    "ExtractionConfig",
    "Params",
    "SourceConfig",
    "TeacherConfig",
    "TrainConfig",
    "ViewsConfig",
    "load_params",
]
