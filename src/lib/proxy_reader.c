#include "lib/proxy_reader.h"

#include <errno.h>

#include "base/cleanup.h"
#include "lib/sys.h"

/* What has been read: `taken` bytes are no longer in the socket, `seen` were there at the last look. */
struct reader {
        int connection;
        size_t taken, seen;
        unsigned char bytes[PROXY_HEADER_MAX];
};

/* Look at what is there behind what was taken. 1; 0: the connection has ended; -EAGAIN: nothing is there; -errno. */
static int look(struct reader *reader)
{
        long r;

        do
                r = sys_peek_now(reader->connection, reader->bytes + reader->taken,
                                 sizeof(reader->bytes) - reader->taken);
        while (r == -EINTR);
        if (r <= 0)
                return (int)r;
        reader->seen = reader->taken + (size_t)r;
        return 1;
}

/* Take so many bytes, which were seen, out of the socket. */
static bool take(struct reader *reader, size_t until)
{
        while (reader->taken < until) {
                long r = sys_receive_now(reader->connection, reader->bytes + reader->taken, until - reader->taken);
                if (r == -EINTR)
                        continue;
                if (r <= 0)
                        return false;
                reader->taken += (size_t)r;
        }
        return true;
}

/* Wait for more. False: the time is over. */
static bool await_more(const struct reader *reader, uint64_t until_ns)
{
        struct pollfd poller = {.fd = reader->connection, .events = POLLIN};

        for (;;) {
                uint64_t now_ns = sys_now_ns();
                if (now_ns >= until_ns)
                        return false;
                if (sys_poll(&poller, 1, (int)((until_ns - now_ns) / 1000000) + 1) > 0)
                        return true;
        }
}

enum proxy_result proxy_reader_read(int connection, uint64_t timeout_ms, struct slot *slot, struct proxy_header *ret)
{
        uint64_t until_ns = 0;
        struct reader reader;
        size_t needed = 1;

        reader.connection = connection;
        reader.taken = reader.seen = 0;
        for (;;) {
                int r = look(&reader);
                if (r == -EAGAIN) {
                        if (until_ns == 0) {
                                until_ns = sys_now_ns() + timeout_ms * 1000000;
                                slot_hold(slot, sys_now_ns());
                        }
                        if (!await_more(&reader, until_ns))
                                return PROXY_LATE;
                        continue;
                }
                if (r <= 0)
                        return r == 0 && reader.taken > 0 ? PROXY_MORE : PROXY_CLOSED;
                enum proxy_result result = proxy_header_parse(reader.bytes, reader.seen, ret, &needed);
                if (result == PROXY_DONE)
                        return take(&reader, ret->length) ? PROXY_DONE : PROXY_CLOSED;
                if (result != PROXY_MORE)
                        return result;
                if (!take(&reader, reader.seen)) /* all of it is of the header */
                        return PROXY_CLOSED;
        }
}
