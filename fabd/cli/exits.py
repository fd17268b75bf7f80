"""What the command line ends with. Scripts rely on these numbers: they never change.

====  =======================================================================================
   0  done
   1  the job did not end well; the ledger is not whole
   2  wrong usage, a file that cannot be read, a wrong configuration; nothing was changed
   3  refused: not found, not allowed, not now, not this file; nothing was changed
   4  no daemon answers, or this account may not talk to it; nothing was changed
   5  the daemon failed, or broke off: something may have been changed
  70  a mistake in fabd itself (`EX_SOFTWARE` of sysexits.h)
 130  interrupted with Ctrl-C, as shells have it
====  =======================================================================================
"""

from enum import IntEnum


class Exit(IntEnum):
    OK = 0
    BAD_OUTCOME = 1
    WRONG_USAGE = 2
    REFUSED = 3
    UNREACHABLE = 4
    BROKEN = 5
    OUR_MISTAKE = 70
    INTERRUPTED = 130
