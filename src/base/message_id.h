/* MESSAGE_IDs: names for the kinds of records that people search for, which stay when the wording changes.
 *
 * Owns one constant table. The log façade carries the id (`struct log_fields`), the journal gets it as MESSAGE_ID=, and
 * systemd/preforkd.catalog explains each to `journalctl -x`. What must stay true: an id means one kind of event
 * forever. A kind that goes takes its id with it, and a new kind gets a new one (`systemd-id128 new`), a catalog entry
 * and a line in preforkd(8); tests/docs compares the three. */
#pragma once

enum message_id {
        MESSAGE_ID_NONE, /* a record that has none */
        MESSAGE_ID_STARTED,
        MESSAGE_ID_START_REFUSED,
        MESSAGE_ID_STOPPING,
        MESSAGE_ID_STOP_TIMED_OUT,
        MESSAGE_ID_STOPPED,
        MESSAGE_ID_RELOADED,
        MESSAGE_ID_RELOAD_REFUSED,
        MESSAGE_ID_UPGRADED,
        MESSAGE_ID_UPGRADE_REFUSED,
        MESSAGE_ID_SATURATED,
        MESSAGE_ID_RELIEVED,
        MESSAGE_ID_BACKING_OFF,
        MESSAGE_ID_WORKER_DIED,
        MESSAGE_ID_WORKER_STUCK,
        MESSAGE_ID_REQUEST_SLOW,
        MESSAGE_ID_REQUEST_TIMED_OUT,
        MESSAGE_ID_REQUEST_KILLED,
        MESSAGE_ID_CONNECTIONS_AT_RISK,
        MESSAGE_ID_SCOREBOARD_IMPLAUSIBLE,
        MESSAGE_ID_LISTENER_DAMAGED,
        MESSAGE_ID_ADDRESS_UNAVAILABLE,
        MESSAGE_ID_CONNECTION,
        MESSAGE_ID_COUNT,
};

/* The id as the journal has it: 32 hexadecimal digits in lower case. NULL for MESSAGE_ID_NONE. */
const char *message_id_text(enum message_id id);
