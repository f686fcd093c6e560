"""Judges samples of tests/it/contract.rs by platen.cddl and platen-json.cddl with an independent validator, zcbor.

Reads lines `RULE TWIN HEX` from the standard input, TWIN `cbor` or `json`; writes a line for each: `good`, or `bad` and
why.
"""

import contextlib
import io
import json
import pathlib
import sys

import cbor2
from zcbor import DataTranslator

HERE = pathlib.Path(__file__).resolve().parent.parent
MOST = 1_000_000
# The validator makes a Python field of each member, which cannot have the name of a keyword.
KEYWORDS = {"class": "class_"}


def rules(name):
    text = (HERE / name).read_text()
    for keyword, word in KEYWORDS.items():
        text = text.replace(f'"{keyword}":', f'"{word}":')
    return DataTranslator.from_cddl(text, MOST).my_types


def renamed(pairs):
    return {KEYWORDS.get(name, name): value for name, value in pairs}


def main():
    twins = {"cbor": rules("platen.cddl"), "json": rules("platen-json.cddl")}
    for line in sys.stdin:
        rule, twin, text = line.split()
        document = bytes.fromhex(text)
        try:
            if twin == "json":
                document = cbor2.dumps(json.loads(document, object_pairs_hook=renamed))
            with contextlib.redirect_stdout(io.StringIO()):  # it thinks aloud
                twins[twin][rule].validate_str(document)
            print("good")
        except Exception as wrong:  # whatever the validator throws is its verdict
            print("bad", type(wrong).__name__, " ".join(str(wrong).split())[:600])


main()
