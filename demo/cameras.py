"""The virtual cameras of the pack's renders."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Camera:
    """A viewpoint on the sphere around a model."""

    name: str
    azimuth: float
    """Degrees from the model's front (+z) towards +x."""
    elevation: float
    """Degrees above the horizon."""


CAMERAS = (
    Camera("front", 20.0, 15.0),
    Camera("right", 70.0, 25.0),
    Camera("back", 215.0, 20.0),
    Camera("left", -40.0, 50.0),
)
