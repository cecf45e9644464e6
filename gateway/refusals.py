"""Why a settings file was refused, in an owner's words: pydantic's details -> what is wrong, what to do."""

import json
from difflib import get_close_matches
from typing import Any, get_args

from gateway.places import Place
from gateway.relations import Fault

Model = Any
"""A class with `model_fields`: pydantic itself stays behind schema.py."""

_WORDS: dict[str, tuple[str, str]] = {
    "string_type": ("text is needed", "Write it in quotes"),
    "int_type": ("a whole number is needed", "Write digits, without quotes"),
    "float_type": ("a number is needed", "Write digits, without quotes"),
    "bool_type": ("true or false is needed", "Write one of the two, without quotes"),
    "tuple_type": ("a list is needed", "Write it in brackets: [...]"),
    "literal_error": ("{expected} is needed", "Write one of these"),
    "greater_than_equal": ("it is too small", "Give {ge} or more"),
    "less_than_equal": ("it is too large", "Give {le} or less"),
    "string_too_short": ("it is empty", "Fill it in"),
    "string_too_long": ("it is longer than {max_length} characters", "Shorten it"),
    "too_short": ("it is empty", "Give at least {min_length}"),
    "too_long": ("there are {actual_length}", "Give {max_length} at most"),
    "finite_number": ("a finite number is needed", "Write digits"),
}


def explain(root: Model, error: Any) -> Fault:
    """One of pydantic's error details of a document of `root` as place, what is wrong, and remedy."""
    kind: str = error["type"]
    context: dict[str, Any] = error.get("ctx", {})
    place: Place = error["loc"]
    last = str(place[-1]) if place else ""
    if kind == "fault":
        return place, context["what"], context["remedy"]
    if kind == "missing":
        return place, "is missing", f"Add it{_example(root, place)}"
    if kind == "extra_forbidden":
        above = _model_at(root, place[:-1])
        near = get_close_matches(last, _known(above), n=1) if above else []
        return place, "this word is not known here", f"Write {near[0]}" if near else "Remove it"
    if kind in ("model_type", "model_attributes_type"):
        return place, "a section is needed", f"Write it as [{'.'.join(str(p) for p in place if p != 0)}]"
    if kind == "tuple_type" and _model_at(root, (*place, 0)):
        return place, "a list of sections is needed", f"Write [[{last}]], with two brackets"
    what, remedy = _WORDS.get(kind, (str(error["msg"]), "Mend it"))
    return place, what.format(**context), remedy.format(**context)


def _annotation_at(root: Model, place: Place) -> Any:
    """The declared type at a place, or None."""
    here: Any = root
    for part in place:
        model = _model_in(here)
        if isinstance(part, int):
            continue
        if model is None:
            return None
        fields = {field.alias or name: field for name, field in model.model_fields.items()}
        if part not in fields:
            return None
        here = fields[part].annotation
    return here


def _model_at(root: Model, place: Place) -> Model | None:
    return _model_in(_annotation_at(root, place))


def _model_in(annotation: Any) -> Model | None:
    """The section that an annotation is made of: itself, or in tuple[..., ...] or `| None`."""
    if isinstance(annotation, type) and hasattr(annotation, "model_fields"):
        return annotation
    return next((found for part in get_args(annotation) if (found := _model_in(part))), None)


def _known(model: Model) -> list[str]:
    return [field.alias or name for name, field in model.model_fields.items()]


def _example(root: Model, place: Place) -> str:
    above = _model_at(root, place[:-1])
    field = above.model_fields.get(str(place[-1])) if above else None
    if field and field.examples:
        return f", like {place[-1]} = {json.dumps(field.examples[0])}"
    return f": write a section [{place[-1]}]" if _model_at(root, place) else ""
