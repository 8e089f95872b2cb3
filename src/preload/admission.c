#include "preload/admission.h"

#include <errno.h>

#include "lib/sys.h"
#include "preload/record.h"

int admission_map(int fd, struct gate *ret, size_t *ret_bytes)
{
        struct stat status = {0};
        const void *memory = NULL;

        int r = sys_fstat(fd, &status);
        if (r == 0)
                r = sys_map_readable(fd, (size_t)status.st_size, &memory);
        if (r < 0)
                return r;
        *ret_bytes = (size_t)status.st_size;
        return gate_find(memory, *ret_bytes, ret) ? 0 : -EPROTO;
}

void admission_refuse(const struct gate *gate, struct request_desk *desk, const struct gate_refusal *refusal,
                      struct lingering *lingering)
{
        struct prefork_scoreboard *board = desk->slot.board;
        char text[RECORD_BYTES];
        uint32_t more;

        if (gate_may_log(board, refusal, &more)) {
                struct line line = record_begin(text, RECORD_NOTICE);
                gate_explain(&line, board, refusal, more);
                record_write(&line);
        }
        connection_log_refused(&desk->log, desk->slot.wake_fd, refusal->client, refusal->connection,
                               gate_end(refusal->answer));
        lingering_refuse(lingering, refusal->connection, &gate->full_response);
}
