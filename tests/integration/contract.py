"""Checks a value against one of schemas/*.json, with as much of JSON Schema as those use. Written
apart from the program under test on purpose.

    contract.check("result", json.loads(message.body))
"""
import json
import os
import re

from fleet import SOURCE, Failed

TYPES = {
    "object": lambda v: isinstance(v, dict),
    "array": lambda v: isinstance(v, list),
    "string": lambda v: isinstance(v, str),
    "integer": lambda v: isinstance(v, int) and not isinstance(v, bool),
    "number": lambda v: isinstance(v, (int, float)) and not isinstance(v, bool),
    "boolean": lambda v: isinstance(v, bool),
    "null": lambda v: v is None,
}
# Words that say nothing of the value itself, or are dealt with beside another.
SILENT = {"$schema", "$id", "$defs", "title", "description", "default", "format", "then", "else",
          "contentEncoding", "examples"}


def check(name, value):
    """Fails with the first thing that does not fit."""
    with open(os.path.join(SOURCE, "schemas", f"{name}.json")) as file:
        root = json.load(file)
    wrong = find_wrong(root, root, value, "")
    if wrong:
        raise Failed(f"against schemas/{name}.json: {wrong}: {json.dumps(value)[:600]}")


def find_wrong(root, schema, value, at):
    if isinstance(schema, bool):
        return None if schema else f"{at or '/'} is not allowed"
    for word, wanted in schema.items():
        if word not in SILENT:
            wrong = WORDS[word](root, schema, wanted, value, at)
            if wrong:
                return wrong
    return None


def reference(root, _, wanted, value, at):
    target = root
    for name in wanted.removeprefix("#/").split("/"):
        target = target[name]
    return find_wrong(root, target, value, at)


def type_of(_, __, wanted, value, at):
    names = [wanted] if isinstance(wanted, str) else wanted
    return None if any(TYPES[name](value) for name in names) else f"{at or '/'} is no {wanted}"


def members(root, _, wanted, value, at):
    for name, schema in wanted.items() if isinstance(value, dict) else ():
        wrong = find_wrong(root, schema, value[name], f"{at}/{name}") if name in value else None
        if wrong:
            return wrong
    return None


def other_members(root, schema, wanted, value, at):
    known = schema.get("properties", {})
    for name in value if isinstance(value, dict) else ():
        wrong = None if name in known else find_wrong(root, wanted, value[name], f"{at}/{name}")
        if wrong:
            return wrong
    return None


def required(_, __, wanted, value, at):
    missing = [name for name in wanted if isinstance(value, dict) and name not in value]
    return f"{at or '/'} lacks {missing}" if missing else None


def each_item(root, _, wanted, value, at):
    for i, item in enumerate(value if isinstance(value, list) else ()):
        wrong = find_wrong(root, wanted, item, f"{at}/{i}")
        if wrong:
            return wrong
    return None


def conditional(root, schema, wanted, value, at):
    branch = "else" if find_wrong(root, wanted, value, at) else "then"
    return find_wrong(root, schema.get(branch, True), value, at)


def any_of(root, _, wanted, value, at):
    wrong = [find_wrong(root, schema, value, at) for schema in wanted]
    return None if None in wrong else wrong[0]


def one_of(root, _, wanted, value, at):
    fits = [schema for schema in wanted if not find_wrong(root, schema, value, at)]
    return None if len(fits) == 1 else f"{at or '/'} fits {len(fits)} of oneOf"


def all_of(root, _, wanted, value, at):
    return next((w for w in (find_wrong(root, s, value, at) for s in wanted) if w), None)


def simple(kind, holds, what):
    def word(_, __, wanted, value, at):
        if kind and not (TYPES[kind](value)):
            return None
        return None if holds(value, wanted) else f"{at or '/'} {what} {wanted}"
    return word


WORDS = {
    "$ref": reference, "type": type_of, "properties": members, "required": required,
    "additionalProperties": other_members, "items": each_item, "if": conditional,
    "anyOf": any_of, "oneOf": one_of, "allOf": all_of,
    "not": lambda root, _, wanted, value, at:
        None if find_wrong(root, wanted, value, at) else f"{at or '/'} is what it must not be",
    "const": simple(None, lambda v, w: v == w, "is not"),
    "enum": simple(None, lambda v, w: v in w, "is none of"),
    "minLength": simple("string", lambda v, w: len(v) >= w, "is shorter than"),
    "maxLength": simple("string", lambda v, w: len(v) <= w, "is longer than"),
    "pattern": simple("string", lambda v, w: re.search(w, v) is not None, "does not match"),
    "minimum": simple("number", lambda v, w: v >= w, "is below"),
    "maximum": simple("number", lambda v, w: v <= w, "is above"),
    "minItems": simple("array", lambda v, w: len(v) >= w, "has fewer items than"),
    "maxItems": simple("array", lambda v, w: len(v) <= w, "has more items than"),
    "maxProperties": simple("object", lambda v, w: len(v) <= w, "has more members than"),
}
