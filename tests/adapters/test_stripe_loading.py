"""Stripe's library is large: nobody loads it who does not use it."""

import subprocess
import sys


def test_the_program_does_not_load_stripes_library_by_itself() -> None:
    asked = "import sys, app.main; print([name for name in sys.modules if name.split('.')[0] == 'stripe'])"

    ended = subprocess.run([sys.executable, "-c", asked], check=True, capture_output=True, text=True)

    assert ended.stdout == "[]\n"
