#include "base/connection_record.h"

#include <assert.h>
#include <inttypes.h>
#include <sys/wait.h>

#include "base/address.h"
#include "base/cleanup.h"
#include "base/text.h"

static const char *const ends[] = {
        [CONNECTION_SERVED] = "served",       [CONNECTION_KILLED] = "killed",     [CONNECTION_LEFT] = "left",
        [CONNECTION_TIMED_OUT] = "timed_out", [CONNECTION_IDLE] = "idle",         [CONNECTION_FAILED] = "failed",
        [CONNECTION_LOST] = "lost",           [CONNECTION_REFUSED] = "access",    [CONNECTION_TOO_MANY] = "too_many",
        [CONNECTION_NO_PROXY] = "no_proxy",   [CONNECTION_FULL] = "full",         [CONNECTION_TOO_LATE] = "too_late",
        [CONNECTION_NO_ROOM] = "no_room",     [CONNECTION_TOO_FAST] = "too_fast",
};
static_assert(ELEMENTS(ends) == CONNECTION_END_COUNT, "a word for every enum connection_end");

const char *connection_record_reason(const struct connection_record *record)
{
        return record->end < CONNECTION_END_COUNT ? ends[record->end] : "?";
}

static bool has(const struct connection_record *record, enum connection_has what)
{
        return (record->has & what) != 0;
}

static int append_number(struct text *text, bool is_known, uint64_t number)
{
        return is_known ? text_append_number(text, number) : 0;
}

/* False: it is a UNIX client, or garbage. */
static bool address_of(const struct connection_side *side, struct address *ret)
{
        if (side->any.sa_family == AF_INET)
                *ret = (struct address){.in = side->in, .length = sizeof(side->in)};
        else if (side->any.sa_family == AF_INET6)
                *ret = (struct address){.in6 = side->in6, .length = sizeof(side->in6)};
        else
                return false;
        return true;
}

static int append_host(struct text *text, const struct connection_side *side)
{
        struct address address;
        char host[ADDRESS_TEXT_MAX];

        if (!address_of(side, &address))
                return 0;
        address_format_host(&address, host, sizeof(host));
        return text_append(text, host);
}

static int append_port(struct text *text, const struct connection_side *side)
{
        struct address address;

        return address_of(side, &address) ? text_append_number(text, address_port(&address)) : 0;
}

static int append_client(struct text *text, const struct connection_record *record)
{
        if (record->client.any.sa_family == 0 && has(record, CONNECTION_HAS_USER))
                return text_appendf(text, "uid:%" PRIu32, record->uid);
        return append_host(text, &record->client);
}

static int append_client_port(struct text *text, const struct connection_record *record)
{
        return append_port(text, &record->client);
}

static int append_proxy(struct text *text, const struct connection_record *record)
{
        if (!has(record, CONNECTION_HAS_PROXY))
                return 0;
        return record->proxy.any.sa_family == 0 ? text_append(text, "unix") : append_host(text, &record->proxy);
}

static int append_proxy_port(struct text *text, const struct connection_record *record)
{
        return has(record, CONNECTION_HAS_PROXY) ? append_port(text, &record->proxy) : 0;
}

static int append_listener(struct text *text, const struct connection_record *record)
{
        struct address address = {.length = MIN_OF(record->local.length, (uint32_t)sizeof(address.un))};
        char name[ADDRESS_TEXT_MAX];

        if (record->local.any.sa_family == AF_INET)
                address.in = record->local.in;
        else if (record->local.any.sa_family == AF_INET6)
                address.in6 = record->local.in6;
        else if (record->local.any.sa_family == AF_UNIX)
                address.un = record->local.un;
        else
                return 0;
        address_format(&address, name, sizeof(name));
        return text_append(text, name);
}

static int append_worker(struct text *text, const struct connection_record *record)
{
        return append_number(text, record->worker > 0, (uint64_t)record->worker);
}

static int append_pid(struct text *text, const struct connection_record *record)
{
        return append_number(text, record->pid > 0, (uint64_t)record->pid);
}

static int append_wait_ms(struct text *text, const struct connection_record *record)
{
        return append_number(text, has(record, CONNECTION_HAS_WAIT), record->wait_us / 1000);
}

static int append_duration_ms(struct text *text, const struct connection_record *record)
{
        return append_number(text, true, record->duration_us / 1000);
}

static int append_duration_us(struct text *text, const struct connection_record *record)
{
        return append_number(text, true, record->duration_us);
}

static int append_bytes_in(struct text *text, const struct connection_record *record)
{
        return append_number(text, has(record, CONNECTION_HAS_TCP), record->bytes_in);
}

static int append_bytes_out(struct text *text, const struct connection_record *record)
{
        return append_number(text, has(record, CONNECTION_HAS_TCP), record->bytes_out);
}

static int append_rtt_us(struct text *text, const struct connection_record *record)
{
        return append_number(text, has(record, CONNECTION_HAS_TCP), record->rtt_us);
}

static int append_status(struct text *text, const struct connection_record *record)
{
        int status = record->status;

        return append_number(text, has(record, CONNECTION_HAS_STATUS) && WIFEXITED(status),
                             (uint64_t)WEXITSTATUS(status));
}

static int append_signal(struct text *text, const struct connection_record *record)
{
        int status = record->status;

        return append_number(text, has(record, CONNECTION_HAS_STATUS) && WIFSIGNALED(status),
                             (uint64_t)WTERMSIG(status));
}

static int append_cpu_us(struct text *text, const struct connection_record *record)
{
        return append_number(text, has(record, CONNECTION_HAS_CPU), record->cpu_us);
}

static int append_reason(struct text *text, const struct connection_record *record)
{
        return text_append(text, connection_record_reason(record));
}

/* The journal has its own fields for the worker, the reason and the duration. */
static const struct connection_field fields[] = {
        {"listener", "LISTENER", append_listener},
        {"client", "CLIENT_ADDRESS", append_client},
        {"client_port", "CLIENT_PORT", append_client_port, .is_number = true},
        {"proxy", "PROXY_ADDRESS", append_proxy},
        {"proxy_port", "PROXY_PORT", append_proxy_port, .is_number = true},
        {"worker", NULL, append_worker, .is_number = true},
        {"pid", "HANDLER_PID", append_pid, .is_number = true},
        {"wait_ms", "WAIT_MSEC", append_wait_ms, .is_number = true},
        {"duration_ms", NULL, append_duration_ms, .is_number = true},
        {"duration_us", NULL, append_duration_us, .is_number = true},
        {"bytes_in", "BYTES_IN", append_bytes_in, .is_number = true},
        {"bytes_out", "BYTES_OUT", append_bytes_out, .is_number = true},
        {"rtt_us", "RTT_USEC", append_rtt_us, .is_number = true},
        {"status", "EXIT_STATUS", append_status, .is_number = true},
        {"signal", "EXIT_SIGNAL", append_signal, .is_number = true},
        {"cpu_us", "CPU_USEC", append_cpu_us, .is_number = true},
        {"reason", NULL, append_reason},
};

const struct connection_field *connection_record_field(size_t number)
{
        return number < ELEMENTS(fields) ? &fields[number] : NULL;
}
