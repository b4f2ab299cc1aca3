"""Settings of Sphinx for `make site`; workflow/scripts/build_site.py lays out its sources."""

from leavekout.report.site import FILE_SCHEME

project = "leave-K-out"
extensions = ["myst_parser", "sphinxcontrib.mermaid"]
root_doc = "index"
html_theme = "furo"
html_title = project
html_static_path = ["site"]
html_css_files = ["style.css"]
html_js_files = ["sort.js"]
html_copy_source = False
html_show_copyright = False

myst_heading_anchors = 4  # as on GitHub
myst_fence_as_directive = ["mermaid"]
# A link to a file that is beside the pages and is none of them.
myst_url_schemes = {
    **{"http": None, "https": None, "mailto": None},
    FILE_SCHEME.removesuffix(":"): "{{path}}",
}
mermaid_height = "auto"
mermaid_fullscreen = False
