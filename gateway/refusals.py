"""Why a settings file was refused, in an owner's words: pydantic's details -> what is wrong, what to do."""

import json
from difflib import get_close_matches
from typing import Any, get_args, get_origin

from gateway.places import Place
from gateway.relations import Fault
from gateway.section import Section, sections_in

Model = type[Section]

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
    place = _untagged(root, error["loc"])
    last = str(place[-1]) if place else ""
    if kind == "union_tag_not_found":
        kinds = _tags(_models_at(root, place))
        return (*place, "kind"), "is missing", f'Add it, like kind = "{kinds[0]}"'
    if kind == "union_tag_invalid":
        kinds = _tags(_models_at(root, place))
        wanted = f"{', '.join(map(repr, kinds[:-1]))} or {kinds[-1]!r} is needed"
        return (*place, "kind"), wanted, "Write one of these"
    if kind == "fault":
        return place, context["what"], context["remedy"]
    if kind == "missing":
        return place, "is missing", f"Add it{_example(root, place)}"
    if kind == "extra_forbidden":
        known = [word for model in _models_at(root, place[:-1]) for word in _fields(model)]
        near = get_close_matches(last, known, n=1)
        return place, "this word is not known here", f"Write {near[0]}" if near else "Remove it"
    if kind in ("model_type", "model_attributes_type"):
        return place, "a section is needed", f"Write it as [{_dotted(place)}]"
    if kind == "tuple_type" and _models_at(root, place):
        return place, "a list of sections is needed", f"Write [[{_dotted(place)}]], with two brackets"
    if kind == "string_too_short" and context["min_length"] > 1:
        return place, f"it is shorter than {context['min_length']} characters", "Make it longer"
    what, remedy = _WORDS.get(kind, (str(error["msg"]), "Mend it"))
    whole = {key: int(v) if isinstance(v, float) and v.is_integer() else v for key, v in context.items()}
    return place, what.format(**whole), remedy.format(**whole)


def _untagged(root: Model, place: Place) -> Place:
    """The place without the kinds that pydantic names after an item that may be of several kinds."""
    real: list[str | int] = []
    for part in place:
        models = _models_at(root, tuple(real)) if real and isinstance(real[-1], int) else []
        if len(models) < 2 or part not in _tags(models):
            real.append(part)
    return tuple(real)


def _models_at(root: Model, place: Place) -> list[Model]:
    """The sections that may stand at a place: none, one, or one for each kind."""
    here: list[Model] = [root]
    for part in place:
        if isinstance(part, int):
            continue
        found = [field for model in here if (field := _fields(model).get(part)) is not None]
        here = list(dict.fromkeys(model for field in found for model in sections_in(field.annotation)))
    return here


def _tags(models: list[Model]) -> list[str]:
    return [
        get_args(model.model_fields["kind"].annotation)[0] for model in models if "kind" in _fields(model)
    ]


def _fields(model: Model) -> dict[str, Any]:
    return {field.alias or name: field for name, field in model.model_fields.items()}


def _dotted(place: Place) -> str:
    return ".".join(part for part in place if isinstance(part, str))


def _example(root: Model, place: Place) -> str:
    fields = [f for model in _models_at(root, place[:-1]) if (f := _fields(model).get(str(place[-1])))]
    if fields and fields[0].examples:
        return f", like {place[-1]} = {json.dumps(fields[0].examples[0])}"
    if not _models_at(root, place):
        return ""
    several = get_origin(fields[0].annotation) is tuple
    header = f"[[{_dotted(place)}]]" if several else f"[{_dotted(place)}]"
    return f": write a section {header}"
