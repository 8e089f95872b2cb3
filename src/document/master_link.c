#include "document/master_link.h"

#include <errno.h>
#include <poll.h>

#include "base/cleanup.h"
#include "os/clock.h"
#include "os/memory_file.h"
#include "os/net/passed_fd.h"

/* A document is as good as new for this long; the master renders no more often. */
#define FRESH_MS 100

static void forget(struct master_document *document)
{
        if (document->bytes)
                memory_file_unmap(document->bytes, document->length);
        document->bytes = NULL;
}

static int ask(struct master_link *link, enum status_link_document document)
{
        struct master_document *wanted = &link->documents[document];
        link->number += link->number == UINT32_MAX ? 2 : 1; /* never 0 */
        const struct status_link_request request = {.number = link->number, .document = document};

        if (wanted->asked != 0)
                return 0;
        int r = passed_fd_send(link->fd, &request, sizeof(request), -1);
        if (r == 0)
                wanted->asked = request.number;
        return r;
}

static struct master_document *find_asked(struct master_link *link, uint32_t number)
{
        for (size_t i = 0; i < ELEMENTS(link->documents); i++)
                if (number != 0 && link->documents[i].asked == number)
                        return &link->documents[i];
        return NULL;
}

/* Drop answers that have come since nobody waits for them any more: nobody knows how old they are. */
static int drop_answers(struct master_link *link)
{
        struct status_link_answer answer;
        int r;

        do {
                _cleanup_(fd_closep) int file = -1;
                r = passed_fd_receive(link->fd, &answer, sizeof(answer), &file);
                struct master_document *document = r == 0 ? find_asked(link, answer.number) : NULL;
                if (document)
                        document->asked = 0;
        } while (r == 0);
        return r == -EAGAIN ? 0 : r;
}

/* Take an answer. 0: it may be what is wanted, or not; -errno, also if the master cannot answer that. */
static int take_answer(struct master_link *link, const struct master_document *wanted)
{
        struct status_link_answer answer;
        _cleanup_(fd_closep) int file = -1;

        int r = passed_fd_receive(link->fd, &answer, sizeof(answer), &file);
        struct master_document *document = r == 0 ? find_asked(link, answer.number) : NULL;
        if (!document)
                return r;
        document->asked = 0;
        if (document != wanted)
                return 0;
        if (answer.error != 0 || file < 0)
                return answer.error > 0 ? -answer.error : -EPROTO;
        forget(document);
        r = memory_file_map(file, &document->bytes, &document->length);
        if (r == 0)
                document->received_ms = clock_now_ms();
        return r;
}

/* Wait until the socket can be read. 0 or -ETIMEDOUT. */
static int wait_for_answer(const struct master_link *link, uint64_t give_up_ms)
{
        struct pollfd poll_fd = {.fd = link->fd, .events = POLLIN};
        uint64_t now_ms = clock_now_ms();

        if (now_ms >= give_up_ms)
                return -ETIMEDOUT;
        poll(&poll_fd, 1, (int)(give_up_ms - now_ms)); /* whatever interrupts it, the caller looks */
        return 0;
}

static bool is_fresh(const struct master_document *document)
{
        return document->bytes && clock_now_ms() - document->received_ms < FRESH_MS;
}

int master_link_get(struct master_link *link, enum status_link_document document, unsigned patience_ms,
                    const char **ret_bytes, size_t *ret_length)
{
        struct master_document *wanted = &link->documents[document];
        uint64_t give_up_ms = clock_now_ms() + patience_ms;
        int r = 0;

        if (link->fd < 0)
                return -EPIPE;
        if (!is_fresh(wanted)) {
                r = drop_answers(link);
                if (r == 0)
                        r = ask(link, document);
                while (r == 0 && wanted->asked != 0) {
                        r = take_answer(link, wanted);
                        if (r == -EAGAIN)
                                r = wait_for_answer(link, give_up_ms);
                }
        }
        if (r < 0)
                return r == -EAGAIN ? -ETIMEDOUT : r;
        *ret_bytes = wanted->bytes;
        *ret_length = wanted->length;
        return 0;
}

void master_link_clear(struct master_link *link)
{
        for (size_t i = 0; i < ELEMENTS(link->documents); i++)
                forget(&link->documents[i]);
}
