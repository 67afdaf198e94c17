"""Every trial there is."""
import hosts  # noqa: F401
import lanes  # noqa: F401
from trials import TRIALS, Run  # noqa: F401
