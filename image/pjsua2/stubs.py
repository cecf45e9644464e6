"""Turns SWIG's annotated pjsua2 module into a type stub.

SWIG (with the feature python:annotations=c) writes the C++ type of every
argument, result and attribute as a string. Enumerations and pjlib's integer
types become int, pj:: classes themselves, vectors their element type; what is
left has no use in Python and becomes Any.
"""

import ast
import re

INTEGERS = {
    *("int", "unsigned", "unsigned int", "short", "unsigned short", "long", "unsigned long", "long long"),
    *("unsigned char", "char", "size_t", "ptrdiff_t", "Token", "TransportId", "PJSUA2_TYPE", "SipEventId"),
}
PLAIN = {
    "void": "None",
    "bool": "bool",
    "string": "str",
    "SocketAddress": "str",
    "float": "float",
    "double": "float",
}


class Types:
    """Maps C++ type names to Python's, given the classes of the module and what its vectors hold."""

    def __init__(self, tree: ast.Module) -> None:
        self.classes = {node.name for node in tree.body if isinstance(node, ast.ClassDef)}
        self.element: dict[str, str] = {}
        for node in tree.body:
            if not isinstance(node, ast.ClassDef):
                continue
            held = _returned(node, "__getitem__") or ""
            if match := re.match(r"std::vector<\s*(.*?)\s*>::value_type", held):
                self.element[node.name] = match[1]

    def python(self, cpp: str | None) -> str:
        """The Python type of a C++ one, such as `pj::string const &`; Any if there is none."""
        if cpp is None:
            return "Any"
        pointer = "*" in cpp
        name = re.sub(r"\bconst\b|[&*]|\bpj::(?=\w)|\bstd::(?=string)", "", cpp).strip()
        name = re.sub(r"\s+", " ", name)
        if re.search(r"::(size_type|difference_type)$", name) or (pointer and name == "void"):
            return "int"
        if name in PLAIN:
            return PLAIN[name]
        if name in self.classes:
            return name
        vector = re.match(r"std::vector<\s*(.*?)\s*(,.*)?>(::value_type)?$", name)
        if vector:
            inner = vector[1]
            if vector[3]:
                return self.python(inner)
            owners = [owner for owner, held in self.element.items() if _bare(held) == _bare(inner)]
            return owners[0] if owners else "Any"
        if name in INTEGERS or (not pointer and re.match(r"(pj|pjsip|pjsua|pjmedia|pjnath)_\w+$", name)):
            return "int"
        return "Any"


def _bare(cpp: str) -> str:
    return cpp.replace("pj::", "").replace("std::", "").replace(" ", "")


def _text(annotation: ast.expr | None) -> str | None:
    return (
        annotation.value
        if isinstance(annotation, ast.Constant) and isinstance(annotation.value, str)
        else None
    )


def _returned(node: ast.ClassDef, method: str) -> str | None:
    found = [item for item in node.body if isinstance(item, ast.FunctionDef) and item.name == method]
    return _text(found[0].returns) if found else None


def _function(node: ast.FunctionDef, types: Types, indent: str) -> str:
    static = any(isinstance(item, ast.Name) and item.id == "staticmethod" for item in node.decorator_list)
    arguments = []
    defaults = [None] * (len(node.args.args) - len(node.args.defaults)) + list(node.args.defaults)
    for position, (argument, default) in enumerate(zip(node.args.args, defaults, strict=True)):
        if indent and not static and position == 0:
            arguments.append("self")
            continue
        arguments.append(
            f"{argument.arg}: {types.python(_text(argument.annotation))}{' = ...' if default else ''}"
        )
    if node.args.vararg:
        arguments.append("*args: Any")
    result = "None" if node.name == "__init__" else types.python(_text(node.returns))
    if node.name == "lookup":
        result += " | None"
    head = f"{indent}@staticmethod\n" if static else ""
    return f"{head}{indent}def {node.name}({', '.join(arguments)}) -> {result}: ..."


def _vector(name: str, element: str) -> list[str]:
    return [
        f"class {name}:",
        "    def __init__(self, *args: Any) -> None: ...",
        "    def __len__(self) -> int: ...",
        f"    def __iter__(self) -> Iterator[{element}]: ...",
        f"    def __getitem__(self, index: int) -> {element}: ...",
        f"    def __setitem__(self, index: int, value: {element}) -> None: ...",
        "    def __delitem__(self, index: int) -> None: ...",
        f"    def append(self, value: {element}) -> None: ...",
        f"    def push_back(self, value: {element}) -> None: ...",
        f"    def pop(self) -> {element}: ...",
        "    def size(self) -> int: ...",
        "    def clear(self) -> None: ...",
    ]


def generate(annotated: str) -> str:
    """The text of pjsua2.pyi for the text of an annotated pjsua2.py."""
    tree = ast.parse(annotated)
    types = Types(tree)
    lines = ["from collections.abc import Iterator", "from typing import Any", ""]
    for node in tree.body:
        if isinstance(node, ast.ClassDef) and not node.name.startswith("_"):
            if node.name in types.element:
                element = types.python(types.element[node.name])
                lines += _vector(node.name, element)
                if element == "int" and "unsigned char" in types.element[node.name]:
                    lines.append(
                        "    def assign_from_bytes(self, obj: bytes | bytearray | memoryview) -> None: ..."
                    )
                    lines.append("    def copy_to_bytearray(self, obj: bytearray | memoryview) -> None: ...")
                continue
            bases = [base.id for base in node.bases if isinstance(base, ast.Name) and base.id != "object"]
            lines.append(f"class {node.name}{'(' + ', '.join(bases) + ')' if bases else ''}:")
            body = ["    thisown: bool"]
            for item in node.body:
                if isinstance(item, ast.AnnAssign) and isinstance(item.target, ast.Name):
                    body.append(f"    {item.target.id}: {types.python(_text(item.annotation))}")
                elif isinstance(item, ast.FunctionDef) and (
                    item.name == "__init__" or not item.name.startswith("__")
                ):
                    body.append(_function(item, types, "    "))
            lines += body
        elif isinstance(node, ast.FunctionDef) and not node.name.startswith("_"):
            lines.append(_function(node, types, ""))
        elif isinstance(node, ast.Assign) and isinstance(node.targets[0], ast.Name):
            name = node.targets[0].id
            value = node.value
            if (
                not name.startswith("_")
                and isinstance(value, ast.Attribute)
                and not isinstance(value.value, ast.Attribute)
            ):
                lines.append(f"{name}: int")
    return "\n".join(lines) + "\n"
