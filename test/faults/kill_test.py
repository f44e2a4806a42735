#!/usr/bin/env python3
"""Processes that are killed (SIGKILL) while they write, at random moments.

    kill_test.py VOW [--kills N] [--seed S]

After each kill the database opens and is sound, every write that was
acknowledged is there, and one that was not is there whole or not at all; the audit
is a chain of whole lines. Each database goes through many kills, so that what one leaves is what the next finds.
"""
import argparse
import collections
import json
import os
import random
import sqlite3
import subprocess
import sys
import tempfile
import time

KILLS_OF_ONE_DATABASE = 20
IMPORTED = 500
# A script is killed at the latest when it takes as long as so many acknowledgements do.
ACKS = 200
# Six chains at once. A note goes through versions 1, 2, 3 and is deleted (9) or
# left; what each version is follows from its number, so that half of one is seen.
SCRIPT = """
const shape = (n, v) => ({ title: "v" + v, body: v + "-".repeat((n * 37 + v * 911) % 6000),
                           tags: ["v" + v, "n" + n] });
const chain = async (c) => {
  for (let n = c; ; n += 6) {
    const id = context.prefix + n;
    await notes.create({ id, ...shape(n, 1) });
    console.log("ack", id, 1);
    for (let v = 2; v <= 1 + n % 3; v++) {
      await notes.update(id, shape(n, v));
      console.log("ack", id, v);
    }
    if (n % 4 === 0) {
      await notes.delete(id);
      console.log("ack", id, 9);
    }
    await kv.set(context.prefix + c, n);
    console.log("key", context.prefix + c, n);
  }
};
await Promise.all([0, 1, 2, 3, 4, 5].map(chain));
"""


def body(n, v):
    return str(v) + "-" * ((n * 37 + v * 911) % 6000)


class Database:
    """One file, and what is known of its content."""

    def __init__(self, vow, folder, rng):
        self.vow, self.folder, self.rng = vow, folder, rng
        self.file = os.path.join(folder, "vow.db")
        self.acked = {}  # id: version, that of the last acknowledgement
        self.keys = {}
        self.imports = {}  # prefix: versions that may be there
        self.kills = 0
        self.count = collections.Counter()

    def start(self, command, stdin=None):
        with open(os.path.join(self.folder, "out"), "wb") as out, \
             open(os.path.join(self.folder, "err"), "wb") as err:
            return subprocess.Popen([self.vow, *command], cwd=self.folder, stdout=out, stderr=err,
                                    stdin=stdin or subprocess.DEVNULL)

    def read(self, name):
        with open(os.path.join(self.folder, name), encoding="utf-8", newline="\n") as file:
            return file.read()

    def kill_within(self, process, most_s):
        """Whether it was still there to be killed."""
        try:
            process.wait(self.rng.uniform(0, most_s))
        except subprocess.TimeoutExpired:
            process.kill()
        status = process.wait()
        errors = self.read("err")
        assert "Sanitizer" not in errors, errors
        assert status in (-9, 0), (status, errors[-2000:])
        self.kills += status == -9
        return status == -9

    def start_script(self, prefix):
        with open(os.path.join(self.folder, "script.js"), "w", encoding="utf-8") as file:
            file.write(SCRIPT)
        return self.start(["eval", "--allow", "notes.*,kv.*", "--max-ops", "1000000", "--cpu-ms",
                           "600000", "--wall-ms", "600000", "--log-kib", "32768", "--audit",
                           "audit", "--context", json.dumps({"prefix": prefix}), "script.js"])

    def time_script(self):
        """Seconds until one has so many acknowledgements."""
        process = self.start_script("s0-0-")
        begun = time.monotonic()
        while self.read("err").count("ack ") < ACKS:
            assert process.poll() is None, self.read("err")[-2000:]
            time.sleep(0.001)
        seconds = time.monotonic() - begun
        process.kill()
        process.wait()
        return seconds

    def kill_script(self, most_s):
        prefix = f"s{self.kills}-{self.rng.randrange(1 << 30)}-"
        killed = self.kill_within(self.start_script(prefix), most_s)
        assert killed, self.read("err")[-2000:]
        # A last line without an end acknowledges nothing.
        for line in self.read("err").split("\n")[:-1]:
            kind, name, value = line.split(" ")
            (self.acked if kind == "ack" else self.keys)[name] = int(value)
            self.count[kind] += 1

    def start_import(self, prefix, version):
        with open(os.path.join(self.folder, "import.jsonl"), "w", encoding="utf-8") as file:
            for n in range(IMPORTED):
                note = {"id": f"{prefix}{n}", "title": f"v{version}", "body": body(n, version),
                        "tags": [f"v{version}", f"n{n}"]}
                file.write(json.dumps(note) + "\n")
        return self.start(["notes", "put", "--file", "import.jsonl"])

    def time_import(self):
        """Seconds of one that nothing disturbs."""
        process = self.start_import("i0-", 1)
        begun = time.monotonic()
        assert process.wait() == 0, self.read("err")
        return time.monotonic() - begun

    def kill_import(self, most_s):
        prefix = self.rng.choice(["i0-", "i1-", "i2-"])
        version = self.kills + 1
        before = self.imports.get(prefix, {0})
        killed = self.kill_within(self.start_import(prefix, version), most_s)
        acked = self.read("out").startswith(f'{{"put":{IMPORTED},')
        assert acked or killed
        self.imports[prefix] = {version} if acked else before | {version}
        self.count["import acked" if acked else "import not acked"] += 1

    # ---- what must hold ----

    def check(self):
        if not os.path.exists(self.file):
            assert not self.acked and not self.keys
            assert all(0 in versions for versions in self.imports.values())
            self.count["killed before there was a file"] += 1
            return
        listed = subprocess.run([self.vow, "notes", "list"], cwd=self.folder, capture_output=True,
                                timeout=60, check=False)
        assert listed.returncode == 0, listed.stderr
        found = {}
        for line in listed.stdout.splitlines():
            note = json.loads(line)
            found[note["id"]] = self.version(note)
        self.check_chains(found)
        self.check_imports(found)
        self.check_file(found)
        self.check_audit()

    def check_audit(self):
        """One chain of all runs; each but the first continued what a kill had left, which
        may end in half a line."""
        file = os.path.join(self.folder, "audit")
        if not os.path.exists(file) or os.path.getsize(file) == 0:
            return
        verified = subprocess.run([self.vow, "audit", "verify", "audit"], cwd=self.folder,
                                  capture_output=True, timeout=60, check=False)
        half = verified.stdout.endswith(b": cut end: it has no end\n")
        assert verified.returncode == 0 or half, verified.stdout
        self.count["audits that end in half a line" if half else "audits verified"] += 1

    @staticmethod
    def version(note):
        """Of a note that is whole."""
        n, v = int(note["id"].rsplit("-", 1)[1]), int(note["title"][1:])
        assert note["body"] == body(n, v) and note["tags"] == [f"v{v}", f"n{n}"], note
        return v

    def check_chains(self, found):
        for name, acked in self.acked.items():
            n = int(name.rsplit("-", 1)[1])
            last = 1 + n % 3
            after = acked + 1 if acked < last else 9 if n % 4 == 0 else acked
            assert found.get(name, 9) in (acked, after), (name, acked, found.get(name))
            self.acked[name] = found.get(name, 9)  # nobody writes to it any more
        for name in found:
            if name.startswith("s") and name not in self.acked:
                assert found[name] == 1, (name, found[name])
                self.count["there, but not acknowledged"] += 1
                self.acked[name] = 1

    def check_imports(self, found):
        for prefix, allowed in self.imports.items():
            versions = {found.get(f"{prefix}{n}", 0) for n in range(IMPORTED)}
            assert len(versions) == 1 and versions <= allowed, (prefix, versions, allowed)
            self.imports[prefix] = versions

    def check_file(self, found):
        connection = sqlite3.connect(self.file)
        try:
            assert connection.execute("PRAGMA integrity_check").fetchall() == [("ok",)]
            assert connection.execute("PRAGMA foreign_key_check").fetchall() == []
            connection.execute("INSERT INTO notes_text(notes_text, rank) "
                               "VALUES('integrity-check', 1)")
            assert connection.execute("SELECT count(*) FROM notes").fetchone()[0] == len(found)
        finally:
            connection.rollback()
            connection.close()
        names = list(self.keys)
        script = os.path.join(self.folder, "keys.js")
        with open(script, "w", encoding="utf-8") as file:
            file.write("await Promise.all(context.map((key) => kv.get(key)))")
        got = subprocess.run([self.vow, "eval", "--allow", "kv.get", "--context",
                              json.dumps(names), script], cwd=self.folder, capture_output=True,
                             timeout=60, check=False)
        assert got.returncode == 0, got.stderr
        for name, value in zip(names, json.loads(got.stdout)):
            # kv.set of the next round of six may have been done.
            assert value in (self.keys[name], self.keys[name] + 6), (name, self.keys[name], value)
            self.keys[name] = value


def least_time(vow, work):
    """Seconds of it: the least of three, for the machine may be busy elsewhere meanwhile."""
    times = []
    for _ in range(3):
        with tempfile.TemporaryDirectory() as folder:
            times.append(work(Database(vow, folder, None)))
    return min(times)


def kill_often(database, goal):
    """Spread over the time that the work takes here and now, so that they meet it on a machine
    of any speed."""
    script_s = least_time(database.vow, Database.time_script)
    import_s = 1.5 * least_time(database.vow, Database.time_import)
    while database.kills < goal:
        if database.rng.random() < 0.3:
            database.kill_import(import_s)
        else:
            database.kill_script(script_s)
        database.check()


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("vow")
    parser.add_argument("--kills", type=int, default=200)
    parser.add_argument("--seed", type=int, default=random.SystemRandom().randrange(1 << 32))
    options = parser.parse_args()
    print(f"seed {options.seed}", flush=True)
    rng = random.Random(options.seed)
    vow = os.path.realpath(options.vow)
    kills, count = 0, collections.Counter()
    while kills < options.kills or not count["import not acked"]:
        with tempfile.TemporaryDirectory() as folder:
            database = Database(vow, folder, rng)
            kill_often(database, min(KILLS_OF_ONE_DATABASE, max(1, options.kills - kills)))
            kills += database.kills
            count += database.count
    print(f"{kills} kills; {dict(count)}")
    assert count["ack"] > kills, "nothing was under way"
    return 0


if __name__ == "__main__":
    sys.exit(main())
