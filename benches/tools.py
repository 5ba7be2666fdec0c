"""What is compared: the commands of ocbak and of its peers for each operation.

Nobody pays a password hash in the race: ocbak and age have a key file, borg a key file with an empty passphrase. restic
derives its key from a password in every command; `unlock` and `start` measure that.
"""

import shutil

from corpora import PICK
from measuring import Step, lines, say

# Made for this script; they protect nothing.
IDENTITY = "AGE-SECRET-KEY-1PZRCTMDYRLQ8W3TA8XQLHWVSJWPYNAXQCUZCZMM9PJUGDMR8KKTQEEMZGT"
RECIPIENT = "age1jk53es8s6j8n0xulyu6wufjnmt0kjg8579zxq0ancud3uej4cvxqk8u5vg"
PASSPHRASE = "nobody pays for this in the race"


def ocbak(program, parity, *more):
    def steps(tree, work):
        archive, key = work / "a.ocbak", ["-i", work / "key"]
        create = [program, "create", "--quiet", "--all", "--state-dir", tree, "--parity", parity, *more,
                  "-r", RECIPIENT, "-o", archive]
        home = {"HOME": str(work), "XDG_STATE_HOME": str(work / "state")}
        return {
            "create": Step([create], environment=home),
            "list": Step([[program, "list", archive, *key]]),
            "verify": Step([[program, "verify", archive, *key]]),
            "quick verify": Step([[program, "verify", "--quick", archive]]),
            "restore": Step([[program, "restore", archive, *key, "--to", work / "restored"]]),
            "one file": Step([[program, "extract", archive, *key, f"state/{PICK}", "--stdout"]]),
        }
    return steps


def pipeline(tree, work):
    archive = work / "a.tar.zst.age"
    opened = [["age", "-d", "-i", work / "key", archive], ["zstd", "-q", "-d"]]
    tar = ["tar", "--sort=name", "-C", tree, "-cf", "-", "."]
    return {
        "create": Step([tar, ["zstd", "-q", "-T0", "-3"], ["age", "-r", RECIPIENT, "-o", archive]]),
        "list": Step([*opened, ["tar", "-t"]]),
        "verify": Step([*opened, ["tar", "-t"]]),
        "restore": Step([*opened, ["tar", "-xp"]], directory=work / "restored"),
        "one file": Step([*opened, ["tar", "-xO", "--occurrence=1", f"./{PICK}"]], early=True),
    }


def restic(tree, work):
    with_key = {"RESTIC_PASSWORD_FILE": str(work / "passphrase"), "RESTIC_REPOSITORY": str(work / "repository"),
                "RESTIC_CACHE_DIR": str(work / "cache")}

    def step(*arguments, directory="."):
        return Step([["restic", *arguments]], directory, with_key)
    return {
        "prepare": step("init"),
        "create": step("backup", "--quiet", ".", directory=tree),
        "start": step("version"),
        "unlock": step("cat", "masterkey"),
        "list": step("ls", "latest"),
        "verify": step("check", "--read-data"),
        "restore": step("restore", "latest", "--target", work / "restored"),
        "one file": step("dump", "latest", f"/{PICK}"),
    }


def borg(tree, work):
    with_key = {"BORG_PASSPHRASE": "", "BORG_BASE_DIR": str(work / "borg"), "BORG_REPO": str(work / "repository")}
    # What borg's documentation advises: SHA-256 where the processor has it, else BLAKE2.
    mode = "keyfile" if any(" sha_ni" in line for line in lines("/proc/cpuinfo")) else "keyfile-blake2"

    def step(*arguments, directory="."):
        return Step([["borg", *arguments]], directory, with_key)
    return {
        "prepare": step("init", "--encryption", mode),
        "create": step("create", "--compression", "zstd,3", "::a", ".", directory=tree),
        "list": step("list", "--short", "::a"),
        "verify": step("check", "--verify-data"),
        "restore": step("extract", "::a", directory=work / "restored"),
        "one file": step("extract", "--stdout", "::a", PICK),
    }


def tar_gz(tree, work):
    archive = work / "a.tgz"
    return {
        "create": Step([["tar", "--sort=name", "-C", tree, "-czf", archive, "."]]),
        "list": Step([["tar", "-tzf", archive]]),
        "verify": Step([["gzip", "-t", archive]]),
        "restore": Step([["tar", "-xzpf", archive]], directory=work / "restored"),
        "one file": Step([["tar", "-xzOf", archive, "--occurrence=1", f"./{PICK}"]], early=True),
    }


STORED = {"a.ocbak", "a.tar.zst.age", "a.tgz", "repository"}
LEVEL = "ocbak-level-"
NEEDS = {"tar-zstd-age": ("tar", "zstd", "age"), "restic": ("restic",), "borg": ("borg",), "tar-gz": ("tar", "gzip")}


def tools_of(wanted, program):
    """Those that are wanted and installed."""
    tools = {"ocbak": ocbak(program, "0"), "ocbak-parity": ocbak(program, "2"), "tar-zstd-age": pipeline,
             "restic": restic, "borg": borg, "tar-gz": tar_gz}
    levels = (name for name in wanted if name.startswith(LEVEL))
    tools |= {name: ocbak(program, "0", "--level", name.removeprefix(LEVEL)) for name in levels}
    for name in list(tools):
        missing = [need for need in NEEDS.get(name, ()) if not shutil.which(need)]
        if missing and (not wanted or name in wanted):
            say(f"{name} is left out: {' and '.join(missing)} not installed")
        if missing or wanted and name not in wanted:
            del tools[name]
    return tools


def fresh(work):
    """An empty directory to work in, with the secrets."""
    shutil.rmtree(work, ignore_errors=True)
    work.mkdir(parents=True)
    for name, secret in ("key", IDENTITY), ("passphrase", PASSPHRASE):
        (work / name).touch(mode=0o600)
        (work / name).write_text(f"{secret}\n")
