"""Every trial there is."""
import lanes  # noqa: F401
from trials import TRIALS, Run  # noqa: F401
