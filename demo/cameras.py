"""The virtual cameras of the pack's renders, depth maps and clips."""

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
DEPTH_CAMERAS = (CAMERAS[0], CAMERAS[3])
"""Those with a depth map beside the render: front and left; more would not fit in the pack."""


def turntable(views: int) -> tuple[Camera, ...]:
    """A full turn in equal steps at the front camera's elevation, beginning at that camera."""
    first = CAMERAS[0]
    return tuple(
        Camera(f"turn-{view}", first.azimuth + 360 * view / views, first.elevation)
        for view in range(views)
    )
