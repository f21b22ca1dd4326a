"""Tasks in the worker processes of a dask cluster, for whatever a command spreads over them."""
