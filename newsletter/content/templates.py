"""Where templates are found, and the one Jinja2 environment that reads them.

Mail, text and pages share it; names are like `email/letter.mjml` or `pages/signup.html`. A publication's
own `templates/` wins by name over the built-in ones. Jinja2 is for templates only: it never runs over the
body of an issue, nor over anything a reader typed.
"""

from __future__ import annotations

from functools import cache
from pathlib import Path

import jinja2

import newsletter
from newsletter.errors import SettingsError


def builtin() -> Path:
    """The folder of the built-in templates: inside the installed package, else beside it in a checkout."""
    package = Path(newsletter.__file__).resolve().parent
    inside = package / "templates"
    return inside if inside.is_dir() else package.parent / "templates"


def folders(root: Path | None) -> tuple[Path, ...]:
    """Where templates are looked for, the first wins. In: the publication's root, or None for none."""
    return (root / "templates", builtin()) if root else (builtin(),)


def find(name: str, root: Path | None) -> Path:
    """The file of a template. Raises: SettingsError, with the places looked at."""
    for folder in folders(root):
        if (folder / name).is_file():
            return folder / name
    raise SettingsError(
        f'There is no template "{name}".',
        f"Looked in {' and '.join(str(folder) for folder in folders(root))}.",
    )


@cache
def environment(root: Path | None) -> jinja2.Environment:
    """The environment of a publication: undefined names are errors, HTML and MJML are escaped.

    A changed file is read again by itself, so a preview can reload.
    """
    return jinja2.Environment(
        loader=jinja2.FileSystemLoader([str(folder) for folder in folders(root)]),
        undefined=jinja2.StrictUndefined,
        autoescape=jinja2.select_autoescape(("html", "mjml", "xml"), default=False),
        trim_blocks=True,
        lstrip_blocks=True,
    )
