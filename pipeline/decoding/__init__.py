"""Decoders of long or structured members, one file a modality, each within stated bounds."""
