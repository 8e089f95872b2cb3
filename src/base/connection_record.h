/* What a worker tells the master about a connection that has ended, or was refused, for connection_log: the record, and
 * what is in it as text.
 *
 * A worker puts it into the pool's ring (lib/connection_log, base/connection_ring); the master takes it out and logs it
 * (master/pool/connection_reader). What must stay true: its layout may change only with the magic number, because
 * workers of a former program write records after an upgrade. The master believes none of it: it is text for people and
 * numbers. */
#pragma once

#include <netinet/in.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/un.h>

struct text;

/* Which connections are logged. */
enum connection_log_mode { CONNECTION_LOG_NO, CONNECTION_LOG_REFUSED, CONNECTION_LOG_ALL };

/* What a record begins with; the first byte is the version. */
#define CONNECTION_RECORD_MAGIC UINT64_C(0x02637066bd1e91c7)

/* How it has ended. */
enum connection_end {
        CONNECTION_SERVED,    /* the handler has ended by itself */
        CONNECTION_KILLED,    /* a signal has ended it */
        CONNECTION_LEFT,      /* SIGPIPE has: the client had left */
        CONNECTION_TIMED_OUT, /* the master has ordered its end */
        CONNECTION_IDLE,      /* idle_timeout */
        CONNECTION_FAILED,    /* a module or builtin could not serve it */
        CONNECTION_LOST,      /* no handler could be started */
        CONNECTION_REFUSED,   /* this, and all that follow: it was closed unserved. Of the reasons: access rules … */
        CONNECTION_TOO_MANY,  /* … max_connections_per_source … */
        CONNECTION_NO_PROXY,  /* … proxy_protocol … */
        CONNECTION_FULL,      /* … when_full = refuse … */
        CONNECTION_TOO_LATE,  /* … queue_timeout … */
        CONNECTION_NO_ROOM,   /* … banner … */
        CONNECTION_TOO_FAST,  /* … rate_limit_per_source */
        CONNECTION_END_COUNT
};

/* A side of the connection. */
struct connection_side {
        union {
                struct sockaddr any;
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
        };
};

/* What of the numbers is known: bits of `has`. */
enum connection_has {
        CONNECTION_HAS_WAIT = 1,
        CONNECTION_HAS_TCP = 2, /* bytes and round trip */
        CONNECTION_HAS_STATUS = 4,
        CONNECTION_HAS_CPU = 8,
        CONNECTION_HAS_USER = 16,
        CONNECTION_HAS_PROXY = 32,
};

/* Where it was accepted. */
struct connection_place {
        union {
                struct sockaddr any; /* the family is 0 if it is not known */
                struct sockaddr_in in;
                struct sockaddr_in6 in6;
                struct sockaddr_un un;
        };
        uint32_t length;
};

struct connection_record {
        uint64_t magic;
        uint32_t has;        /* bits of enum connection_has */
        uint32_t end;        /* enum connection_end */
        int32_t worker, pid; /* the worker, and the process that served; 0: none did */
        int32_t status;      /* wait status */
        uint32_t uid;        /* of a UNIX client */
        uint32_t rtt_us;
        uint64_t wait_us, duration_us, cpu_us;
        uint64_t bytes_in, bytes_out;
        struct connection_side client, proxy; /* the family is 0 for UNIX clients */
        struct connection_place local;
};

/* What of a record is shown: under a name in connection_log_format, and under another in the journal (NULL: it has a
 * field for all records). */
struct connection_field {
        const char *name, *journal_name;
        /* Append the value; nothing, if it is not known. 0 or -ENOMEM. */
        int (*append)(struct text *text, const struct connection_record *record);
        bool is_number;
};

/* The fields, by numbers from 0 on; NULL: there are no more. */
const struct connection_field *connection_record_field(size_t number);

/* The word for how it has ended: "served", "access" … */
const char *connection_record_reason(const struct connection_record *record);
