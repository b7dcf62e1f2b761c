"""Why NotifyHub cannot start, as one sentence a person can act on."""

import errno


class CannotStart(Exception):
    """A start that cannot go on; the message is shown as it is, without a traceback."""


def sentence_for(error: OSError) -> str:
    """One sentence for a refusal of the operating system."""
    where = f" ({error.filename})" if error.filename else ""
    if error.errno in (errno.ENOSPC, errno.EDQUOT):
        return f"The disk is full{where}: free some space, then start again; no data was lost."
    if error.errno in (errno.EACCES, errno.EPERM, errno.EROFS):
        return f"NotifyHub may not write here{where}: give this user the right to, or set NOTIFYHUB_DATA_DIR."
    return f"The operating system refused to go on{where}: {error.strerror or error}."
