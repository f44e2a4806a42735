#!/usr/bin/env python3
"""Compare Vow's CBOR codec with an independent one, cbor2.

usage: cbor_peer.py CBOR_TOOL [--seed N] [--count N]

CBOR_TOOL is the program of test/unit/cbor_tool.c. Seeded random values are
encoded by cbor2, and by a writer here that uses every longer form that CBOR
allows; Vow makes the deterministic form of each, which must be the expected
bytes and be read by cbor2 as the same value. Then Vow's JSON of each value is
read by Python's json. Exit status 0: all agree.
"""
import argparse
import base64
import json
import math
import random
import struct
import subprocess
import sys

import cbor2

UNICODE = "az09 \"\\\n\x00\x7f\xe9\u6c34\u2028\U0001f600"


class Map(list):
    """A map as a list of pairs, so that keys may be of any kind."""


# ---- values ----

def random_int(rng):
    size = rng.choice((4, 5, 8, 9, 16, 17, 32, 33, 53, 63, 64))
    value = rng.getrandbits(size)
    return value if rng.random() < 0.6 else -1 - value


def random_float(rng):
    kind = rng.randrange(5)
    if kind == 0:
        return struct.unpack(">e", rng.randbytes(2))[0]
    if kind == 1:
        return struct.unpack(">f", rng.randbytes(4))[0]
    if kind == 2:
        return struct.unpack(">d", rng.randbytes(8))[0]
    if kind == 3:
        return rng.randrange(-10**6, 10**6) / 10 ** rng.randrange(6)
    return rng.choice((0.0, -0.0, 1.0, 2.0**24, 2.0**-24, 65504.0, 65536.0, 1e21, 1e-7, 5e-324,
                       math.inf, -math.inf, math.nan))


def random_text(rng):
    return "".join(rng.choice(UNICODE) for _ in range(rng.choice((0, 1, 3, 8, 23, 24, 60))))


def random_bignum(rng):
    value = rng.getrandbits(rng.randrange(66, 700)) | 1 << 65
    return value if rng.random() < 0.5 else -1 - value


def random_leaf(rng):
    kind = rng.randrange(8)
    if kind < 2:
        return random_int(rng)
    if kind == 2:
        return random_float(rng)
    if kind == 3:
        return rng.randbytes(rng.choice((0, 1, 23, 24, 300)))
    if kind == 4:
        return rng.choice((True, False, None, cbor2.undefined))
    if kind == 5:
        return random_bignum(rng)
    return random_text(rng)


def random_count(rng):
    return rng.choice((0, 1, 2, 2, 3, 4, 7, 25))


def random_value(rng, depth, any_key=True):
    kind = rng.randrange(6) if depth > 0 else 0
    if kind < 3:
        return random_leaf(rng)
    if kind == 3:
        return [random_value(rng, depth - 1, any_key) for _ in range(random_count(rng))]
    if kind == 4 and any_key:
        return cbor2.CBORTag(rng.choice((1000, 70000, 2**40)), random_value(rng, depth - 1))
    pairs = {}
    for _ in range(random_count(rng)):
        key = random_value(rng, depth - 1) if any_key and rng.random() < 0.5 else random_text(rng)
        pairs[expected(key)] = (key, random_value(rng, depth - 1, any_key))
    return Map(pairs.values())


# ---- encodings ----

def head(major, argument):
    """The shortest head: cbor2's for the integer, with another major type."""
    encoded = bytearray(cbor2.dumps(argument))
    encoded[0] |= major << 5
    return bytes(encoded)


def expected(value):
    """The deterministic form: leaves are cbor2's, containers sorted here."""
    if isinstance(value, Map):
        pairs = sorted((expected(key), expected(item)) for key, item in value)
        return head(5, len(pairs)) + b"".join(key + item for key, item in pairs)
    if isinstance(value, list):
        return head(4, len(value)) + b"".join(map(expected, value))
    if isinstance(value, cbor2.CBORTag):
        return head(6, value.tag) + expected(value.value)
    return cbor2.dumps(value, canonical=True)


def long_head(rng, major, argument):
    shortest = head(major, argument)
    info = shortest[0] & 31
    form = rng.randrange(4)
    if form <= info - 24 or rng.random() < 0.4:
        return shortest
    return bytes([major << 5 | 24 + form]) + argument.to_bytes(1 << form, "big")


def chunks(rng, major, pieces):
    parts = b"".join(long_head(rng, major, len(piece)) + piece for piece in pieces)
    return bytes([major << 5 | 31]) + parts + b"\xff"


def untidy_string(rng, value):
    major = 3 if isinstance(value, str) else 2
    cuts = sorted(rng.randrange(len(value) + 1) for _ in range(rng.randrange(3)))
    pieces = [value[a:b] for a, b in zip([0] + cuts, cuts + [len(value)])]
    pieces = [piece.encode() if major == 3 else piece for piece in pieces]
    if rng.random() < 0.3:
        return chunks(rng, major, pieces)
    whole = b"".join(pieces)
    return long_head(rng, major, len(whole)) + whole


def untidy_float(rng, value):
    for code, first in ((">e", b"\xf9"), (">f", b"\xfa")):
        try:
            encoded = struct.pack(code, value)
        except OverflowError:
            continue
        back = struct.unpack(code, encoded)[0]
        if (back == value or value != value) and rng.random() < 0.4:
            return first + encoded
    return b"\xfb" + struct.pack(">d", value)


def container(rng, major, count, content):
    if rng.random() < 0.3:
        return bytes([major << 5 | 31]) + content + b"\xff"
    return long_head(rng, major, count) + content


def untidy(rng, value):
    """Some encoding of `value`, in any order, with heads of any length."""
    if isinstance(value, Map):
        pairs = [untidy(rng, key) + untidy(rng, item) for key, item in value]
        rng.shuffle(pairs)
        return container(rng, 5, len(pairs), b"".join(pairs))
    if isinstance(value, list):
        return container(rng, 4, len(value), b"".join(untidy(rng, item) for item in value))
    if isinstance(value, cbor2.CBORTag):
        return long_head(rng, 6, value.tag) + untidy(rng, value.value)
    if isinstance(value, float):
        return untidy_float(rng, value)
    if isinstance(value, (str, bytes)):
        return untidy_string(rng, value)
    if isinstance(value, int) and not isinstance(value, bool):
        if 0 <= value < 2**64:
            return long_head(rng, 0, value)
        if -2**64 <= value < 0:
            return long_head(rng, 1, -1 - value)
    return cbor2.dumps(value)


# ---- comparison ----

def fail(*lines):
    """Ends the program; long values are shown to where they begin."""
    short = (line if len(line) <= 400 else line[:400] + "..." for line in lines)
    sys.exit("cbor_peer: " + "\n  ".join(short))


def run_tool(tool, mode, inputs):
    lines = "".join(data.hex() + "\n" for data in inputs)
    done = subprocess.run([tool, mode], input=lines.encode(), capture_output=True, timeout=300)
    if done.returncode != 0:
        fail(f"{tool} {mode}: status {done.returncode}: {done.stderr.decode()}")
    answers = done.stdout.decode().split("\n")[:-1]
    if len(answers) != len(inputs):
        fail(f"{tool} {mode}: {len(answers)} answers to {len(inputs)} lines")
    return answers


def agree(what, data, got, want):
    if got != want:
        fail(f"{what} of {data.hex()}", f"is       {got}", f"expected {want}")


def check_forms(tool, rng, values):
    inputs, wanted = [], []
    for value in values:
        wanted += [expected(value)] * 2
        inputs += [untidy(rng, value), expected(value)]
    for data, want, got in zip(inputs, wanted, run_tool(tool, "canonical", inputs)):
        agree("deterministic form", data, got, want.hex())
    return inputs


def check_read_by_peer(tool, rng, values):
    """cbor2 reads the same value from Vow's bytes as from the original ones;
    compared by what cbor2 writes for it, where NaN is equal to NaN. The keys
    are text: to Python 1, 1.0 and true would be one key."""
    inputs = [untidy(rng, value) for value in values]
    for data, answer in zip(inputs, run_tool(tool, "canonical", inputs)):
        ours = cbor2.loads(bytes.fromhex(answer))
        original = cbor2.loads(data)
        agree("value", data, cbor2.dumps(ours, canonical=True).hex(),
              cbor2.dumps(original, canonical=True).hex())


def check_refusals(tool, rng, inputs):
    """Both refuse what is cut short; Vow also what has something behind it."""
    short = [data[:rng.randrange(len(data))] for data in inputs]
    for data, answer in zip(short, run_tool(tool, "canonical", short)):
        agree("refusal", data, answer, "!ends inside an item")
        try:
            cbor2.loads(data)
        except cbor2.CBORDecodeError:
            continue
        fail(f"cbor2 reads {data.hex()}, which is cut short")
    long = [data + b"\x00" for data in inputs]
    for data, answer in zip(long, run_tool(tool, "canonical", long)):
        agree("refusal", data, answer, "!not well-formed")


def json_value(value):
    """What the JSON text of `value` holds, by the rules of src/core/json.h.
    Floats are kept apart from integers by their digits, see json_text."""
    if isinstance(value, Map):
        return {key: json_value(item) for key, item in value if item is not cbor2.undefined}
    if isinstance(value, list):
        return [json_value(item) for item in value]
    if isinstance(value, bytes):
        return base64.b64encode(value).decode()
    if value is cbor2.undefined:
        return None
    if isinstance(value, float):
        if not math.isfinite(value):
            return None
        return digits(repr(value + 0.0))
    if isinstance(value, int) and not isinstance(value, bool):
        return ("integer", value)
    return value


def digits(number):
    """A decimal as its significant digits and its exponent. Python's repr and
    ECMAScript lay numbers out differently, but choose the same digits."""
    mantissa, _, exponent = number.lstrip("-").partition("e")
    whole, _, part = mantissa.partition(".")
    significant = (whole + part).lstrip("0").rstrip("0")
    if not significant:
        return ("digits", "", "0", 0)
    leading = len(whole + part) - len((whole + part).lstrip("0"))
    point = len(whole) - leading + int(exponent or 0)
    return ("digits", "-" if number[0] == "-" else "", significant, point)


def same_json(got, want):
    if isinstance(want, dict):
        return (isinstance(got, dict) and list(got) == list(want)
                and all(same_json(got[key], want[key]) for key in want))
    if isinstance(want, list):
        return (isinstance(got, list) and len(got) == len(want)
                and all(map(same_json, got, want)))
    if isinstance(want, tuple) and isinstance(got, Number):
        return int(got) == want[1] if want[0] == "integer" else digits(got) == want
    return type(got) is type(want) and got == want


class Number(str):
    """A number of a JSON text, as it stands there."""


def check_json(tool, rng, values):
    inputs = [untidy_in_order(rng, value) for value in values]
    for data, value, text in zip(inputs, values, run_tool(tool, "json", inputs)):
        got = json.loads(text, parse_int=Number, parse_float=Number, strict=True)
        if not same_json(got, json_value(value)):
            fail(f"JSON of {data.hex()}", f"is       {text}", f"expected {json_value(value)}")


def untidy_in_order(rng, value):
    class Steady(random.Random):
        def shuffle(self, items):
            """Keys in JSON keep their order, so maps are not shuffled."""
    return untidy(Steady(rng.random()), value)


def main():
    parser = argparse.ArgumentParser(description="compare Vow's CBOR codec with cbor2")
    parser.add_argument("tool", metavar="CBOR_TOOL")
    parser.add_argument("--seed", type=int, default=8949)
    parser.add_argument("--count", type=int, default=3000)
    options = parser.parse_args()
    print(f"cbor_peer: cbor2, seed {options.seed}, {options.count} values")
    rng = random.Random(options.seed)
    values = [random_value(rng, rng.randrange(5)) for _ in range(options.count)]
    inputs = check_forms(options.tool, rng, values)
    check_refusals(options.tool, rng, inputs)
    values = [random_value(rng, rng.randrange(5), any_key=False) for _ in range(options.count)]
    check_read_by_peer(options.tool, rng, values)
    check_json(options.tool, rng, values)
    print(f"cbor_peer: {len(inputs)} encodings and {len(values)} JSON texts agree")


if __name__ == "__main__":
    main()
