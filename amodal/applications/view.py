"""From which height a photograph shows an object: a guess for models of novel views."""

import math

USUAL = 10.0  # degrees: people photograph things from a little above
LENS = 50.0  # degrees: the vertical angle of view of a common camera, held level
RANGE = (-10.0, 60.0)  # degrees


def elevation_guess(middle: float, height: int) -> float:
    """The camera's elevation over the object in degrees, above 0 if it looks down.

    middle is the y of the object's middle in pixels, `height` that of the photograph. An object
    below the horizon, which a level camera has in the middle, is seen from above. This is a guess:
    correct it by eye.
    """
    off = (middle / height - 0.5) * 2
    angle = math.degrees(math.atan(off * math.tan(math.radians(LENS / 2))))
    return round(min(RANGE[1], max(RANGE[0], USUAL + angle)), 1)
