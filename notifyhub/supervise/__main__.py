"""`python -m notifyhub.supervise`: what ./run becomes once its virtual environment is ready."""

import os
import sys

from notifyhub.supervise.begin import read_options
from notifyhub.supervise.child import Child
from notifyhub.supervise.children import Children, StopAsked
from notifyhub.supervise.folder import DataFolder
from notifyhub.supervise.locks import take_lock, write_note
from notifyhub.supervise.problems import CannotStart, sentence_for
from notifyhub.supervise.stack import Stack
from notifyhub.supervise.terminal import Terminal

LEFTOVER_SECONDS = 30


def main(arguments: list[str]) -> int:
    """Run NotifyHub until it is told to stop; return the exit code."""
    options = read_options(arguments)
    terminal = Terminal()
    children = Children(terminal)
    children.listen()
    folder = DataFolder.chosen()
    stack = Stack(options=options, folder=folder, children=children)
    code = 0
    try:
        folder.open()
        claim(folder, children, address=stack.address)
        stack.start()
        stack.watch()
    except StopAsked:
        terminal.say("Stopping; press Ctrl-C again to hurry.")
    except CannotStart as problem:
        terminal.say(str(problem))
        code = 1
    except OSError as error:
        terminal.say(sentence_for(error))
        code = 1
    finally:
        stack.stop()
    if code == 0:
        terminal.say("NotifyHub has stopped.")
    return code


def claim(folder: DataFolder, children: Children, *, address: str) -> None:
    """Make this the only run on the folder; wait for what a killed one left behind to end."""
    lock = take_lock(folder.run_lock)
    if lock is None:
        pid, where = [*folder.run_lock.read_text().split(), "?", "?"][:2]
        raise CannotStart(f"NotifyHub already runs here, pid {pid}, {where} (data folder {folder.path}).")
    write_note(lock, f"{os.getpid()} {address}\n")

    def free() -> bool:
        Child.life_lock = take_lock(folder.children_lock)
        return Child.life_lock is not None

    if not free():
        children.terminal.say("Waiting for processes of an earlier run to end.")
        if not children.wait_until(free, seconds=LEFTOVER_SECONDS):
            raise CannotStart(
                f"Processes of an earlier run still use {folder.path}: end them (postgres, valkey, gunicorn "
                "or celery in the list of processes), then start again."
            )


if __name__ == "__main__":
    sys.exit(main(sys.argv[1:]))
