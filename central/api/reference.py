"""The API's reference as one plain page, made from its OpenAPI document. No script, nothing from elsewhere."""

from html import escape
from typing import Any

_METHODS = ("get", "post", "patch", "delete")


def reference_page(document: dict[str, Any]) -> str:
    """Render the page at /docs."""
    info = document["info"]
    sections: dict[str, list[str]] = {tag["name"]: [] for tag in document.get("tags", [])}
    for path, methods in document["paths"].items():
        for method in _METHODS:
            if method in methods:
                operation = methods[method]
                sections.setdefault(operation["tags"][0], []).append(_operation(method, path, operation))
    about = {tag["name"]: tag.get("description", "") for tag in document.get("tags", [])}
    body = "\n".join(
        f"<section><h2>{escape(tag)}</h2><p>{escape(about.get(tag, ''))}</p>{''.join(entries)}</section>"
        for tag, entries in sections.items()
    )
    schemas = document["components"]["schemas"]
    shapes = "\n".join(_schema(name, schema) for name, schema in schemas.items())
    return (
        f'<!doctype html><html lang="en"><head><meta charset="utf-8"><title>{escape(info["title"])}</title>'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        '<link rel="stylesheet" href="/css/base.css"></head><body><main>'
        f"<h1>{escape(info['title'])}</h1>{_paragraphs(info.get('description', ''))}"
        '<p>For machines: <a href="/api/openapi.json">openapi.json</a></p>'
        f"{body}<section><h2>Shapes</h2>{shapes}</section></main></body></html>"
    )


def _operation(method: str, path: str, operation: dict[str, Any]) -> str:
    parameters = "".join(
        f"<li><code>{escape(one['name'])}</code> in {one['in']}{' (required)' if one.get('required') else ''}: "
        f"{escape(_type(one['schema']))} {escape(one.get('description', ''))}</li>"
        for one in operation.get("parameters", [])
        if one["in"] != "cookie"
    )
    body = operation.get("requestBody", {}).get("content", {}).get("application/json", {}).get("schema")
    sent = f"<p>Body: {_link(body)}</p>" if body else ""
    answers = "".join(
        f"<li>{status}: {escape(one.get('description', ''))} {_answered(one)}</li>"
        for status, one in operation["responses"].items()
    )
    return (
        f"<article><h3><code>{method.upper()} {escape(path)}</code></h3><p><strong>{escape(operation['summary'])}"
        f"</strong></p>{_paragraphs(operation.get('description', ''))}{sent}<ul>{parameters}</ul><ul>{answers}</ul>"
        "</article>"
    )


def _answered(response: dict[str, Any]) -> str:
    schema = response.get("content", {}).get("application/json", {}).get("schema")
    return _link(schema) if schema else ""


def _schema(name: str, schema: dict[str, Any]) -> str:
    fields = "".join(
        f"<li><code>{escape(field)}</code>: {_link(of)} {escape(of.get('description', ''))}</li>"
        for field, of in schema.get("properties", {}).items()
    )
    words = ", ".join(map(str, schema.get("enum", [])))
    return (
        f'<article id="{escape(name)}"><h3>{escape(name)}</h3>{_paragraphs(schema.get("description", ""))}'
        f"<p>{escape(words)}</p><ul>{fields}</ul></article>"
    )


def _link(schema: dict[str, Any]) -> str:
    if "oneOf" in schema:
        return " or ".join(_link(one) for one in schema["oneOf"])
    named = schema.get("$ref") or schema.get("items", {}).get("$ref")
    if named is None:
        return escape(_type(schema))
    name = escape(named.rsplit("/", 1)[-1])
    return f'{"a list of " if "items" in schema else ""}<a href="#{name}">{name}</a>'


def _type(schema: dict[str, Any]) -> str:
    if "anyOf" in schema:
        return " or ".join(_type(one) for one in schema["anyOf"])
    if "$ref" in schema:
        return str(schema["$ref"]).rsplit("/", 1)[-1]
    words = schema.get("enum", [schema["const"]] if "const" in schema else [])
    return " or ".join(map(repr, words)) or str(schema.get("type", "any"))


def _paragraphs(text: str) -> str:
    return "".join(f"<p>{escape(paragraph)}</p>" for paragraph in text.split("\n\n") if paragraph.strip())
