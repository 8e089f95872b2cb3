#include "lib/last_input.h"

#include <errno.h>
#include <limits.h>
#include <poll.h>

#include "base/cleanup.h"
#include "lib/orders.h"
#include "lib/sys.h"

#define BITE_BYTES 16384

/* Read what is there. False: there will be no more. */
static bool drop_some(int connection)
{
        char bite[BITE_BYTES];
        long length = sys_receive_now(connection, bite, sizeof(bite));

        return length > 0 || length == -EAGAIN || length == -EINTR;
}

void last_input_drop(int connection, uint64_t most_ms)
{
        struct pollfd poller = {.fd = connection, .events = POLLIN};
        uint64_t end_ns = sys_now_ns() + most_ms * 1000000;

        orders_linger(connection);
        sys_shutdown(connection, SHUT_WR);
        for (uint64_t now_ns = sys_now_ns(); now_ns < end_ns && drop_some(connection); now_ns = sys_now_ns()) {
                uint64_t rest_ms = (end_ns - now_ns) / 1000000 + 1;
                int r = sys_poll(&poller, 1, (int)MIN_OF(rest_ms, (uint64_t)INT_MAX));
                if (r < 0 && r != -EINTR)
                        break;
        }
        orders_linger(-1);
}

void last_input_close(int connection)
{
        struct linger linger = {0};
        socklen_t length = sizeof(linger);

        if (sys_socket_value(connection, SO_LINGER, &linger, &length) == 0 && linger.l_onoff && linger.l_linger > 0) {
                linger.l_onoff = 0;
                sys_set_socket_value(connection, SO_LINGER, &linger, sizeof(linger));
        }
        sys_close(connection);
}
