"""The teachers of a run in one process: the run's own, or a worker's."""

from collections.abc import Callable, Generator, Sequence
from itertools import groupby

import numpy as np

from pipeline.allocator import keep_freed_memory
from pipeline.blas import one_blas_thread
from pipeline.config import Params
from pipeline.config.data import Model
from pipeline.store import Provenance
from stage1_extract.configured_teacher import teacher_of
from stage1_extract.extraction import Extraction, extract_tars
from stage1_extract.fit import check_fit
from stage1_extract.recompute import spot_check
from stage1_extract.shared_views import view_workers
from stage1_extract.tar_task import TarDone, TarTask
from stage1_extract.teachers import Teacher


class Extractor:
    """Runs extractions, loading each model once, when it is first needed, and keeping it.

    Args:
        params: of the run.
        workers: processes that make the views, beside the teachers; without any this one does.
    """

    def __init__(self, params: Params, workers: int = 0) -> None:
        one_blas_thread()
        keep_freed_memory()
        self._params, self._workers = params, view_workers(workers)
        self._teachers: dict[tuple[str, Model], Teacher] = {}
        self._extractions: dict[str, Extraction] = {}

    def provenance(self, name: str) -> Provenance:
        """What determines the numbers of an extraction."""
        return self.extraction(name).provenance

    def label_texts(self, name: str) -> np.ndarray:
        """Features float32 [classes, dim] of the source's label prompts."""
        return self.extraction(name).label_texts()

    def spot_check(self, name: str) -> None:
        """Compute a few rows of a finished store again; raises UserError where they differ."""
        spot_check(self.extraction(name))

    def tars(
        self, tasks: Sequence[TarTask], on_samples: Callable[[int], None]
    ) -> Generator[TarDone]:
        """Do tasks in their order, decoding across the ends of tars.

        Raises:
            UserError: a tar is missing or damaged; those before it are written.
        """
        for (names, _), group in groupby(tasks, key=lambda task: (task.names, task.views)):
            extractions = [self.extraction(name) for name in names]
            yield from extract_tars(self._workers, extractions, list(group), on_samples)

    def close(self) -> None:
        """End the worker processes; a later task would start others."""
        self._workers.close()

    def extraction(self, name: str) -> Extraction:
        """The extraction of that name under `extract`, with its teacher.

        Raises:
            UserError: the source is not prepared, or the teacher does not load or take its views.
        """
        if name not in self._extractions:
            extraction = Extraction(self._params, name, self._teacher(name))
            check_fit(extraction.forward, self._params.views)
            self._extractions[name] = extraction
        return self._extractions[name]

    def _teacher(self, name: str) -> Teacher:
        pair = self._params.extract[name]
        modality = self._params.sources[pair.source].modality
        known = (pair.teacher, self._params.teachers[pair.teacher].model(modality))
        if known not in self._teachers:
            self._teachers[known] = teacher_of(self._params, pair.teacher, pair.source)
        return self._teachers[known]
