"""Conformance: the flags that the proofs evaluate, the same as flags.mjs makes."""

import json
from pathlib import Path

DEFINITIONS = json.loads((Path(__file__).parent / "flags.json").read_text())
EVERY_KIND = [definition["create"]["flag"] for definition in DEFINITIONS]


def make(server, create, target=None, on=True):
    """A flag, targeted and switched on."""
    why = {"why": "the proofs"}
    here = {"environment": server.environment, **why}
    path = f"/api/flags/{create['flag']}"
    server.call("POST", "/api/flags", {**create, **why})
    if target:
        server.call("PUT", f"{path}/targeting", {**target, **here})
    if on:
        server.call("POST", f"{path}/toggle", {"on": True, **here})


def every_kind(server):
    """One flag of each kind and each reason."""
    for definition in DEFINITIONS:
        make(server, **definition)
