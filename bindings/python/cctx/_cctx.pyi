# SPDX-License-Identifier: Apache-2.0
# What the package takes from its extension is typed where it is public.
from typing import Any

def __getattr__(name: str) -> Any: ...
