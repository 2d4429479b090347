# Flags, tests: what the real flagd engine for Python answers, as flagd.mjs does. Run with a Python that
# has openfeature-flagd-core.
import json
import logging
import sys

from openfeature.contrib.tools.flagd.core.model.flag_store import FlagStore
from openfeature.contrib.tools.flagd.core.targeting import targeting
from openfeature.evaluation_context import EvaluationContext

logging.disable(logging.CRITICAL)


def answer(key, flag, context):
    key_of = context.get("targetingKey")
    attributes = {k: v for k, v in context.items() if k != "targetingKey"}
    if not flag.targeting:
        return [flag.default[0], "STATIC"]
    variant = targeting(key, flag.targeting, EvaluationContext(key_of, attributes))
    if variant is None:
        return [flag.default[0], "DEFAULT"]
    return [flag.get_variant(variant)[0], "TARGETING_MATCH"]


for line in sys.stdin:
    case = json.loads(line)
    store = FlagStore()
    store.update(case["document"])
    answers = [
        {key: answer(key, flag, context) for key, flag in store.flags.items()}
        for context in case["contexts"]
    ]
    print(json.dumps(answers), flush=True)
