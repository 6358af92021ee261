"""Draw the graph behind a tensor, as Graphviz text and as an SVG picture that needs no other program."""

from __future__ import annotations

from html import escape

from tinyticket.autograd.tape import Node, nodes_before
from tinyticket.autograd.tensor import Tensor

BOX_WIDTH, BOX_HEIGHT, GAP_X, GAP_Y = 150, 40, 24, 44


class Drawing(str):
    """Graphviz (dot) text of a graph; `.svg` is the same graph as a picture, which notebooks show by themselves."""

    svg: str

    def _repr_svg_(self) -> str:
        return self.svg


def draw(tensor: Tensor) -> Drawing:
    """Draw how `tensor` was computed: boxes are tensors, ellipses operations, the result at the bottom.

    Parameters
    ----------
    tensor
        The result; draw it before backward(), which frees the graph.

    Returns
    -------
    Drawing
        A string in Graphviz' language, with the picture as SVG text in its attribute `svg`.

    Raises
    ------
    RuntimeError
        If backward() has already freed the graph.
    """
    nodes = nodes_before(tensor.node)[::-1]
    if any(node.consumed for node in nodes):
        raise RuntimeError("backward() has freed this graph; draw it before calling backward()")
    leaves = {id(leaf): leaf for node in nodes for leaf in node.inputs if leaf.node is None}
    leaves = leaves or {id(tensor): tensor}
    boxes = {_key(leaf): _leaf_label(leaf) for leaf in leaves.values()} | {
        _key(node): _node_label(node) for node in nodes
    }
    arrows = [(_key(part.node or part), _key(node)) for node in nodes for part in node.inputs]
    drawing = Drawing(_dot(boxes, arrows))
    drawing.svg = _svg(boxes, arrows)
    return drawing


def _key(thing: Node | Tensor) -> str:
    return f"op{thing.number}" if isinstance(thing, Node) else f"tensor{id(thing)}"


def _leaf_label(leaf: Tensor) -> str:
    name = getattr(leaf, "name", "") or type(leaf).__name__.lower()
    shape = " x ".join(map(str, leaf.shape)) or "one number"
    return f"{name}\n{shape}{', requires grad' if leaf.requires_grad else ''}"


def _node_label(node: Node) -> str:
    settings = ", ".join(f"{k}={v}" for k, v in node.attributes.items() if isinstance(v, int | float | str | tuple))
    return f"{node.name}\n{settings}".rstrip()


def _dot(boxes: dict[str, str], arrows: list[tuple[str, str]]) -> str:
    def quote(text: str) -> str:
        return text.replace("\\", "\\\\").replace('"', '\\"').replace("\n", "\\n")

    lines = [
        f'  {key} [label="{quote(label)}", shape={"ellipse" if key.startswith("op") else "box"}];'
        for key, label in boxes.items()
    ]
    lines += [f"  {start} -> {end};" for start, end in arrows]
    return "digraph {\n" + "\n".join(lines) + "\n}\n"


def _svg(boxes: dict[str, str], arrows: list[tuple[str, str]]) -> str:
    """Lay the boxes out in rows, each below everything it depends on."""
    depth = dict.fromkeys(boxes, 0)
    for start, end in arrows:  # in the order of computation, so one pass settles every depth
        depth[end] = max(depth[end], depth[start] + 1)
    first_use = dict(reversed(arrows))
    for key in boxes:
        if not key.startswith("op") and key in first_use:
            depth[key] = max(0, depth[first_use[key]] - 1)  # leaves stand just above their first use
    place, filled = {}, dict.fromkeys(range(max(depth.values()) + 1), 0)
    for key in boxes:
        row = depth[key]
        place[key] = (GAP_X + filled[row] * (BOX_WIDTH + GAP_X), GAP_Y // 2 + row * (BOX_HEIGHT + GAP_Y))
        filled[row] += 1
    width = GAP_X + max(filled.values()) * (BOX_WIDTH + GAP_X)
    height = len(filled) * (BOX_HEIGHT + GAP_Y)
    parts = [
        f'<svg xmlns="http://www.w3.org/2000/svg" viewBox="0 0 {width} {height}" width="{width}" height="{height}" '
        'font-family="sans-serif" font-size="11" text-anchor="middle">',
        '<defs><marker id="arrow" viewBox="0 0 8 8" refX="8" refY="4" markerWidth="7" markerHeight="7" orient="auto">'
        '<path d="M0 0 8 4 0 8z" fill="#555"/></marker></defs>',
    ]
    for start, end in arrows:
        (x1, y1), (x2, y2) = place[start], place[end]
        parts.append(
            f'<line x1="{x1 + BOX_WIDTH // 2}" y1="{y1 + BOX_HEIGHT}" x2="{x2 + BOX_WIDTH // 2}" y2="{y2}" stroke="#555" '
            'marker-end="url(#arrow)"/>'
        )
    for key, label in boxes.items():
        x, y = place[key]
        round_, fill = (BOX_HEIGHT // 2, "#fff3d6") if key.startswith("op") else (3, "#e2ecf7")
        parts.append(
            f'<rect x="{x}" y="{y}" width="{BOX_WIDTH}" height="{BOX_HEIGHT}" rx="{round_}" fill="{fill}" stroke="#555"/>'
        )
        lines = label.split("\n")
        for i, line in enumerate(lines):
            baseline = y + BOX_HEIGHT // 2 + 4 + 14 * i - 7 * (len(lines) - 1)
            parts.append(f'<text x="{x + BOX_WIDTH // 2}" y="{baseline}">{escape(line[:26])}</text>')
    return "\n".join([*parts, "</svg>"]) + "\n"
