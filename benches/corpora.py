"""The trees that benches/peers works on: the same seed gives the same bytes.

What OpenClaw leaves behind, in four shapes: chats as JSON Lines, small settings, media, logs and real SQLite databases, small
and large; a hundred thousand tiny files; and a gigabyte that does not compress.
"""

import hashlib
import os
import random
import shutil
import sqlite3
from pathlib import Path

EPOCH = 1_790_000_000  # modification times are fixed too
SYLLABLES = "an ber co da el fi gra ho ing jo ka lu men no or pla qui re sti ta un ver wi xe yo zu".split()
PICK = "logs/pick-me.json"  # the one file that is asked for; the order of names puts it in the middle


class Writer:
    """Makes up text in which common words are common, and files of it."""

    def __init__(self, root, seed):
        self.root, self.random = Path(root), random.Random(seed)
        words = {"".join(self.random.choices(SYLLABLES, k=self.random.choice((1, 2, 2, 3, 4)))) for _ in range(12_000)}
        self.words = sorted(words, key=lambda word: (len(word), word))
        self.weights, total = [], 0.0
        for rank in range(len(self.words)):
            total += 1 / (rank + 3)
            self.weights.append(total)
        # Outputs of tools and pieces of code, which come again in a chat.
        self.blocks = ["\\n".join(self.text(9) for _ in range(self.random.randint(3, 30))) for _ in range(300)]

    def text(self, words):
        return " ".join(self.random.choices(self.words, cum_weights=self.weights, k=words))

    def id(self, digits=16):
        return f"{self.random.getrandbits(4 * digits):0{digits}x}"

    def sizes(self, count, total):
        """Sizes of files: many small ones, few large ones."""
        shares = [self.random.lognormvariate(0, 1.2) for _ in range(count)]
        return [int(total * share / sum(shares)) for share in shares]

    def open(self, name):
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        return open(path, "wb")

    def put(self, name, text):
        with self.open(name) as file:
            file.write(text.encode())

    def lines(self, name, size, line):
        with self.open(name) as file:
            number = 0
            while file.tell() < size:
                file.write(line(number).encode())
                number += 1

    def message(self, number):
        """A line of a chat: a question, an answer, or what a tool said."""
        time = EPOCH * 1000 + number * 7919 + self.random.randrange(5000)
        head = f'{{"type":"message","id":"{self.id(8)}","timestamp":{time},"message":'
        kind = self.random.random()
        if kind < 0.3:
            return head + f'{{"role":"user","content":[{{"type":"text","text":"{self.text(self.random.randint(4, 60))}"}}]}}}}\n'
        if kind < 0.7:
            usage = f'{{"input":{self.random.randrange(200_000)},"output":{self.random.randrange(4000)}}}'
            return head + (f'{{"role":"assistant","content":[{{"type":"text","text":"{self.text(self.random.randint(20, 200))}"}}],'
                           f'"model":"large-4","stopReason":"stop","usage":{usage}}}}}\n')
        output = self.random.choice(self.blocks) if self.random.random() < 0.5 else self.text(60)
        return head + (f'{{"role":"toolResult","toolCallId":"call_{self.id(24)}",'
                       f'"content":[{{"type":"text","text":"{output}"}}]}}}}\n')

    def event(self, number):
        """A line of a log."""
        return (f'{{"time":{EPOCH * 1000 + number * 37},"level":"{self.random.choice(("info", "info", "debug", "warn"))}",'
                f'"request":"{self.id(12)}","ms":{self.random.randrange(5000)},"message":"{self.text(self.random.randint(4, 16))}"}}\n')

    def noise(self, name, size, head=b""):
        with self.open(name) as file:
            file.write(head)
            for start in range(0, size, 1 << 20):
                file.write(self.random.randbytes(min(1 << 20, size - start)))

    def settings(self, name):
        lines = ",\n".join(f'  "{self.text(1)}-{key}": "{self.id(self.random.choice((4, 32)))}"'
                           for key in range(int(self.random.lognormvariate(2.2, 1)) + 1))
        self.put(name, f"{{\n{lines}\n}}\n")

    def database(self, name, size):
        """Memories with what finds them: vectors of floats, whose exponents are alike and whose other bits are not."""
        path = self.root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        connection = sqlite3.connect(path)
        connection.executescript(
            "pragma journal_mode = off; pragma synchronous = off;"
            "create table memory(id integer primary key, source text, text text, vector blob);"
            "create index by_source on memory(source);")
        while path.stat().st_size < size:
            for _ in range(200):
                vector = bytearray(self.random.randbytes(1536))
                vector[3::4] = bytes(self.random.choices(b"\x3c\x3d\xbc\xbd", k=384))
                row = (f"sessions/{self.id(4)}.jsonl", self.text(self.random.randint(30, 150)), bytes(vector))
                connection.execute("insert into memory(source, text, vector) values (?, ?, ?)", row)
            connection.commit()
        connection.close()


def state(root, scale):
    """A state directory: 150 MB in 2,000 files, or 2 GB in 10,000, of which a log is 600 MB."""
    large = scale == "large"
    factor = {"tiny": 0.01, "small": 1, "large": 5}[scale]
    heavy = {"tiny": 0.01, "small": 1, "large": 9.3}[scale]
    writer = Writer(root, f"state-{scale}")
    for number, size in enumerate(writer.sizes(int(1180 * factor), int(75e6 * heavy))):
        writer.lines(f"agents/{number % 4}/sessions/{number:05}.jsonl", size, writer.message)
    for number in range(int(600 * factor)):
        writer.settings(f"{('config', 'credentials', 'devices')[number % 3]}/{number:05}.json")
    for number, size in enumerate(writer.sizes(int(200 * factor), int(44e6 * heavy))):
        writer.noise(f"media/{('inbound', 'outbound')[number % 2]}/{number:05}.jpg", size, b"\xff\xd8\xff\xe0\x00\x10JFIF\x00")
    for name, size in ("memory/main.sqlite", 15e6), ("memory/work.sqlite", 5e6), ("state/tasks.sqlite", 3e6):
        writer.database(name, int(size * heavy))
    for number in range(4):
        writer.lines(f"logs/gateway-{number}.log", int(600e6 if large and not number else 2e6 * heavy), writer.event)
    writer.put("openclaw.json", "{}\n")
    writer.put("notes/日本語 メモ.md", writer.text(300))
    writer.put("notes/empty.txt", "")
    os.symlink("../notes", writer.root / "memory/notes")
    os.symlink("empty.txt", writer.root / "notes/link")
    return writer


def tiny_files(root, count):
    writer = Writer(root, "many-small")
    for number in range(count):
        writer.put(f"{('a', 'z')[number % 2]}/{number % 250:03}/{number:06}.json",
                   f'{{"id":"{writer.id()}","key":"{writer.id(8)}","text":"{writer.text(writer.random.randrange(730))}"}}\n')
    return writer


def incompressible(root, size):
    writer = Writer(root, "incompressible")
    for number in range(8):
        writer.noise(f"{('a', 'z')[number % 2]}/{number}.bin", size // 8)
    return writer


MAKERS = {
    "state-small": lambda root: state(root, "small"),
    "state-large": lambda root: state(root, "large"),
    "many-small": lambda root: tiny_files(root, 100_000),
    "incompressible": lambda root: incompressible(root, 1 << 30),
    "tiny": lambda root: state(root, "tiny"),
}


def corpus(name, directory, maker=None):
    """The tree of this name in the directory, made when it is not there yet."""
    recipe = hashlib.sha256(Path(__file__).read_bytes()).hexdigest()[:8]
    tree, unfinished = Path(directory) / f"{name}-{recipe}", Path(directory) / f"{name}.unfinished"
    if not tree.exists():
        shutil.rmtree(unfinished, ignore_errors=True)
        unfinished.mkdir(parents=True)
        writer = (maker or MAKERS[name])(unfinished)
        writer.put(PICK, f'{{"picked": "{writer.id(64)}", "text": "{writer.text(300)}"}}\n')
        for place, directories, files in os.walk(unfinished, topdown=False):
            for entry in sorted(directories + files) + ["."]:
                os.utime(os.path.join(place, entry), (EPOCH, EPOCH), follow_symlinks=False)
        unfinished.rename(tree)
    return tree


def measure(tree):
    """Number of entries, and bytes of content."""
    entries = size = 0
    for place, directories, files in os.walk(tree):
        entries += len(directories) + len(files)
        size += sum(os.lstat(os.path.join(place, file)).st_size for file in files)
    return entries, size
