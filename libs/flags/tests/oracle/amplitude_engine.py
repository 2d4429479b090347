# Flags, tests: what the real Amplitude engine for Python answers, as amplitude.mjs does. Run with a Python
# that has amplitude-experiment.
import json
import sys

from amplitude_experiment.evaluation.engine import EvaluationEngine
from amplitude_experiment.evaluation.topological_sort import topological_sort
from amplitude_experiment.evaluation.types import EvaluationFlag
from amplitude_experiment.user import User
from amplitude_experiment.util.user import user_to_evaluation_context

engine = EvaluationEngine()
for line in sys.stdin:
    case = json.loads(line)
    flags = EvaluationFlag.schema().load(case["flags"], many=True)
    answers = []
    for user in case["users"]:
        context = user_to_evaluation_context(User(**user))
        results = engine.evaluate(context, topological_sort({flag.key: flag for flag in flags}))
        answers.append({key: [v.key, v.metadata] for key, v in results.items()})
    print(json.dumps(answers), flush=True)
