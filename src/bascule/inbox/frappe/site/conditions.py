"""The condition of a webhook: what the hub's own user does is left out, and what somebody on the
site added is kept.

A condition is a Python expression over `doc`, which Frappe evaluates while it works on it.
"""

import ast
import json

_SOMEBODY = "?"
_ACTORS = ("doc.modified_by", "doc.owner")
_SETS = ("doc.reference_doctype",)


def own_user_left_out(event: str, user: str) -> str:
    """ "": nothing can be left out. Who deletes is not to be seen in a document.

    A change that leaves `modified` alone leaves `modified_by` too, so that may be anybody's; a save
    of the hub's moves both. `on_change` is told at a deletion too, beside on_trash.
    """
    me = json.dumps(user, ensure_ascii=False)
    if event == "after_insert":
        return f"doc.modified_by != {me}"
    if event == "on_change":
        before = "doc.get_doc_before_save()"
        unmoved = f"utils.get_datetime({before}.modified) == utils.get_datetime(doc.modified)"
        others = f"doc.modified_by != {me} or ({before} and {unmoved})"
        return f"not doc.flags.in_delete and ({others})"
    return ""


def of_renames(doctypes: list[str], user: str | None) -> str:
    """Of the Comment that Frappe writes about a rename or a merge."""
    about = json.dumps(sorted(doctypes), ensure_ascii=False)
    others = f" and doc.owner != {json.dumps(user, ensure_ascii=False)}" if user else ""
    return f'doc.comment_type == "Edit" and doc.reference_doctype in {about}{others}'


def combined(theirs: str, ours: str) -> str:
    return f"({theirs}) and {ours}" if theirs and ours else theirs or ours


def holds(condition: str, ours: str) -> bool:
    """Whether all of `ours` must hold for this condition to hold."""
    if not ours.strip():
        return True
    return _exactly(ours) <= _exactly(condition)


def theirs_in(condition: str, ours: str) -> str:
    """What somebody added to ours, for whichever user and DocTypes ours was made."""
    if not condition.strip():
        return ""
    try:
        parts = _parts(condition)
        known = {_alike(node) for node, _ in _parts(ours)} if ours else set()
    except SyntaxError:
        return condition
    rest = [text for node, text in parts if _alike(node) not in known]
    if len(rest) == len(parts):
        return condition
    return " and ".join(rest if len(rest) == 1 else [f"({text})" for text in rest])


def _parts(condition: str) -> list[tuple[ast.expr, str]]:
    """What it joins by `and`, each with its text."""
    condition = condition.strip()
    found: list[tuple[ast.expr, str]] = []

    def take(node: ast.expr) -> None:
        if isinstance(node, ast.BoolOp) and isinstance(node.op, ast.And):
            for value in node.values:
                take(value)
        else:
            found.append((node, ast.get_source_segment(condition, node) or ast.unparse(node)))

    take(ast.parse(condition, mode="eval").body)
    return found


def _exactly(condition: str) -> set[str]:
    try:
        return {ast.dump(node) for node, _ in _parts(condition)} if condition.strip() else set()
    except SyntaxError:
        return set()


def _alike(node: ast.expr) -> str:
    """The same for each user and for each set of DocTypes."""
    copy = ast.parse(ast.unparse(node), mode="eval").body
    for one in ast.walk(copy):
        if isinstance(one, ast.Compare) and len(one.ops) == 1:
            about = ast.unparse(one.left)
            if (about in _ACTORS and isinstance(one.ops[0], ast.NotEq)) or (
                about in _SETS and isinstance(one.ops[0], ast.In)
            ):
                one.comparators = [ast.Constant(_SOMEBODY)]
    return ast.dump(copy)
