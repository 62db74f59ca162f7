"""What is wrong with a chain or with a route's policy, found before its first event and without one."""

from upcasters.checks.models import model_problems
from upcasters.checks.policy import detection_notes, detection_problems, policy_problems
from upcasters.checks.readers import reader_problems
from upcasters.checks.structure import structure_problems

__all__ = [
    "detection_notes",
    "detection_problems",
    "model_problems",
    "policy_problems",
    "reader_problems",
    "structure_problems",
]
