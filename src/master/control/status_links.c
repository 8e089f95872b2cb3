#include "master/control/status_links.h"

#include <errno.h>
#include <stdlib.h>
#include <sys/socket.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/secret.h"
#include "logic/policy/rate_limit.h"
#include "master/control/control_commands.h"
#include "master/control/control_documents.h"
#include "master/loop/evloop.h"
#include "os/clock.h"
#include "os/memory_file.h"
#include "os/net/passed_fd.h"
#include "os/process/unwanted_fds.h"

/* Of a link: so often a second, after a burst, in units of a millisecond. */
#define LINK_RATE UINT64_C(40)
#define REQUEST_COST (1000 / LINK_RATE)
#define REQUEST_BURST (20 * REQUEST_COST)

/* A document is as good as new for this, and for so many times the CPU time that it took to render it: a master that
 * was kept waiting meanwhile, or stopped, has used none. */
#define FRESH_MS 100
#define FRESH_FACTOR 50

/* The least that the kernel gives: some answers may wait, and no more, because each keeps a file. */
#define SEND_BUFFER_BYTES 1

struct status_link {
        struct status_links *links;
        struct status_link *next, **link; /* of the list */
        pid_t worker;
        int fd;
        struct evloop_watch *watch;
        struct evloop_timer *pause; /* until it is read again; made when it is first needed */
        struct rate_limit limit;
};

static void link_free(struct status_link *link)
{
        evloop_watch_free(link->watch);
        evloop_timer_free(link->pause);
        unwanted_fds_close(&link->fd);
        *link->link = link->next;
        if (link->next)
                link->next->link = link->link;
        free(link);
}

static json_t *make_document(const struct control_host *host, uint32_t document)
{
        const struct status_of_daemon about = host->describe(host->context);
        unsigned detail = document == STATUS_LINK_WORKERS ? STATUS_WORKERS : 0;
        size_t found;

        return document == STATUS_LINK_WHY ? control_document_why(host->pools, NULL, &found)
                                           : control_document_status(&about, host->pools, NULL, detail, &found);
}

/* Write the document to a new file. */
static int write_file(json_t *document, int *ret_fd)
{
        _cleanup_(wiped_freep) char *text =
                document ? json_dumps(document, JSON_COMPACT | JSON_REAL_PRECISION(6)) : NULL;
        _cleanup_(fd_closep) int fd = -1;

        json_decref(document);
        if (!text)
                return -ENOMEM;
        int r = memory_file_open("preforkd-status", &fd);
        if (r == 0)
                r = memory_file_write(fd, text, strlen(text));
        if (r == 0)
                r = memory_file_write(fd, "\n", 1);
        if (r == 0)
                r = memory_file_seal(fd);
        if (r == 0)
                *ret_fd = TAKE_FD(fd);
        return r;
}

/* Render the document, unless it is as good as new. 0 or -errno. */
static int refresh(struct status_links *links, uint32_t document)
{
        struct status_rendering *rendering = &links->documents[document];
        uint64_t now_ms = clock_now_ms();
        int fd = -1;

        if (rendering->fd >= 0 && now_ms < rendering->until_ms)
                return 0;
        uint64_t begun_ns = clock_thread_cpu_ns();
        int r = write_file(make_document(links->host, document), &fd);
        if (r < 0)
                return r;
        fd_closep(&rendering->fd);
        rendering->fd = fd;
        uint64_t pause_ms = (clock_thread_cpu_ns() - begun_ns) / 1000000 * FRESH_FACTOR;
        rendering->until_ms = now_ms + MAX_OF(pause_ms, (uint64_t)FRESH_MS);
        return 0;
}

/* False: the link is of no use any more. */
static bool answer(struct status_link *link, const struct status_link_request *request)
{
        int r = refresh(link->links, request->document);
        const struct status_link_answer answer = {.number = request->number, .error = -r};

        r = passed_fd_send(link->fd, &answer, sizeof(answer),
                           r == 0 ? link->links->documents[request->document].fd : -1);
        /* One that does not read its answers is not waited for. */
        return r == 0 || r == -EAGAIN || r == -ENOBUFS || r == -ENOMEM || r == -ETOOMANYREFS;
}

static void on_pause_over(void *context)
{
        const struct status_link *link = context;

        evloop_watch_resume(link->watch);
}

/* True if it has asked too often, and is read again later. */
static bool has_paused(struct status_link *link)
{
        uint64_t now_ms = clock_now_ms();
        uint64_t left = rate_limit_left(&link->limit, now_ms, REQUEST_BURST);

        if (left >= REQUEST_COST)
                return false;
        if (!link->pause && evloop_timer_new(link->links->loop, on_pause_over, link, &link->pause) < 0)
                return false;
        evloop_watch_pause(link->watch);
        evloop_timer_set(link->pause, now_ms + REQUEST_COST - left);
        return true;
}

static void on_readable(void *context)
{
        struct status_link *link = context;
        const struct log_fields fields = {.worker_pid = link->worker};
        struct status_link_request request;
        _cleanup_(fd_closep) int passed = -1; /* what nobody has asked for */

        if (has_paused(link))
                return;
        int r = (int)unwanted_fds_look(link->fd, sizeof(request));
        if (r >= 0)
                r = passed_fd_receive(link->fd, &request, sizeof(request), &passed);
        if (r == -EAGAIN)
                return;
        rate_limit_take(&link->limit, clock_now_ms(), REQUEST_BURST, REQUEST_COST);
        if (r == -EPROTO || (r == 0 && request.document >= STATUS_LINK_DOCUMENT_COUNT)) {
                log_emit(LOG_WARNING, &fields, "asks for a status in words that no worker uses: it gets no answers");
                link_free(link);
        } else if (r < 0 || !answer(link, &request))
                link_free(link);
}

int status_links_pair(int *ret_own, int *ret_other)
{
        static const int least = SEND_BUFFER_BYTES;
        int pair[2];

        if (socketpair(AF_UNIX, SOCK_SEQPACKET | SOCK_CLOEXEC, 0, pair) < 0)
                return -errno;
        setsockopt(pair[0], SOL_SOCKET, SO_SNDBUF, &least, sizeof(least));
        unwanted_fds_refuse(pair[0]);
        *ret_own = pair[0];
        *ret_other = pair[1];
        return 0;
}

static int add(struct status_links *links, pid_t worker, int own)
{
        struct status_link *link = calloc(1, sizeof(*link));
        _cleanup_(fd_closep) int owned = own;

        if (!link)
                return -ENOMEM;
        *link = (struct status_link){.links = links, .worker = worker, .fd = own};
        int r = evloop_watch_new(links->loop, own, on_readable, link, &link->watch);
        if (r < 0) {
                free(link);
                return r;
        }
        TAKE_FD(owned);
        link->next = links->first;
        link->link = &links->first;
        if (link->next)
                link->next->link = &link->next;
        links->first = link;
        return 0;
}

void status_links_add(struct status_links *links, pid_t worker, int own)
{
        const struct log_fields fields = {.worker_pid = worker};

        if (add(links, worker, own) < 0)
                log_emit(LOG_WARNING, &fields, "cannot serve a status: out of memory");
}

void status_links_remove(struct status_links *links, pid_t worker)
{
        struct status_link *next;

        for (struct status_link *link = links->first; link; link = next) {
                next = link->next;
                if (link->worker == worker)
                        link_free(link);
        }
}

void status_links_open(struct status_links *links, struct evloop *loop, const struct control_host *host)
{
        *links = (struct status_links){.loop = loop, .host = host};
        for (size_t i = 0; i < ELEMENTS(links->documents); i++)
                links->documents[i].fd = -1;
}

static const struct field link_fields[] = {
        DERIVED(struct status_links, loop, "made anew"),
        DERIVED(struct status_links, host, "made anew"),
        WRITTEN(struct status_links, first, "status_links"),
        DERIVED(struct status_links, documents, "rendered anew"),
        DERIVED(struct status_rendering, fd, "rendered anew"),
        DERIVED(struct status_rendering, until_ms, "rendered anew"),
        DERIVED(struct status_link, links, "set by the reader"),
        DERIVED(struct status_link, next, "the order of the list"),
        DERIVED(struct status_link, link, "the order of the list"),
        FIELD(struct status_link, worker, "worker"),
        WRITTEN(struct status_link, fd, "fd"),
        DERIVED(struct status_link, watch, "made anew"),
        DERIVED(struct status_link, pause, "a pause ends with the program"),
        DERIVED(struct status_link, limit, "begins anew"),
};

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct status_links *links = owner;
        json_t *array = json_array();
        int r = 0;

        for (const struct status_link *link = links->first; r == 0 && link; link = link->next) {
                json_t *object = state_file_fields(link_fields, ELEMENTS(link_fields), link);
                r = state_file_set(object, "fd", state_file_descriptor(file, link->fd));
                r = state_file_append(array, state_file_finish(object, r));
        }
        return state_file_finish(array, r);
}

static int read_part(void *owner, struct state_file *file, const json_t *array)
{
        int r = 0;

        for (size_t i = json_array_size(array); i-- > 0 && r == 0;) {
                const json_t *object = json_array_get(array, i);
                struct status_link read = {0};
                int fd;
                r = state_file_read_fields(file, link_fields, ELEMENTS(link_fields), object, &read);
                if (r == 0)
                        r = state_file_take_descriptor(file, object, "fd", &fd);
                if (r == 0)
                        r = add(owner, read.worker, fd);
        }
        return r;
}

const struct state_part status_links_part = {.name = "status_links", .write = write_part, .read = read_part};

void status_links_close(struct status_links *links)
{
        while (links->first)
                link_free(links->first);
        for (size_t i = 0; i < ELEMENTS(links->documents); i++)
                fd_closep(&links->documents[i].fd);
}
