"""Performance side by side with peers and limits; ratios from one run."""
