"""Zero-shot scores of a trained student on held-out data."""
