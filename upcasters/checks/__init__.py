"""What is wrong with a chain or with a route's policy, found before its first event and without one."""

from upcasters.checks.models import model_problems
from upcasters.checks.policy import policy_problems
from upcasters.checks.structure import structure_problems

__all__ = ["model_problems", "policy_problems", "structure_problems"]
