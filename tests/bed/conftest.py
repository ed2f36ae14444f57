"""These tests are for the test bed alone (see __main__.py): elsewhere they are not collected."""

import os

from tests.pod.conftest import pods as pods

collect_ignore_glob = [] if os.environ.get("MINIRUN_BED") else ["test_*.py"]
