"""How the documentation is built: `make docs`; every warning is an error, and nothing is fetched."""

import sys
from pathlib import Path

sys.path.insert(0, str(Path(__file__).parent / "_ext"))

import crucible

project = "Crucible"
author = "The Crucible authors"
project_copyright = "2026, The Crucible authors"
version = release = crucible.__version__

extensions = ["myst_parser", "sphinx.ext.autodoc", "sphinx.ext.napoleon", "sphinx.ext.viewcode"]
extensions += ["docstrings", "fields"]  # docs/_ext
exclude_patterns = ["_build"]
default_role = "code"
html_theme = "furo"
html_title = f"Crucible {release}"
myst_enable_extensions = ["colon_fence", "deflist", "fieldlist"]
myst_heading_anchors = 3

# The order of a page is the order of `__all__`, and a type is shown where it is public, not where its file lies.
autodoc_member_order = "bysource"
autodoc_typehints = "signature"
autodoc_typehints_format = "short"
autodoc_default_options = {"members": True, "show-inheritance": True, "exclude-members": "model_config"}
napoleon_google_docstring = True
napoleon_numpy_docstring = False
napoleon_use_ivar = True
napoleon_custom_sections = ["Source"]
python_use_unqualified_type_names = True
# Three rooms have a `Condition` of their own; a link from a fourth may lead to any of them, and only says so.
suppress_warnings = ["ref.python"]
