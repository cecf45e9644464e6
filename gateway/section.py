"""What every section of the settings is made of: a frozen model, whose fields carry all that is ever said of
them. Forms, JSON Schema, the reference page and the masking of secrets come from here alone.
"""

from collections.abc import Mapping
from typing import Any, ClassVar, get_args

from pydantic import BaseModel, ConfigDict, Field
from pydantic_core import PydanticUndefined


class Section(BaseModel):
    """Base of all sections: frozen, and a word that is not known is an error, not ignored."""

    # A section is built as a part of the whole; one by itself is built when it is first asked for.
    model_config = ConfigDict(
        frozen=True, extra="forbid", str_strip_whitespace=True, hide_input_in_errors=True, defer_build=True
    )

    TITLE: ClassVar[str] = ""
    HELP: ClassVar[str] = ""
    KEY: ClassVar[str] = ""
    """The field that names one of several: paths say `uplinks.main`, not `uplinks.0`."""
    ORDERED: ClassVar[bool] = False
    """Which comes first means something."""


def said(
    label: str,
    help: str,
    default: Any = PydanticUndefined,
    *,
    unit: str = "",
    expert: bool = False,
    secret: bool = False,
    long: bool = False,
    choices: Mapping[str, str] | None = None,
    **constraints: Any,
) -> Any:
    """A field and what is said of it. Without `default` it must be given.

    `unit`: of the number; `expert`: most owners never need it; `secret`: goes in and never comes out (law
    19); `long`: text of several lines; `choices`: what each of its words means.
    """
    hints: dict[str, Any] = {}
    if unit:
        hints["x-unit"] = unit
    if expert:
        hints["x-expert"] = True
    if secret:
        hints["x-secret"] = True
        constraints["repr"] = False
    if long:
        hints["x-long"] = True
    if choices:
        hints["x-choices"] = dict(choices)
    return Field(default, title=label, description=help, json_schema_extra=hints or None, **constraints)


def sections_in(annotation: Any) -> list[type[Section]]:
    """The sections that a field's type is made of: itself, or in tuple[..., ...], in `| None`, or a union."""
    if isinstance(annotation, type) and issubclass(annotation, Section):
        return [annotation]
    return [found for part in get_args(annotation) for found in sections_in(part)]
