"""What the room `reporting` says. Codes are keys; never rename one that was released."""

from fabd.messages import N_

SENTENCES: dict[str, str] = {
    # The connection. The broker's address stands beside the sentence in the log.
    "mqtt-connected": N_("Connected to the MQTT broker."),
    "mqtt-lost": N_(
        "The MQTT broker cannot be reached: {detail}. Nothing is lost, and fabd keeps trying. Check that the broker runs and that the network reaches it."
    ),
    "mqtt-not-let-in": N_(
        "The MQTT broker does not let fabd in: {detail}. Check user and password in [mqtt] url of fabd.toml."
    ),
    "mqtt-5-refused": N_(
        "The MQTT broker speaks neither MQTT 5 nor MQTT 3.1.1. Another broker is needed, such as Mosquitto."
    ),
    "mqtt-publish-refused": N_(
        "The MQTT broker forbids fabd to publish on {topic}: {detail}. Allow it in the broker's access list."
    ),
    "mqtt-subscribe-refused": N_(
        "The MQTT broker forbids fabd to subscribe to {topic}: {detail}. Allow it in the broker's access list."
    ),
    "mqtt-url-unreadable": N_(
        "[mqtt] url in fabd.toml cannot be used. Expected mqtt://user:password@host:1883, mqtts://user:password@host:8883?ca=/path/to/ca.pem (without ca: what the system trusts), or embedded://127.0.0.1:1883."
    ),
    "mqtt-ca-unreadable": N_(
        "The certificates in {path}, which [mqtt] url in fabd.toml names, cannot be read: {detail}."
    ),
    # The own broker.
    "broker-not-loopback": N_(
        "A broker of fabd's own lets everybody in, so it listens on this machine only: {host} is not a loopback address. Write embedded://127.0.0.1:1883, or run Mosquitto with passwords and write mqtt://."
    ),
    "broker-missing": N_(
        "There is no MQTT broker on this machine. Install Mosquitto (sudo apt install mosquitto), or Python's amqtt (pip install 'fabd[broker]')."
    ),
    "broker-port-taken": N_(
        "Something else listens on {host}:{port}, where fabd's own MQTT broker is to be. Stop it, or write another port in [mqtt] url of fabd.toml."
    ),
    "broker-did-not-start": N_("The MQTT broker {program} did not start: {detail}"),
    "broker-ended": N_("The MQTT broker that fabd started has ended with code {code}. It is started again."),
    # The usage feed.
    "till-message-unreadable": N_(
        "What arrived on {topic} is not what the contract says, and was ignored: {detail}. See `fabd schema ack` and `fabd schema replay`."
    ),
    "till-unknown": N_(
        "The till {till} acknowledges entries, but [mqtt] tills in fabd.toml does not name it, so it is not waited for. Add it there."
    ),
    "till-too-many": N_(
        "The till {till} was ignored: already {count} tills acknowledge entries. Name those that count in [mqtt] tills of fabd.toml."
    ),
    "till-other-ledger": N_(
        "The till {till} acknowledges entries of the ledger {found}, but this one is {ledger}: the acknowledgement was ignored."
    ),
    "till-beyond-head": N_(
        "The till {till} acknowledges entry {seq}, but the newest one is {head}: the acknowledgement was ignored. Was the ledger restored from a backup?"
    ),
    "till-rejected": N_("The till {till} could not make a line of entry {entry}: {reason}."),
    "till-replay-refused": N_(
        "A till asked for entries {first} to {last} of the ledger {found}, which this one ({ledger}) cannot give."
    ),
    "till-replay-shortened": N_("A till asked for entries {first} to {last} again; {count} at a time are given."),
    "till-replay-topic-refused": N_(
        "A till wants entries on the topic {topic}, which fabd may not use: nothing was sent."
    ),
    "till-replay-busy": N_("A till's request for older entries was ignored: {count} others wait."),
    "till-resend": N_("A till lags behind: entries after {above} are published again."),
    # Metrics.
    "metrics-not-listening": N_(
        "The metrics cannot be served on {address}: {detail}. Change [metrics] listen in fabd.toml."
    ),
    "metrics-scrape-failed": N_("A scrape could not be answered: {detail}."),
}
