"""Runs commands and says what they took."""

import json
import os
import shutil
import statistics
import subprocess
import sys
import time
from dataclasses import dataclass, field
from pathlib import Path

CORES = len(os.sched_getaffinity(0)) if hasattr(os, "sched_getaffinity") else os.cpu_count()


@dataclass
class Step:
    """A pipeline, and where it runs."""

    stages: list
    directory: str = "."
    environment: dict = field(default_factory=dict)
    early: bool = False  # the last program may end before those that feed it


@dataclass
class Cost:
    """What a step took. Memory is that of all its programs together."""

    wall: float
    cpu: float
    memory: int
    size: int = 0


def run(step, scratch, settle=True):
    """Runs a step and measures it; its output is then in the file `output` of the directory scratch.

    The processor's seconds are those of every process of it. What waits to be written to disk is written before, unless
    nobody looks at the figures.
    """
    if settle:
        os.sync()
    running, source = [], subprocess.DEVNULL
    with open(scratch / "output", "wb") as output, open(scratch / "messages", "w+") as messages:
        start = time.monotonic()
        for number, command in enumerate(step.stages):
            last = number == len(step.stages) - 1
            process = subprocess.Popen(
                peak_of(command, scratch / f"memory-{number}"), stdin=source, stdout=output if last else subprocess.PIPE,
                stderr=messages, cwd=step.directory, env=os.environ | step.environment)
            if source != subprocess.DEVNULL:
                source.close()
            source = process.stdout
            running.append(process)
        cpu, memory, codes = 0.0, 0, []
        for process in running:
            _, status, usage = os.wait4(process.pid, 0)
            process.returncode = os.waitstatus_to_exitcode(status)
            codes.append(process.returncode)
            cpu += usage.ru_utime + usage.ru_stime
            memory += usage.ru_maxrss * (1 if sys.platform == "darwin" else 1024)
        wall = time.monotonic() - start
        if codes[-1] or any(codes) and not step.early:
            messages.seek(0)
            commands = " | ".join(" ".join(map(str, command)) for command in step.stages)
            sys.exit(f"{commands}\nfailed with {codes}:\n{messages.read()}")
    if GNU_TIME:
        # The last line: before it may stand by which signal a program ended.
        peaks = [lines(scratch / f"memory-{number}")[-1] for number in range(len(running))]
        memory = sum(map(int, peaks)) * 1024
    return Cost(wall, cpu, memory)


def peak_of(command, report):
    """The command under GNU time, where there is one: a process that Python starts begins with Python's own peak."""
    return [GNU_TIME, "-q", "-f", "%M", "-o", report, *command] if GNU_TIME else command


def median(costs):
    """The median of each figure."""
    return Cost(*(statistics.median(getattr(cost, name) for cost in costs) for name in ("wall", "cpu", "memory", "size")))


def size_of(path):
    """Bytes of a file, or of the files of a directory."""
    path = Path(path)
    return sum(file.lstat().st_size for file in path.rglob("*") if file.is_file()) if path.is_dir() else path.stat().st_size


def machine():
    """What the figures are of."""
    model = next((line.split(":")[1].strip() for line in lines("/proc/cpuinfo") if line.startswith("model name")), "unknown")
    memory = next((int(line.split()[1]) >> 20 for line in lines("/proc/meminfo") if line.startswith("MemTotal")), 0)
    return f"{CORES} cores of {model}, {memory} GiB of memory, {os.uname().sysname} {os.uname().release}"


def built(given, directory, *arguments):
    """A program: the one that is given, or the one that cargo builds."""
    if given:
        return Path(given).resolve()
    say(f"building {arguments[-1]}")
    command = ["cargo", "build", "--release", "--locked", "--message-format=json", *arguments]
    messages = subprocess.run(command, cwd=directory, check=True, stdout=subprocess.PIPE).stdout
    made = (json.loads(line).get("executable") for line in messages.splitlines())
    return [program for program in made if program][-1]


def lines(path):
    return Path(path).read_text().splitlines() if Path(path).exists() else []


def gnu_time():
    """The program, which macOS has under another name and beside one that knows less; None where it is not there."""
    for program in filter(None, map(shutil.which, ("gtime", "time"))):
        if b"GNU" in subprocess.run([program, "--version"], stdout=subprocess.PIPE, stderr=subprocess.STDOUT).stdout:
            return program
    return None


def say(text):
    """A word on what is done, beside the results."""
    print(text, file=sys.stderr, flush=True)


GNU_TIME = gnu_time()
