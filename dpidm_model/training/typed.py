"""Plain data (YAML, command line) to nested frozen dataclasses and back, with errors that name the field."""

import dataclasses
import types
import typing
from typing import Any, TypeVar

from ..errors import InputError

T = TypeVar("T")


def from_plain(cls: type[T], data: Any, where: str = "") -> T:
    """Build dataclass `cls` from a mapping; lists become tuples, numbers are checked, unknown keys are refused.

    Raises InputError naming the field (dotted), what was found and what was expected.
    """
    if not isinstance(data, dict):
        raise InputError(f"{where or 'the configuration'} is {data!r}; expected a mapping of {_known(cls)}")
    hints = typing.get_type_hints(cls)
    fields = {f.name: f for f in dataclasses.fields(cls)}  # type: ignore[arg-type]
    unknown = sorted(set(data) - set(fields), key=str)
    if unknown:
        raise InputError(f"unknown field {_join(where, unknown[0])}; known fields here: {_known(cls)}")
    missing = [n for n, f in fields.items() if n not in data and _required(f)]
    if missing:
        raise InputError(f"field {_join(where, missing[0])} is missing; give it a value")
    return cls(**{name: _value(hints[name], value, _join(where, name)) for name, value in data.items()})


def to_plain(value: Any) -> Any:
    """The inverse: dataclasses become dicts, tuples lists. JSON and YAML can write the result."""
    if dataclasses.is_dataclass(value):
        return {f.name: to_plain(getattr(value, f.name)) for f in dataclasses.fields(value)}
    if isinstance(value, tuple | list):
        return [to_plain(v) for v in value]
    if isinstance(value, dict):
        return {k: to_plain(v) for k, v in value.items()}
    return value


def override(data: dict, assignments: list[str]) -> dict:
    """Apply `a.b=value` assignments (value in YAML; list elements by number: data.sources.0.root=...) to a copy."""
    import copy

    import yaml

    data = copy.deepcopy(data)
    for assignment in assignments:
        path, sign, text = assignment.partition("=")
        if not sign or not path:
            raise InputError(f"override {assignment!r} is not of the form section.field=value")
        try:
            value = yaml.safe_load(text)
        except yaml.YAMLError as error:
            raise InputError(f"override {assignment!r}: the value is not YAML ({error})") from error
        *parents, last = path.split(".")
        node: Any = data
        for part in parents:
            node = _step(node, part, assignment)
        if isinstance(node, list):
            _step(node, last, assignment)
            node[int(last)] = value
        elif isinstance(node, dict):
            node[last] = value
        else:
            raise InputError(f"override {assignment!r}: {last!r} is inside a value that has no fields")
    return data


def _step(node: Any, part: str, assignment: str) -> Any:
    if isinstance(node, list):
        if not part.isdigit() or int(part) >= len(node):
            raise InputError(f"override {assignment!r}: {part!r} is not an element number below {len(node)}")
        return node[int(part)]
    if not isinstance(node, dict):
        raise InputError(f"override {assignment!r}: {part!r} is inside a value that has no fields")
    return node.setdefault(part, {})


def _value(hint: Any, value: Any, where: str) -> Any:
    origin, args = typing.get_origin(hint), typing.get_args(hint)
    if origin in (typing.Union, types.UnionType):
        if value is None and type(None) in args:
            return None
        return _value(next(a for a in args if a is not type(None)), value, where)
    if dataclasses.is_dataclass(hint):
        return from_plain(hint, value, where)  # type: ignore[arg-type]
    if origin is tuple:
        if not isinstance(value, list | tuple):
            raise InputError(f"{where} is {value!r}; expected a list")
        inner = args[0]
        if len(args) != 2 or args[1] is not Ellipsis:
            if len(value) != len(args):
                raise InputError(f"{where} is {value!r}; expected {len(args)} values")
            return tuple(_value(a, v, f"{where}.{i}") for i, (a, v) in enumerate(zip(args, value)))
        return tuple(_value(inner, v, f"{where}.{i}") for i, v in enumerate(value))
    if hint is dict or origin is dict:
        if not isinstance(value, dict):
            raise InputError(f"{where} is {value!r}; expected a mapping")
        return dict(value)
    return _scalar(hint, value, where)


def _scalar(hint: type, value: Any, where: str) -> Any:
    if hint is float and not isinstance(value, bool):
        try:  # YAML 1.1 reads 1e-4 (no dot) as text
            return float(value)
        except (TypeError, ValueError):
            pass
    elif hint is int and isinstance(value, float) and value.is_integer():
        return int(value)
    elif isinstance(value, hint) and (hint is bool or not isinstance(value, bool)):
        return value
    raise InputError(f"{where} is {value!r}; expected {hint.__name__}")


def _required(field: dataclasses.Field) -> bool:
    return field.default is dataclasses.MISSING and field.default_factory is dataclasses.MISSING


def _known(cls: Any) -> str:
    return ", ".join(f.name for f in dataclasses.fields(cls))


def _join(where: str, name: str) -> str:
    return f"{where}.{name}" if where else str(name)
