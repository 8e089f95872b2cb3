/* The log façade: records from the rest of the program, to a sink it does not know.
 *
 * Owns the sink, a mutable global. Only master/, worker/ and bin/ log; the layers below return errors. A sink must
 * never block (see os/log/sink.h) and must not log. Without a sink records are discarded, for quiet unit tests. */
#pragma once

#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>
#include <syslog.h>

#include "base/message_id.h"
struct connection_record;
struct problem_list;

/* What a record carries besides its text; zero or NULL: the record has no such field. The journal gets each under its
 * own name (`POOL=` …), text targets get pool and pid as a prefix: `pool www: worker 4711: …`. */
struct log_fields {
        enum message_id message_id; /* the kind of event; the journal's MESSAGE_ID= */
        const char *pool;
        pid_t worker_pid;
        uint64_t generation;
        uint64_t requests; /* served so far by the worker the record is about */
        uint64_t request_duration_us;
        const char *reason; /* one word: why a worker was forked or retired */
        const char *file;   /* configuration file and line the record is about */
        unsigned line;
        const struct connection_record *connection; /* the journal gets what it says, in fields of its own */
};

struct log_record {
        int priority; /* LOG_EMERG … LOG_DEBUG of <syslog.h> */
        struct log_fields fields;
        const char *message;
};

struct log_sink {
        void (*write)(void *context, const struct log_record *record);
        /* Write many in their order, for less than one after the other; NULL: that is not possible. */
        void (*write_many)(void *context, const struct log_record *records, size_t count);
        void *context;
};

/* Send records with a priority up to `max_priority` to `sink`, which must outlive its use; NULL: nowhere. */
void log_set_sink(const struct log_sink *sink, int max_priority);

/* True if a record of that priority would be written: lets callers skip the work of making one. */
int log_wants(int priority);

/* Emit one record; `fields` may be NULL. Messages are cut at 3,000 bytes. errno is kept. */
void log_emit(int priority, const struct log_fields *fields, const char *format, ...)
        __attribute__((format(printf, 3, 4)));

/* Emit records that are ready, in their order. */
void log_emit_many(const struct log_record *records, size_t count);

/* A record with a MESSAGE_ID and no other field. */
#define log_event(id, priority, ...) log_emit(priority, &(const struct log_fields){.message_id = (id)}, __VA_ARGS__)
/* Each problem as a record of its own, an error or a warning, with its file and line. */
void log_problems(const struct problem_list *problems);

#define log_error(...) log_emit(LOG_ERR, NULL, __VA_ARGS__)
#define log_warning(...) log_emit(LOG_WARNING, NULL, __VA_ARGS__)
#define log_notice(...) log_emit(LOG_NOTICE, NULL, __VA_ARGS__)
#define log_info(...) log_emit(LOG_INFO, NULL, __VA_ARGS__)
#define log_debug(...) log_emit(LOG_DEBUG, NULL, __VA_ARGS__)
