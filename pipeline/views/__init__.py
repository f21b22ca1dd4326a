"""Deterministic views: a pure function of (run seed, sample key, view number)."""

from pipeline.views.chains import Chain, View, ViewMaker, chain_for, chains_of
from pipeline.views.rng import EVALUATION, ViewRng

__all__ = ["EVALUATION", "Chain", "View", "ViewMaker", "ViewRng", "chain_for", "chains_of"]
