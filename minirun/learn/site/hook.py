"""What mkdocs calls while it builds the site; .mkdocs.yml names this file.

Layer ``learn``. The chapters become the navigation in story order. A file of
the repository that a page links to becomes a page, too, so that no link leads
out of the site into nothing. Read ``links.py`` next.

mkdocs: https://www.mkdocs.org/dev-guide/plugins/#events
"""

from __future__ import annotations

import posixpath
import re
from pathlib import Path
from typing import TYPE_CHECKING

from minirun.learn.chapter import directories
from minirun.learn.site import links, scripts, sources
from minirun.learn.words import own

if TYPE_CHECKING:
    from mkdocs.config.defaults import MkDocsConfig
    from mkdocs.structure.files import File, Files
    from mkdocs.structure.pages import Page

HERE = Path(__file__).parent
_CELL = re.compile(r"(<td[^>]*><code>)([^<>]{25,})(?=</code>)")


def on_config(config: MkDocsConfig) -> MkDocsConfig:
    """The navigation: the landing page, the chapters in story order, the reference."""
    docs = Path(config.docs_dir)
    chapters = [one for one in directories(docs) if (one / "README.md").exists()]
    config.nav = [
        {own("site-start"): "README.md"},
        *({f"{one.name[:2]} · {_title(one)}": f"{one.name}/README.md"} for one in chapters),
        {own("site-fields"): "pod-fields.md"},
    ]
    config.site_name = own("site-name")
    for palette in config.theme["palette"]:
        palette["toggle"]["name"] = own(palette["toggle"]["name"])
    config.extra["polyfills"] = [f"site/{scripts.WORKER.name}"]
    return config


def _title(chapter: Path) -> str:
    return (chapter / "README.md").read_text().partition("\n")[0].removeprefix("# ")


def on_files(files: Files, config: MkDocsConfig) -> Files:
    """Adds the pages of what other pages link to, and the site's own scripts and style."""
    from mkdocs.structure.files import File, InclusionLevel

    brought: dict[str, File] = {}
    todo = [(file.content_string, _path(file, config)) for file in files.documentation_pages()]
    while todo:
        text, page = todo.pop()
        for link in links.links(text, page):
            path = link.path
            if path in brought or not _is_source(path, files, config):
                continue
            content = sources.page(_repository(config), path)
            brought[path] = File.generated(
                config, sources.uri(path), content=content, inclusion=InclusionLevel.NOT_IN_NAV
            )
            if path.endswith(".md"):
                todo.append((content, path))
    for file in brought.values():
        files.append(file)
    for asset in _assets(config):
        files.append(
            File.generated(
                config,
                f"site/{asset.name}",
                abs_src_path=str(asset),
                inclusion=InclusionLevel.INCLUDED,
            )
        )
    return files


def _assets(config: MkDocsConfig) -> list[Path]:
    kept = _repository(config) / "build" / "scripts"
    return [
        HERE / "site.css",
        HERE / "diagrams.js",
        *(scripts.fetch(one, kept) for one in (scripts.MERMAID, scripts.WORKER)),
    ]


def on_page_markdown(markdown: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Leads links to where the site has their targets; Markdown within <details> is Markdown."""
    here = posixpath.dirname(page.file.src_uri) or "."

    def lead(link: links.Link) -> str:
        chapter = _documented(link.path, files, config)
        if chapter:
            return posixpath.relpath(chapter, here)
        if not _is_source(link.path, files, config):
            return ""
        line = links.line(_repository(config), link)
        return posixpath.relpath(sources.uri(link.path), here) + (f"#L-0-{line}" if line else "")

    led = links.follow(markdown, _path(page.file, config), lead)
    return links.prose(led, lambda text: text.replace("<details>", '<details markdown="1">'))


def on_page_content(html: str, page: Page, config: MkDocsConfig, files: Files) -> str:
    """Lines of code are anchors, too; a long dotted name in a table may break at its dots."""
    if page.present_anchor_ids is not None:
        page.present_anchor_ids.update(re.findall(r'<span id="(L-0-\d+)"', html))
    return _CELL.sub(lambda found: found[1] + re.sub(r"\.(?=\w)", ".<wbr>", found[2]), html)


def on_post_page(output: str, page: Page, config: MkDocsConfig) -> str:
    """mermaid comes with the pages that have a diagram: it is larger than all chapters together."""
    if 'class="mermaid"' not in output:
        return output
    site = posixpath.relpath("site", posixpath.dirname(page.file.dest_uri) or ".")
    tags = [f'<script src="{site}/{name}"></script>' for name in (scripts.MERMAID.name, "diagrams.js")]
    return output.replace("</body>", "".join(tags) + "</body>", 1)


def _documented(path: str, files: Files, config: MkDocsConfig) -> str:
    """The page of the tutorial that ``path`` of the repository is, or whose directory it is; or ''."""
    docs = Path(config.docs_dir).name
    inside = posixpath.relpath(path, docs)
    for one in (inside, posixpath.normpath(posixpath.join(inside, "README.md"))):
        file: File | None = files.get_file_from_path(one)
        if file and file.is_documentation_page() and not one.startswith(".."):
            return one
    return ""


def _is_source(path: str, files: Files, config: MkDocsConfig) -> bool:
    """Whether the site has to bring ``path`` along: it is in the repository, and no page of the tutorial."""
    if path.startswith("..") or _documented(path, files, config):
        return False
    place = _repository(config) / path
    return place.exists() and place.suffix not in (".svg", ".png")


def _path(file: File, config: MkDocsConfig) -> str:
    """Where a page's text is in the repository."""
    if file.src_uri.startswith("source/"):
        return str(file.src_uri.removeprefix("source/"))
    return f"{Path(config.docs_dir).name}/{file.src_uri}"


def _repository(config: MkDocsConfig) -> Path:
    return Path(config.docs_dir).parent
