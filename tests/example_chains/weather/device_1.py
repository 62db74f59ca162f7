"""What a device says of itself."""

from upcasters import Baseline

baseline = Baseline("device", 1)
