"""What the room `api` says, and the client. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # the daemon's end
    "api-unexpected": N_(
        "The daemon failed at this request. Its log says why, under {incident}. Nothing is known to be done: look before you try again."
    ),
    "api-request-invalid": N_("The request is not understood; nothing was changed."),
    "api-field-invalid": N_("{where}: {detail}."),
    "api-no-such-route": N_("The daemon has nothing at {method} {path}. Is it of another version than this command?"),
    "api-account-reads-only": N_(
        "The account {account} may look, but not act. Add it to facilitators under [api] in fabd.toml, or use an account that stands there."
    ),
    "api-account-no-administrator": N_(
        "The account {account} is no administrator. Use root or the daemon's own account, or add it to administrators under [api] in fabd.toml."
    ),
    "api-person-no-facilitator": N_("{person} is no facilitator. Name a member who is one with --as or FABD_AS."),
    "api-upload-too-large": N_(
        "The file is larger than {limit_mb} MB. Prepare it with less detail, or in several parts."
    ),
    "api-upload-empty": N_("The file is empty. Export it again, and look at its size before you send it."),
    "api-upload-not-stored": N_(
        "The daemon could not take the file: {detail}. Look for room on the disk that holds the store."
    ),
    "api-socket-taken": N_(
        "Another process answers on the socket {path}. Stop that daemon first, or set another socket under [api] in fabd.toml."
    ),
    "api-socket-not-usable": N_(
        "fabd.toml, api.socket: {path} cannot be a socket: {detail}. Its directory must belong to fabd's account, and no other file may stand there."
    ),
    # the client's end
    "client-no-daemon": N_(
        "No daemon answers on the socket {path}. Start it (systemctl start fabd), or name another socket with --socket or FABD_SOCKET."
    ),
    "client-no-permission": N_(
        "This account may not use the socket {path}. Add it to the group that owns the socket, then log in again."
    ),
    "client-timeout": N_(
        "The daemon on {path} did not answer within {limit_s} seconds. It may have done what was asked: look before you try again."
    ),
    "client-broken-off": N_(
        "The daemon on {path} broke off: {detail}. It may have done what was asked: look before you try again."
    ),
    "client-not-understood": N_(
        "The daemon on {path} answered what this command does not understand: {detail}. Are both of the same version?"
    ),
    "client-file-unreadable": N_(
        "{file} cannot be read: {detail}. Look at its name and its permissions; is the stick still there?"
    ),
    "client-wrong-usage": N_("{detail} Add --help to see how it is used."),
    "client-interrupted": N_("Interrupted."),
    "client-no-schema": N_("There is no schema {name}. There are: {known}."),
    "client-mistake": N_(
        "This is a mistake in fabd itself: {detail}. Please report it; with FABD_DEBUG=1 it shows where it happened."
    ),
}
