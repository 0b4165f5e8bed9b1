"""`python -m tests.fuzz [pytest's arguments]`: the campaign of tests/api, 1,000 examples of each.

The seed is another one each time and is told, so that what was found can be found again:
`FUZZ_SEED=… FUZZ_EXAMPLES=… python -m tests.fuzz`.
"""

import os
import random
import sys

import pytest

if __name__ == "__main__":
    os.environ.setdefault("FUZZ_EXAMPLES", "1000")
    os.environ.setdefault("FUZZ_SEED", str(random.getrandbits(32)))
    told = {name: os.environ[name] for name in ("FUZZ_EXAMPLES", "FUZZ_SEED")}
    sys.stderr.write(f"{told}\n")
    sys.exit(pytest.main(["-s", "tests/api/test_schemathesis.py", *sys.argv[1:]]))
