"""The whole page: what the API is, every operation, every shape. Pure, but for its style sheet."""

from html import escape
from importlib.resources import files

from turnwire_contracts.json_values import JSON, mapping, objects
from turnwire_gateway.openapi.page.markup import anchored, code, inline, paragraphs, table
from turnwire_gateway.openapi.page.shapes import kind_of, shape


def page(document: JSON) -> str:
    """Write the page of an OpenAPI document."""
    info = document["info"]
    title = escape(f"{info['title']} {info['version']}")
    return (
        '<!doctype html><html lang="en"><head><meta charset="utf-8">'
        '<meta name="viewport" content="width=device-width, initial-scale=1">'
        f"<title>{title}</title><style>{_style()}</style></head><body>"
        f"<nav>{_contents(document)}</nav><main><h1>{title}</h1>"
        f"<p>{inline(info['summary'])} The same for programs: "
        '<a href="openapi.json">openapi.json</a>.</p>'
        f"{paragraphs(info['description'])}{_security(document)}{_operations(document)}"
        f"<h2>Shapes</h2>{_shapes(document)}</main></body></html>"
    )


def _style() -> str:
    return files("turnwire_gateway.openapi.page").joinpath("page.css").read_text(encoding="utf-8")


def _by_tag(document: JSON, tag: str) -> list[tuple[str, str, JSON]]:
    return [
        (method, path, operation)
        for path, methods in document["paths"].items()
        for method, operation in methods.items()
        if tag in operation["tags"]
    ]


def _contents(document: JSON) -> str:
    parts: list[str] = []
    for tag in document["tags"]:
        lines = [
            f"<li>{anchored(operation['operationId'], _route(method, path))}</li>"
            for method, path, operation in _by_tag(document, tag["name"])
        ]
        parts.append(f"<h3>{escape(tag['name'])}</h3><ul>{''.join(lines)}</ul>")
    names = sorted(document["components"]["schemas"])
    shapes = "".join(f"<li>{anchored(f'schema-{name}', escape(name))}</li>" for name in names)
    return "".join(parts) + f"<h3>Shapes</h3><ul>{shapes}</ul>"


def _route(method: str, path: str) -> str:
    return f'<b class="{escape(method)}">{escape(method.upper())}</b> {escape(path)}'


def _security(document: JSON) -> str:
    schemes: dict[str, JSON] = document["components"]["securitySchemes"]
    said = "".join(
        f"<p>{code('Authorization: Bearer …')}: {inline(scheme['description'])}</p>"
        for scheme in schemes.values()
    )
    return f"<h2>Credentials</h2>{said}"


def _operations(document: JSON) -> str:
    return "".join(
        f"<h2>{escape(tag['name'])}</h2><p>{inline(tag['description'])}</p>"
        + "".join(
            _operation(document, method, path, operation)
            for method, path, operation in _by_tag(document, tag["name"])
        )
        for tag in document["tags"]
    )


def _operation(document: JSON, method: str, path: str, operation: JSON) -> str:
    return (
        f'<section id="{escape(operation["operationId"])}"><h3>{_route(method, path)} '
        f"<span>{inline(operation['summary'])}</span></h3>"
        + paragraphs(operation.get("description", ""))
        + _parameters(document, operation)
        + _body(operation)
        + _answers(operation)
        + "</section>"
    )


def _parameters(document: JSON, operation: JSON) -> str:
    given = [_resolved(document, each) for each in objects(operation["parameters"])]
    rows = [
        (
            code(each["name"]) + ("" if each.get("required") else " <small>optional</small>"),
            escape(each["in"]),
            kind_of(each["schema"]),
            inline(each.get("description", "")),
        )
        for each in given
    ]
    return table(("parameter", "in", "type", ""), rows)


def _body(operation: JSON) -> str:
    body = mapping(operation.get("requestBody"))
    content = mapping(body.get("content"))
    kinds = [kind_of(each["schema"]) for each in content.values()]
    optional = "" if body.get("required") else " <small>optional</small>"
    return f"<p>Body: {', '.join(kinds)}{optional}</p>" if kinds else ""


def _answers(operation: JSON) -> str:
    rows: list[tuple[str, str, str]] = []
    for status, answer in operation["responses"].items():
        content: dict[str, JSON] = answer.get("content", {})
        kinds = [f"{code(media)}: {kind_of(said['schema'])}" for media, said in content.items()]
        rows.append((code(status), inline(answer["description"]), "<br>".join(kinds)))
    return table(("status", "what it means", "body"), rows)


def _shapes(document: JSON) -> str:
    schemas: dict[str, JSON] = document["components"]["schemas"]
    return "".join(shape(name, schemas[name]) for name in sorted(schemas))


def _resolved(document: JSON, parameter: JSON) -> JSON:
    name = str(parameter.get("$ref", "")).rpartition("/")[2]
    return document["components"]["parameters"][name] if name else parameter
