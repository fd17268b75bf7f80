"""The daemon's HTTP interface on a Unix socket: `build` makes the application, `serving` serves it."""
