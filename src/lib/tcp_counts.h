/* What the kernel counts on a TCP connection (TCP_INFO, tcp(7)), of which libc's header knows the first part only.
 *
 * Used by lib/connection_log and lib/idle_watch. */
#pragma once

#include <assert.h>
#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "lib/sys.h"

struct tcp_counts {
        struct tcp_info info;
        uint64_t pacing_rate, max_pacing_rate;
        uint64_t bytes_acked, bytes_received; /* the end of the data counts as a byte, too */
        uint32_t segments_out, segments_in;
        uint32_t notsent_bytes, min_rtt_us;
        uint32_t data_segments_in, data_segments_out;
        uint64_t delivery_rate, busy_us, rwnd_limited_us, sndbuf_limited_us;
        uint32_t delivered, delivered_ce;
        uint64_t bytes_sent, bytes_retrans; /* data alone; Linux 4.19 */
};
static_assert(offsetof(struct tcp_counts, bytes_sent) == 200, "the kernel's layout");

/* False: it is no TCP connection, or the kernel is older. Async-signal-safe. */
static inline bool tcp_counts_read(int fd, struct tcp_counts *ret)
{
        socklen_t length = sizeof(*ret);

        *ret = (struct tcp_counts){0};
        return sys_tcp_info(fd, &ret->info, &length) == 0 && length >= sizeof(*ret);
}
