"""Changes to bytes, to trees of plain data, and to command lines; a seeded ``random.Random`` repeats them."""

from __future__ import annotations

import copy
import random
from collections.abc import Sequence
from typing import Any

ODD_TEXT = (
    "", " ", "\0", "\x1b[31m", "\u202e", "\ud800", "é" * 40, "x" * 5000, "-", "--", "=", "%s{}[0]", "../../etc/passwd",
    "/dev/null", "~", "*", "null", "yes", "0x10", "1e400", "-1", "nan", ".inf", "2026-02-30", "12:30:45", "1_000",
    "file:///", "https://", "zip::x", "C:\\", "$HOME", "`id`", "{{7*7}}", "<<", "!!python/name:os.system", "&a *a",
)  # fmt: skip
ODD_VALUES: tuple[Any, ...] = (
    None, True, False, 0, -1, 1.5, -0.0, 2**31, 2**63, 2**64, -(2**70), 1e308, 1e-320, float("inf"), float("nan"),
    [], {}, [[]], [None], {"": ""}, [{}], {"a": {"b": {"c": []}}}, *ODD_TEXT,
)  # fmt: skip
ODD_BYTES = (
    b"\0", b"\xff", b"\xef\xbb\xbf", b"\xc3", b"\xed\xa0\x80", b"\r", b"\t", b"---\n", b"...\n", b"%YAML 9.9\n", b": ",
    b"- ", b"? ", b"&a ", b"*a", b"<<: *a\n", b"!!binary ", b"!!set {a}", b"!!int x",
    b"!!python/object/apply:os.getcwd []",
    b"|\n", b">\n", b"[" * 60, b"{a: " * 60, b'"', b"'", b"\\", b"#", b"=", b"[[", b"]]", b"\n[bench]\n", b"1e999",
    b"0o9", b"\xe2\x80\xa8", b"\x85",
)  # fmt: skip


def mutate_bytes(chance: random.Random, data: bytes, others: Sequence[bytes]) -> bytes:
    """Up to four edits: cut, repeat, swap, insert, flip, or splice with another file."""
    for _ in range(chance.randint(1, 4)):
        start = chance.randrange(len(data) + 1)
        end = min(len(data), start + chance.choice((1, 1, 2, 5, 20, 200)))
        piece = data[start:end]
        other = chance.choice(others)
        cut = chance.randrange(len(other) + 1)
        data = chance.choice(
            (
                data[:start] + data[end:],
                data[:end] + piece * chance.choice((1, 2, 50)) + data[end:],
                data[:start] + chance.choice(ODD_BYTES) + data[start:],
                data[:start] + chance.choice(ODD_BYTES) + data[end:],
                data[:start] + bytes(byte ^ (1 << chance.randrange(8)) for byte in piece) + data[end:],
                data[:start] + other[cut : cut + 100] + data[start:],
                data[:start],
            )
        )
    return data


def mutate_tree(chance: random.Random, tree: Any, odd: Sequence[Any]) -> Any:
    """Up to three edits at random places: replace, remove, rename, add, repeat, or move a value."""
    tree = copy.deepcopy(tree)
    for _ in range(chance.randint(1, 3)):
        places = list(_places(tree))
        if not places:
            return chance.choice(odd)
        holder, key = chance.choice(places)
        _edit(chance, holder, key, copy.deepcopy(chance.choice(odd)), [copy.deepcopy(h[k]) for h, k in places])
    return tree


def _edit(chance: random.Random, holder: Any, key: Any, odd: Any, values: Sequence[Any]) -> None:
    kind = chance.randrange(6)
    if kind == 0:
        holder[key] = odd
    elif kind == 1:
        holder[key] = chance.choice(values)
    elif kind == 2:
        del holder[key]
    elif kind == 3:
        holder[key] = [holder[key]] * chance.choice((0, 1, 3))
    elif isinstance(holder, list):
        holder.insert(chance.randrange(len(holder) + 1), odd)
    elif kind == 4:
        holder[_misspelt(chance, key)] = holder.pop(key)
    else:
        holder[odd if isinstance(odd, str) else str(odd)] = chance.choice(values)


def _places(node: Any) -> list[tuple[Any, Any]]:
    keys: list[Any] = list(node) if isinstance(node, dict) else list(range(len(node))) if isinstance(node, list) else []
    return [place for key in keys for place in ((node, key), *_places(node[key]))]


def _misspelt(chance: random.Random, key: str) -> str:
    if not key:
        return "x"
    place = chance.randrange(len(key))
    return chance.choice((key[:place] + key[place + 1 :], key.upper(), f"{key}s", key[:place] + "_" + key[place:]))


def mutate_words(chance: random.Random, words: Sequence[str], vocabulary: Sequence[str]) -> list[str]:
    """Up to four edits of a command line: replace, remove, add, repeat, join or misspell words."""
    line = list(words)
    for _ in range(chance.randint(1, 4)):
        place = chance.randrange(len(line) + 1)
        word = chance.choice((*vocabulary, *ODD_TEXT[1:]))
        if not line or place == len(line):
            line.append(word)
            continue
        kind = chance.randrange(5)
        if kind == 0:
            line[place] = word
        elif kind == 1:
            del line[place]
        elif kind == 2:
            line.insert(place, word)
        elif kind == 3:
            line[place] = _misspelt(chance, line[place])
        else:
            line[place] = f"{line[place]}={word}"
    # No argument can hold the one; the other is what a byte that is no UTF-8 becomes in an argument.
    return [word.replace("\0", "").replace("\ud800", "\udcff") for word in line]
