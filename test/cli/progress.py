#!/usr/bin/env python3
"""What a terminal, and nothing else, gets to see: the line that says what `vow eval`
waits for, and how far `vow notes put` is.
Usage: progress.py PATH_TO_VOW"""
import fcntl
import os
import pty
import re
import struct
import subprocess
import sys
import tempfile
import termios
import time

ERASE = "\r\x1b[K"


def need(condition, message):
    if not condition:
        sys.exit(f"FAILED: {message}")


def on_terminal(command, columns, term="xterm"):
    """What a terminal of that width gets to see, and the exit status."""
    ours, theirs = pty.openpty()
    fcntl.ioctl(theirs, termios.TIOCSWINSZ, struct.pack("HHHH", 24, columns, 0, 0))
    child = subprocess.Popen(command, stdin=subprocess.DEVNULL, stdout=theirs, stderr=theirs,
                             env={**os.environ, "TERM": term})
    os.close(theirs)
    seen = b""
    try:
        while chunk := os.read(ours, 65536):
            seen += chunk
    except OSError:
        pass  # the other end was closed
    os.close(ours)
    return seen.decode("utf-8", "replace"), child.wait()


def screen(text):
    """What is left on the screen: lines, after erasing."""
    lines = [""]
    for part in re.split(r"(\r\n|\r\x1b\[K|\r)", text):
        if part == "\r\n":
            lines.append("")
        elif part == ERASE or part == "\r":
            lines[-1] = ""
        else:
            lines[-1] += part
    return lines


def shown(text):
    return [line for line in re.split(r"\r\x1b\[K|\r\n", text) if line.startswith("waiting")]


def waiting(vow, engine, ms):
    """The command for a script that waits for three timers."""
    with open("waits.js", "w", encoding="utf-8") as script:
        script.write('console.log("begin");'
                     f' await Promise.all([sleep({ms - 100}), sleep({ms - 50}), sleep({ms})]);'
                     ' console.log("end"); 42')
    return [vow, "eval", "--engine", engine, "waits.js"]


def check(vow, engine):
    begun = time.monotonic()
    text, status = on_terminal(waiting(vow, engine, 4000), 80)
    most = 4 * (time.monotonic() - begun)  # a quarter of a second lies between two
    lines = shown(text)
    need(status == 0 and 2 <= len(lines) <= most, f"80 columns: {text!r}")
    need(all(re.fullmatch(r"waiting \d\.\d s for timer, timer, timer", line) for line in lines[:2]),
         f"80 columns: {lines}")
    need(screen(text) == ["begin", "end", "42", ""], f"what stays: {screen(text)}")

    command = waiting(vow, engine, 2000)
    for columns in (36, 30, 21, 10, 1):
        text, status = on_terminal(command, columns)
        need(status == 0 and screen(text) == ["begin", "end", "42", ""], f"{columns}: {text!r}")
        need(all(len(line) < columns for line in shown(text)), f"{columns} columns: {shown(text)}")
    text, _ = on_terminal(command, 36)
    need(any(line.endswith("for timer (+2 more)") or line.endswith("timer, timer (+1 more)")
             for line in shown(text)), f"36 columns: {shown(text)}")

    text, _ = on_terminal(command, 80, term="dumb")
    need("waiting" not in text and "\x1b" not in text, f"dumb: {text!r}")
    piped = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    need(piped.stderr == b"begin\nend\n" and piped.stdout == b"42\n", f"piped: {piped}")

    with open("long.js", "w", encoding="utf-8") as script:
        script.write('console.log("begin"); await sleep(60000)')
    text, status = on_terminal([vow, "eval", "--engine", engine, "--wall-ms", "4000", "long.js"], 80)
    need(status == 3 and shown(text), f"a limit: {text!r}")
    need(screen(text)[1].startswith("vow eval: limit (timeout): the run took longer than 4000 ms"),
         f"a limit: {screen(text)}")


def check_import(vow):
    with open("notes.jsonl", "w", encoding="utf-8") as lines:
        lines.writelines(f'{{"id":"{i}","title":"x"}}\n' for i in range(25000))
    command = [vow, "notes", "put", "--file", "notes.jsonl"]
    text, status = on_terminal(command, 80)
    counted = re.findall(r"\rvow notes put: (\d+) notes", text)
    need(status == 0 and counted == ["10000", "20000", "25000"], f"an import: {text!r}")
    need(screen(text) == ["vow notes put: 25000 notes", '{"put":25000,"created":25000,"replaced":0}',
                          ""], f"what stays of an import: {screen(text)}")
    piped = subprocess.run(command, stdin=subprocess.DEVNULL, capture_output=True, check=True)
    need(piped.stderr == b"", f"an import, piped: {piped}")


def main():
    vow = os.path.abspath(sys.argv[1])
    with tempfile.TemporaryDirectory() as box:
        os.chdir(box)
        for engine in ("wasm", "native"):
            check(vow, engine)
        check_import(vow)
        os.chdir("/")
    print("progress: ok")


main()
