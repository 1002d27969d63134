"""The modules of the pages in one file: a browser asks once for all of them, and not once for each.

Each module becomes a function that is called once, in the order of the imports, and gives what the module exports. So
the sources stay plain modules that also run as they are. What this does not understand, it refuses.
"""

import re
from collections.abc import Mapping
from posixpath import dirname, join, normpath
from typing import Final

_IMPORT: Final = re.compile(r'^import (?:(\w+)|\{([^}]*)\}) from "([^"]+)";\n', re.MULTILINE)
_EXPORT: Final = re.compile(r"^export ((?:async )?function |class |const )(\w+)", re.MULTILINE)
_EXPORTS: Final = re.compile(r"^export \{([^}]*)\};\n", re.MULTILINE)
_DEFAULT: Final = re.compile(r"^export default ", re.MULTILINE)
_OTHER: Final = re.compile(r"^(?:import|export)\b.*$", re.MULTILINE)
_AWAITS: Final = re.compile(r"^(?!.*\basync\b)[^\s/].*\bawait\b", re.MULTILINE)


def joined(modules: Mapping[str, str], entry: str) -> str:
    """`entry` and all that it imports, as one module. `modules` has the texts by path.

    Raises ValueError for a circle of imports and for a form of import or export that is not known here, and KeyError
    for a module that is not there.
    """
    order = _in_order(modules, entry)
    return "\n".join(_as_function(path, modules[path]) for path in order)


def _in_order(modules: Mapping[str, str], entry: str) -> list[str]:
    """The modules, each after those that it imports."""
    order: list[str] = []
    open_ones: list[str] = []

    def visit(path: str) -> None:
        if path in order:
            return
        if path in open_ones:
            raise ValueError(f"{path} imports itself by way of others: {' '.join(open_ones)}")
        open_ones.append(path)
        for found in _IMPORT.finditer(modules[path]):
            visit(_target(path, found[3]))
        open_ones.remove(path)
        order.append(path)

    visit(entry)
    return order


def _as_function(path: str, text: str) -> str:
    names = [found[2] for found in _EXPORT.finditer(text)]
    names += [name.strip() for found in _EXPORTS.finditer(text) for name in found[1].split(",")]
    body = _EXPORTS.sub("", text)
    body = _IMPORT.sub(lambda found: _taken(path, found), body)
    body = _EXPORT.sub(r"\1\2", body)
    body, defaults = _DEFAULT.subn("const $default = ", body)
    if other := _OTHER.search(body):
        raise ValueError(f"{path}: {other[0]}")
    if defaults:
        names.append("default: $default")
    call = "await (async () => {" if _AWAITS.search(body) else "(() => {"
    return f"// {path}\nconst {_name(path)} = {call}\n{body}return {{ {', '.join(names)} }};\n}})();\n"


def _taken(path: str, found: re.Match[str]) -> str:
    """An import as the members that it takes."""
    members = f"default: {found[1]}" if found[1] else found[2].replace(" as ", ": ").strip()
    return f"const {{ {members} }} = {_name(_target(path, found[3]))};\n"


def _target(path: str, said: str) -> str:
    return normpath(join(dirname(path), said))


def _name(path: str) -> str:
    return "$" + re.sub(r"\W", "_", path.removesuffix(".js"))
