"""Whether a document fits the model of its version: asked quickly where that is sound, and of pydantic elsewhere."""

from upcasters.validation.validator import Validator

__all__ = ["Validator"]
