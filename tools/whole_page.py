"""Make of the book on one page, as Sphinx writes it, a page that can be printed.

What is said by a click must be said on paper as well: solutions stand open, a quiz has its answers
below it. Code that only draws a figure stays away. Every chapter has a heading of the first level,
names of its own for its places, and links that stay within the document.
"""

from __future__ import annotations

import re
from collections.abc import Iterable

from bs4 import BeautifulSoup, Tag

MARK = "document-"
FOLDED_CODE = "details.above-input"
WITHOUT_MEANING = (
    "script:not([data-kept]), button, .headerlink, [role=doc-backlink], summary svg, "
    ".sd-summary-state-marker, .toctree-wrapper > .caption, .toctree-wrapper > p.caption"
)
LETTERS = "abcdefghij"
HEADINGS = re.compile(r"h[1-5]")


class PageError(Exception):
    """The page lacks what the printed book is made of."""


def printable(html: str, title: str, facts: Iterable[str]) -> str:
    """Return the page as it is to be printed: a title page, the contents, the chapters.

    `facts` are the lines below the title. Raises :class:`PageError` for a page without chapters.
    """
    page = BeautifulSoup(html, "html.parser")
    parts = chapters(page)
    name_places(parts)
    for part in parts.values():
        unfold(part, page)
    front = front_page(page, title, facts, parts)
    body = page.new_tag("body", attrs={"class": "nnlm-printed", "data-default-mode": "light"})
    article = page.new_tag("main", attrs={"class": "bd-article"})
    content = page.new_tag("div", attrs={"class": "bd-content"})
    article.extend([front, *parts.values()])
    content.append(article)
    body.append(content)
    assert page.html is not None and page.body is not None and page.title is not None
    page.body.replace_with(body)
    page.html["data-theme"] = "light"
    page.title.string = title
    for tag in page.select(WITHOUT_MEANING):
        tag.decompose()
    return str(page)


def chapters(page: BeautifulSoup) -> dict[str, Tag]:
    """Take the parts of the book out of the page: document by name, in order, the root first.

    In each the headings rise so that its title is of the first level.
    """
    article = page.select_one("article section")
    marks = page.select(f"span[id^={MARK}]")
    if article is None or not marks:
        raise PageError("this is no page of a whole book; build it with the builder singlehtml")
    keep_formulas(page)
    found = {}
    for mark in marks:
        section = mark.find_next_sibling("section")
        assert isinstance(section, Tag)
        found[str(mark["id"]).removeprefix(MARK)] = section
    for section in reversed(list(found.values())):
        raise_headings(section.extract())
    return {"": article.extract(), **found}


def keep_formulas(page: BeautifulSoup) -> None:
    """Mark the scripts that set formulas; the theme's others have nothing to do on paper."""
    for script in page.find_all("script"):
        text = f"{script.get('src', '')}{script.string or ''}"
        if "mathjax" in text.lower():
            script["data-kept"] = ""


def raise_headings(section: Tag) -> None:
    """Make the highest heading of a section one of the first level, the others likewise."""
    headings = section.find_all(HEADINGS)
    if not headings:
        return
    rise = int(headings[0].name[1]) - 1
    for heading in headings:
        heading.name = f"h{max(1, int(heading.name[1]) - rise)}"


def name_places(parts: dict[str, Tag]) -> None:
    """Give each place the name of its chapter before its own, and let the links follow.

    Documents name their places without knowing of each other, so that `#quiz` is six places. A link
    means the one of its own chapter, but for an entry of the bibliography, if there is one.
    """
    home = {name: {str(t["id"]): t for t in places_in(part)} for name, part in parts.items()}
    entries = {
        identity: name
        for name, places in home.items()
        for identity, tag in places.items()
        if tag.get("role") == "doc-biblioentry"
    }
    for name, part in parts.items():
        for link in part.select("a[href*='#']"):
            follow(link, name, home, entries)
    for name, part in parts.items():
        named: set[str] = set()
        for tag in places_in(part):
            own = place(name, str(tag["id"]))
            if own in named:  # only the first place of a name can be reached
                del tag["id"]
            else:
                tag["id"] = own
            named.add(own)
        title = part.find("h1")
        assert isinstance(title, Tag)
        title["id"] = place(name, "")


def places_in(part: Tag) -> list[Tag]:
    """Return everything in a part that has a name, and the part itself."""
    return [part, *part.select("[id]")]


def follow(link: Tag, name: str, home: dict[str, dict[str, Tag]], entries: dict[str, str]) -> None:
    """Point one link of the chapter `name` to the new name of its target."""
    address, _, target = str(link["href"]).partition("#")
    if ":" in address or not target:
        return
    if target.startswith(MARK):
        document = target.removeprefix(MARK)  # the root stands on the page without a mark
        link["href"] = f"#{place(document if document in home else '', '')}"
        return
    owners = [other for other, places in home.items() if target in places]
    if link.get("title") and target in entries and link.find_parent(class_="bibtex-citation"):
        owners.insert(0, entries[target])
    elif name in owners:
        owners.insert(0, name)
    if not owners:
        raise PageError(f"'{name or 'the first page'}' links to '#{target}', which is nowhere")
    link["href"] = f"#{place(owners[0], target)}"


def place(name: str, identity: str) -> str:
    """Return the name of a place in the whole book."""
    chapter = name.rpartition("/")[2] or "front"
    return f"{chapter}--{identity}" if identity else chapter


def unfold(part: Tag, page: BeautifulSoup) -> None:
    """Open what is folded, write quizzes out, and leave code out that only draws."""
    part["class"] = [*part.get("class", []), "nnlm-printed-chapter"]
    for details in part.select(FOLDED_CODE):
        details.decompose()
    for quiz in part.select(".nnlm-quiz"):
        write_out(quiz, page)
    for details in part.find_all("details"):
        details["open"] = ""
    for solution in part.select(".dropdown"):
        solution["class"] = [name for name in solution["class"] if name != "dropdown"]


def write_out(quiz: Tag, page: BeautifulSoup) -> None:
    """Turn the choices of a quiz into lists, with all answers below the last question."""
    answers = page.new_tag("ol", attrs={"class": "nnlm-answers"})
    for question in quiz.find_all("li", recursive=False):
        choices = page.new_tag("ol", attrs={"class": "nnlm-choices", "type": "a"})
        told = page.new_tag("li")
        for letter, details in zip(LETTERS, question.find_all("details"), strict=False):
            choice = page.new_tag("li")
            summary, explanation = details.find("summary"), details.find("p")
            choice.extend(list(summary.contents))
            choices.append(choice)
            told.extend([f"({letter}) ", *list(explanation.contents), " "])
            details.decompose()
        question.append(choices)
        answers.append(told)
    heading = page.new_tag("p", attrs={"class": "nnlm-answers-title"})
    heading.string = "Answers"
    quiz.insert_after(heading, answers)


def front_page(page: BeautifulSoup, title: str, facts: Iterable[str], parts: dict[str, Tag]) -> Tag:
    """Return the title page with the contents, each entry a link."""
    front = page.new_tag("header", attrs={"class": "nnlm-front"})
    heading = page.new_tag("p", attrs={"class": "nnlm-front-title"})
    heading.string = title
    front.append(heading)
    for fact in facts:
        line = page.new_tag("p")
        line.string = fact
        front.append(line)
    contents = page.new_tag("ol", attrs={"class": "nnlm-contents"})
    for name, part in parts.items():
        own = part.find("h1")
        assert isinstance(own, Tag)
        link = page.new_tag("a", href=f"#{place(name, '')}")
        link.string = "Introduction" if not name else heading_text(own)
        entry = page.new_tag("li")
        entry.append(link)
        contents.append(entry)
    front.append(contents)
    return front


def heading_text(heading: Tag) -> str:
    """Return what a heading says, without the sign of its link."""
    return " ".join(text for text in heading.find_all(string=True, recursive=False)).strip()
