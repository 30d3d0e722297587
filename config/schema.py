"""JSON Schema (draft 2020-12) of the plant file, for editors that complete and explain keys while one writes.

Made from the models: descriptions are the texts under their fields. It says what a file may hold as it is written, so named
items are mappings and bounds are `[low, high]`. It is laxer than the loader, which alone knows how items fit together.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, get_args

from pydantic import BaseModel

from config.common import Named, NamedItems
from config.limit_statistics import DURATION
from config.limits import Limit
from config.model import ModbusEndpoint, OpcUaEndpoint
from config.parts import PlantFile

Schema = dict[str, Any]
_DIALECT = "https://json-schema.org/draft/2020-12/schema"
_OWN_KEYS = ("site", "disk", "web")
_CSV_FILE: Schema = {"type": "string", "minLength": 1, "description": "A CSV file, relative to this file."}
_TEXT: Schema = {"type": ["string", "number"], "minLength": 1}


def json_schema(*, part: bool = False) -> Schema:
    """The schema of a plant file; with `part` that of a file which another includes."""
    root = PlantFile.model_json_schema()
    definitions: dict[str, Schema] = {name: _plain(definition) for name, definition in root.pop("$defs").items()}
    root = _plain(root)
    for model in models_in(PlantFile):
        _as_written(model, root if model is PlantFile else definitions[model.__name__])
    for model in (OpcUaEndpoint, ModbusEndpoint):
        definitions[model.__name__]["properties"]["url"] |= {
            "type": "string",
            "pattern": f"^({'|'.join(map(_literal, model.schemes))})://",
        }
    for name, keys in (("Secret", ("env", "file")), ("Use", ("table", "rows"))):
        definitions[name]["oneOf"] = [{"required": [key]} for key in keys]
    _files_instead(root, definitions)
    root["required"] = [] if part else ["site"]
    if part:
        root["properties"] = {key: value for key, value in root["properties"].items() if key not in _OWN_KEYS}
    title = "Part of a Reactorwatch plant file" if part else "Reactorwatch plant file"
    return {"$schema": _DIALECT, "title": title, **root, "$defs": definitions}


def models_in(annotation: Any, known: set[type[BaseModel]] | None = None) -> Iterator[type[BaseModel]]:
    """Every model that a value so annotated may hold, each once."""
    known = set() if known is None else known
    if isinstance(annotation, type) and issubclass(annotation, BaseModel) and annotation not in known:
        known.add(annotation)
        yield annotation
        for field in annotation.model_fields.values():
            yield from models_in(field.annotation, known)
    for argument in get_args(annotation):
        yield from models_in(argument, known)


def _plain(schema: Any, *, is_names: bool = False) -> Any:
    """Without what only pydantic needs: titles, defaults that say nothing, texts told in two ways."""
    if isinstance(schema, list):
        return [_plain(item) for item in schema]
    if not isinstance(schema, dict):
        return schema
    plain = {key: _plain(value, is_names=key in ("properties", "$defs")) for key, value in schema.items()}
    if is_names:
        return plain
    for key in ("title", "discriminator"):
        plain.pop(key, None)
    if plain.get("default") in (None, ""):
        plain.pop("default", None)
    if plain.get("anyOf") == [{"minLength": 1, "type": "string"}, {"type": "number"}]:
        del plain["anyOf"]
        plain = _TEXT | plain
    return plain


def _as_written(model: type[BaseModel], schema: Schema) -> None:
    """Named items as mappings, and items without their name, which is the key."""
    properties = schema["properties"]
    if issubclass(model, Named):
        del properties["name"]
        schema["required"] = [key for key in schema.get("required", ()) if key != "name"]
    for key, field in model.model_fields.items():
        if NamedItems in field.metadata:
            least = max((getattr(mark, "min_length", None) or 0 for mark in field.metadata), default=0)
            properties[key] = _by_name(properties[key], least)
    if model is Limit:
        schema["required"].remove("role")
        of_a_tag = {"oneOf": [{"required": ["role"]}, {"required": ["name", "expression"]}]}
        of_a_phase = {"required": ["statistic"], "properties": {"statistic": {"const": DURATION}}}
        schema["anyOf"] = [of_a_tag, of_a_phase]
    if "states" in properties:
        properties["states"]["propertyNames"] = {"pattern": "^[-+]?[0-9]"}


def _by_name(array: Schema, least: int) -> Schema:
    items = array["items"]
    may_be_empty = items.get("$ref") in ("#/$defs/Unit", "#/$defs/Group", "#/$defs/OpcUaGroup")
    named: Schema = {"type": "object", "additionalProperties": {"anyOf": [items, {"type": "null"}]} if may_be_empty else items}
    if least:
        named["minProperties"] = least
    return named | {key: array[key] for key in ("description",) if key in array}


def _literal(text: str) -> str:
    return "".join(f"[{sign}]" if sign in ".+" else sign for sign in text)


def _files_instead(root: Schema, definitions: dict[str, Schema]) -> None:
    """Where CSV files may stand for what they hold."""
    for device in ("OpcUaDevice", "ModbusDevice"):
        tags = definitions[device]["properties"]["tags"]
        description = tags.pop("description")
        several = {"type": "array", "minItems": 1, "items": {"anyOf": [_CSV_FILE, tags]}}
        definitions[device]["properties"]["tags"] = {"description": description, "anyOf": [tags, _CSV_FILE, several]}
    for holder in (root, definitions["Template"]):
        limits = holder["properties"]["limits"]
        items = {"anyOf": [_CSV_FILE, limits.get("items", {})]}
        description = limits.get("description", "")
        holder["properties"]["limits"] = {"description": description, "anyOf": [_CSV_FILE, {"type": "array", "items": items}]}
