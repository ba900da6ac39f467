"""Settings for the whole suite: property tests are deterministic and have no deadlines.

`ENTREPOT_HYPOTHESIS=deep` draws many more examples, at random.
"""

import os

from hypothesis import HealthCheck, settings

slow = [HealthCheck.too_slow]
settings.register_profile(
    "fixed", derandomize=True, deadline=None, max_examples=60, suppress_health_check=slow
)
settings.register_profile("deep", deadline=None, max_examples=1500, suppress_health_check=slow)
settings.load_profile(os.environ.get("ENTREPOT_HYPOTHESIS", "fixed"))
