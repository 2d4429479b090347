"""Conformance: the flags that the proofs evaluate, the same as flags.mjs makes."""

import json
from pathlib import Path

DEFINITIONS, CALLS = (json.loads((Path(__file__).parent / file).read_text()) for file in ("flags.json", "offer.json"))
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


def offer(server):
    """`gate`, and `offer` with all that a flag can have: a prerequisite, a holdout, a layer, a segment and a split in three."""
    for call in CALLS:
        body = {"why": "the proofs", **call["body"]}
        if "environment" in body:
            body["environment"] = server.environment
        server.call(call["method"], call["path"], body)


def large(server):
    """Rules that are nearly 4 MB for flagd's providers: ten flags for three segments of 9,000 people each."""
    why, segments = {"why": "the proofs"}, ["one", "two", "three"]
    for segment in segments:
        server.call("PUT", f"/api/segments/{segment}", why)
    on, off = ({"serve": "variant", "variant": variant} for variant in ("on", "off"))
    rules = [{"name": segment, "when": [[{"segment": segment}]], "serve": on} for segment in segments]
    for n in range(10):
        make(server, {"flag": f"large-{n}"}, {"rules": rules, "default": off})
    for i, segment in enumerate(segments):
        ids = [f"user-{i * 9_000 + n:06}" for n in range(9_000)]
        server.call("POST", f"/api/segments/{segment}/ids", {"list": "included", "add": ids, **why})
