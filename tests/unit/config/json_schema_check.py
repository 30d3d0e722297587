"""As much of JSON Schema as the schema of the plant file uses. An unknown keyword is a failure, never ignored."""

from __future__ import annotations

import re
from collections.abc import Callable
from typing import Any

Schema = Any
Fits = Callable[[Any, Schema], bool]
_TELL_NOTHING = {"$schema", "$defs", "title", "description", "default", "format"}
_TYPES: dict[str, Any] = {"object": dict, "array": list, "string": str, "boolean": bool, "null": type(None)}


def fits(value: object, schema: Schema, root: dict[str, Any]) -> bool:
    """True when `value` is valid under `schema`."""

    def inner(value: Any, schema: Schema) -> bool:
        if isinstance(schema, bool):
            return schema
        if "$ref" in schema and not inner(value, root["$defs"][schema["$ref"].removeprefix("#/$defs/")]):
            return False
        words = schema.keys() - _TELL_NOTHING - {"$ref"}
        assert words <= _ANY.keys() | _OBJECT.keys() | _ARRAY.keys() | _SCALAR.keys(), words
        keywords = _OBJECT if isinstance(value, dict) else _ARRAY if isinstance(value, list) else _SCALAR
        return all(
            (_ANY | keywords)[word](value, schema[word], schema, inner) for word in words if word in _ANY or word in keywords
        )

    return inner(value, schema)


def _is_number(value: object) -> bool:
    return isinstance(value, int | float) and not isinstance(value, bool)


def _is_type(value: Any, name: str) -> bool:
    if name in ("number", "integer"):
        return _is_number(value) and (name == "number" or value == int(value))
    return isinstance(value, _TYPES[name])


Keyword = Callable[[Any, Any, Schema, Fits], bool]
_ANY: dict[str, Keyword] = {
    "type": lambda value, types, _, __: any(_is_type(value, each) for each in ([types] if isinstance(types, str) else types)),
    "anyOf": lambda value, schemas, _, inner: any(inner(value, each) for each in schemas),
    "oneOf": lambda value, schemas, _, inner: sum(inner(value, each) for each in schemas) == 1,
    "enum": lambda value, values, _, __: value in values,
    "const": lambda value, only, _, __: bool(value == only),
}
_OBJECT: dict[str, Keyword] = {
    "properties": lambda value, known, _, inner: all(inner(value[key], known[key]) for key in known if key in value),
    "additionalProperties": lambda value, other, schema, inner: all(
        inner(value[key], other) for key in value if key not in schema.get("properties", {})
    ),
    "required": lambda value, keys, _, __: all(key in value for key in keys),
    "minProperties": lambda value, least, _, __: len(value) >= least,
    "propertyNames": lambda value, names, _, inner: all(inner(str(key), names) for key in value),
}
_ARRAY: dict[str, Keyword] = {
    "items": lambda value, items, schema, inner: all(inner(item, items) for item in value[len(schema.get("prefixItems", ())) :]),
    "prefixItems": lambda value, each, _, inner: all(inner(item, schema) for item, schema in zip(value, each, strict=False)),
    "minItems": lambda value, least, _, __: len(value) >= least,
    "maxItems": lambda value, most, _, __: len(value) <= most,
}
_SCALAR: dict[str, Keyword] = {
    "minLength": lambda value, least, _, __: not isinstance(value, str) or len(value) >= least,
    "pattern": lambda value, pattern, _, __: not isinstance(value, str) or re.search(pattern, value) is not None,
    "minimum": lambda value, least, _, __: not _is_number(value) or bool(value >= least),
    "maximum": lambda value, most, _, __: not _is_number(value) or bool(value <= most),
    "exclusiveMinimum": lambda value, below, _, __: not _is_number(value) or bool(value > below),
}
