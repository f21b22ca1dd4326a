"""The embedded data pack, its nano teachers, and the scripts that made both."""
