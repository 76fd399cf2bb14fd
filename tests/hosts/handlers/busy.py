# SPDX-License-Identifier: Apache-2.0
"""Works on after its deadline, and never asks, until the file that the query names exists."""

import os
import time


def handler(request):
    if request.query == "":
        return "quick"
    while not os.path.exists(request.query):
        time.sleep(0.001)
    return "slow"
