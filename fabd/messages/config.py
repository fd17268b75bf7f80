"""What the room `config` says. Codes are keys; never rename one that was released.

`{item}` is empty, or the id of the machine, material ... that the key belongs to, in parentheses.
"""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # files
    "config-no-directory": N_(
        "{path}: there is no such directory. Name the directory that holds fabd.toml with --config."
    ),
    "config-no-fabd-toml": N_(
        "{path}: this directory holds no fabd.toml. Name the directory that holds it with --config."
    ),
    "config-file-missing": N_("{file}: this file is missing. Put it beside fabd.toml."),
    "config-file-unreadable": N_("{file}: this file cannot be read: {detail}."),
    "config-file-misspelt": N_(
        "{file}: fabd reads no such file. Is it meant to be {nearest}? Rename it, or take it away."
    ),
    "config-not-utf8": N_("{file}, line {line}: found bytes that are not UTF-8. Save the file as UTF-8."),
    "config-syntax": N_("{file}, line {line}: this is not TOML: {detail}."),
    # keys
    "config-key-missing": N_("{file}, {key}{item}: found nothing, expected this key: it has no default."),
    "config-key-unknown": N_("{file}, {key}{item}: found an unknown key, expected one of: {known}."),
    "config-key-misspelt": N_("{file}, {key}{item}: found an unknown key. Is it meant to be {nearest}?"),
    # values
    "config-wants-text": N_("{file}, {key}{item}: found {found}, expected text in quotation marks."),
    "config-wants-integer": N_("{file}, {key}{item}: found {found}, expected a whole number."),
    "config-wants-number": N_("{file}, {key}{item}: found {found}, expected a number."),
    "config-wants-exact": N_(
        '{file}, {key}{item}: found {found}, expected an exact number in quotation marks, such as "1.25": what reaches a price is never rounded on the way.'
    ),
    "config-wants-boolean": N_("{file}, {key}{item}: found {found}, expected true or false."),
    "config-wants-date": N_("{file}, {key}{item}: found {found}, expected a date such as 2026-01-31."),
    "config-wants-list": N_("{file}, {key}{item}: found {found}, expected a list in square brackets."),
    "config-wants-tables": N_(
        "{file}, {key}{item}: found one table, expected a list of tables: write [[{key}]] above each, not [{key}]."
    ),
    "config-wants-table": N_("{file}, {key}{item}: found {found}, expected a table of keys."),
    "config-wants-id": N_(
        '{file}, {key}{item}: found {found}, expected an id of at most 40 lower case letters, digits, ".", "_" or "-" that begins with a letter or a digit.'
    ),
    "config-wants-pattern": N_("{file}, {key}{item}: found {found}, expected text that matches {pattern}."),
    "config-wants-choice": N_("{file}, {key}{item}: found {found}, expected one of: {choices}."),
    "config-wants-more-than": N_("{file}, {key}{item}: found {found}, expected more than {limit}."),
    "config-wants-at-least": N_("{file}, {key}{item}: found {found}, expected at least {limit}."),
    "config-wants-less-than": N_("{file}, {key}{item}: found {found}, expected less than {limit}."),
    "config-wants-at-most": N_("{file}, {key}{item}: found {found}, expected at most {limit}."),
    "config-wants-length-from": N_(
        "{file}, {key}{item}: found {found}, expected at least {limit} entries or characters."
    ),
    "config-wants-length-to": N_("{file}, {key}{item}: found {found}, expected at most {limit} entries or characters."),
    "config-wants-timezone": N_("{file}, {key}{item}: found {found}, expected a time zone such as Europe/Paris."),
    "config-wants-listen": N_(
        "{file}, {key}{item}: found {found}, expected an address and a port, such as 127.0.0.1:9402."
    ),
    "config-wants-broker": N_(
        "{file}, {key}{item}: found {found}, expected mqtt://, mqtts:// or embedded://, then a host, and a port between 1 and 65535 where it is not the usual one."
    ),
    "config-wants-wire": N_("{file}, {key}{item}: found {found}, expected a URL that begins with one of: {schemes}."),
    "config-wants-device": N_("{file}, {key}{item}: found {found}, expected the path of a device: {scheme}:///dev/..."),
    "config-wants-host-port": N_(
        "{file}, {key}{item}: found {found}, expected tcp://host:port with a port between 1 and 65535."
    ),
    "config-wants-baud": N_(
        "{file}, {key}{item}: found {found}, expected no parameter but baud, and a whole number in it: ?baud=115200."
    ),
    "config-value-refused": N_("{file}, {key}{item}: found {found}, which was refused: {detail}."),
    # what must agree
    "config-duplicate": N_(
        "{file}, {key}{item}: found {found} a second time, expected a value of its own: {first} has this one."
    ),
    "config-wire-shared": N_(
        "{file}, {key}{item}: found {found}, which is the wire of machine {other} already. One wire leads to one machine."
    ),
    "config-default-twice": N_(
        "{file}, {key}{item}: found {found}, which {other} declares already. One material is the default of a kind."
    ),
    "config-filament-halves": N_(
        "{file}, {key}{item}: found nothing, expected this key beside {other}: a filament needs diameter and density."
    ),
    "config-no-such": N_("{file}, {key}{item}: found {found}, which stands nowhere in {where}. Known there: {known}."),
    # drivers and simulators
    "config-driver-unknown": N_("{file}, {key}{item}: found {found}, expected a driver that is installed: {known}."),
    "config-driver-broken": N_("{file}, {key}{item}: the driver {found} is installed but cannot be loaded: {detail}."),
    "config-kind-not-driven": N_(
        "{file}, {key}{item}: found {found}, expected a kind that the driver {driver} can be: {known}."
    ),
    "config-simulator-unknown": N_(
        "{file}, {key}{item}: found {found}, expected a simulated machine that exists: {known}."
    ),
    "config-simulator-refused": N_(
        "{file}, {key}{item}: found {found}, which the simulated machine refuses: {detail}."
    ),
}
