"""What the room `store` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    "store-not-usable": N_(
        "The store directory {path} cannot be used: {detail}. Check that it exists and that fabd's account may write there."
    ),
    "store-locked": N_(
        "Another fabd holds the store {path}. Two daemons on one store are never allowed: stop the other one first."
    ),
    "store-failed": N_(
        "The store in {path} cannot be read or written: {detail}. Look at the disk: is it full, read-only, or gone?"
    ),
    "store-damaged": N_(
        "The store in {path} cannot be read: {detail}. Nothing was changed. Restore the newest backup."
    ),
    "store-too-new": N_(
        "A newer fabd wrote this store (revision {found}, this one knows {known}). Install that version again; nothing was changed."
    ),
}
