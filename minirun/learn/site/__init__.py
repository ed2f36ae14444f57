"""The tutorial as a site: what mkdocs has to be told, beyond .mkdocs.yml.

Layer ``learn``. Only `make docs` comes here, with mkdocs-material; nothing of
minirun imports it. In reading order:

    hook.py      what mkdocs calls: the chapters' order, the pages that are added
    links.py     links of a README.md that leave the tutorial, and where they lead instead
    sources.py   a file of the repository as a page
    scripts.py   mermaid, and what makes search work from a file
    site.css     what the theme leaves to do
"""
