# SPDX-License-Identifier: Apache-2.0
"""Writes docs/reference/ from the public headers and the safety table.

Usage: reference.py [BUILD TREE]   fails if a page is not what the headers say
       reference.py --write        writes the pages
"""

import pathlib
import re
import sys

ROOT = pathlib.Path(__file__).resolve().parents[2]
SAFETY = ROOT / "tests/tools/safety.txt"
MAP = ROOT / "core/libcctx.map"
PAGES = ROOT / "docs/reference"
TAGS = ("thread", "signal", "fork", "callback", "interpreter")
NOUNS = """
    base memory log clock context value metadata current request response session backup loop
    carrier carrier_policy carrier_codec interpreter
""".split()
NOT_SHOWN = re.compile(r"^\s*(#(if|ifdef|ifndef|else|endif|include)\b|extern \"C\"|\}$)")


def safety():
    """{function: {tag: word}}; a line that does not parse is an error."""
    found = {}
    for line in SAFETY.read_text().splitlines():
        if not line.strip() or line.startswith("#"):
            continue
        name, *words = line.split()
        if len(words) != len(TAGS):
            sys.exit(f"{SAFETY.name}: a name and {len(TAGS)} words are due: {line}")
        found[name] = dict(zip(TAGS, words))
    return found


def prose(comment, is_doc):
    """The text of a C comment, without its stars. A doc comment is indented by one more."""
    star = re.compile(r"^\s*\* {0,2}" if is_doc else r"^\s*\* ?")
    text = "\n".join(star.sub("", line) for line in comment.strip().splitlines())
    return re.sub(r"^---- (.+?) -+$", r"## \1", text, flags=re.M)


def items(header):
    """Pairs of a comment and the code it stands above, in their order."""
    text = header.read_text()
    pattern = re.compile(r"/\*(\*?)(.*?)\*/[ \t]*\n((?:(?!/\*\*?\s|\s*\n)[^\n]*\n)*)", re.S)
    body = text[text.index("#define CCTX_") :] if "#define CCTX_" in text else text
    for star, comment, code in pattern.findall(body):
        lines = [line for line in code.rstrip().splitlines() if not NOT_SHOWN.match(line)]
        yield prose(comment, star == "*"), "\n".join(lines)


def sentence(tags):
    said = {
        "thread": {"any": "any thread", "loop": "the thread that runs the loop"},
        "signal": {"yes": "also in a signal handler", "no": "not in a signal handler"},
        "fork": {
            "yes": "works in the child of a fork",
            "own": "in the child of a fork for what that made itself",
        },
        "callback": {"yes": "also inside a callback", "no": "not inside a callback"},
        "interpreter": {
            "none": "no interpreter concerned",
            "asks": "asks the interpreter, never takes its lock",
            "writes": "writes the interpreter's variable where a thread is attached to it",
            "hook": "for bindings",
        },
    }
    return "; ".join(said[tag][tags[tag]] for tag in TAGS)


def page(noun, table):
    header = ROOT / f"core/include/cctx/{noun}.h"
    purpose = re.search(r"\n/\* (.*?) \*/\n", header.read_text(), re.S)[1]
    out = [f"# cctx/{noun}.h", "", purpose, ""]
    for text, code in items(header):
        if text and not code and not text.startswith("##"):
            text = text if "SPDX" not in text and text != purpose else ""
        names = re.findall(r"\b(cctx_\w+)\(", code) if "CCTX_API" in code else []
        if names:
            out += [f"### {', '.join(dict.fromkeys(names))}", ""]
        if code:
            shown = code.replace("CCTX_MUST_USE ", "").replace("CCTX_API ", "")
            out += ["```c", shown, "```", ""]
        if text:
            out += [text, ""]
        for name in dict.fromkeys(names):
            if name in table:
                out += [f"*{name}: {sentence(table[name])}.*", ""]
    return "\n".join(out).rstrip() + "\n"


def main():
    table, wrong = safety(), []
    headers = [(ROOT / f"core/include/cctx/{noun}.h").read_text() for noun in NOUNS]
    public = set(re.findall(r"CCTX_API\s[^;(]*?\b(cctx_\w+)\(", "\n".join(headers)))
    mapped = set(re.findall(r"^\s*(cctx_\w+);", MAP.read_text(), re.M))
    for place, names in ((SAFETY, set(table)), (MAP, mapped)):
        wrong += [f"{name}: not in {place.name}" for name in sorted(public - names)]
        wrong += [f"{name}: in {place.name}, not public" for name in sorted(names - public)]
    for noun in NOUNS if not wrong else ():
        path, text = PAGES / f"{noun}.md", page(noun, table)
        if "--write" in sys.argv:
            path.parent.mkdir(exist_ok=True)
            path.write_text(text)
        elif not path.exists() or path.read_text() != text:
            where = path.relative_to(ROOT)
            wrong.append(f"{where}: not what the header says; run this with --write")
    print("\n".join(wrong) or f"{len(NOUNS)} reference pages, {len(public)} functions")
    return 1 if wrong else 0


if __name__ == "__main__":
    sys.exit(main())
