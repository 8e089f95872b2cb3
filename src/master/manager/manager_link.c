#include "master/manager/manager_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdlib.h>
#include <string.h>
#include <sys/queue.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/loop/evloop.h"
#include "os/clock.h"
#include "os/notify.h"

#define RETRY_MS 20

struct message {
        STAILQ_ENTRY(message) entry;
        int fd; /* a duplicate of our own; -1: none */
        char lines[];
};

struct notify_queue {
        struct notifier *notifier;
        STAILQ_HEAD(, message) messages;
        struct evloop_timer *timer;
};

/* False: no room now. What fails otherwise (the manager is gone, or refuses us) will not be better later. */
static bool send_now(struct notify_queue *queue, const char *lines, int fd)
{
        int r = notifier_send(queue->notifier, lines, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0);

        if (r < 0 && r != -EAGAIN && r != -ENOBUFS)
                log_debug("the service manager does not hear us: %s", strerror(-r));
        return r != -EAGAIN && r != -ENOBUFS;
}

static void remove_first(struct notify_queue *queue)
{
        struct message *message = STAILQ_FIRST(&queue->messages);

        STAILQ_REMOVE_HEAD(&queue->messages, entry);
        fd_closep(&message->fd);
        free(message);
}

static void send_waiting(void *context)
{
        struct notify_queue *queue = context;

        while (!STAILQ_EMPTY(&queue->messages)) {
                const struct message *message = STAILQ_FIRST(&queue->messages);
                if (!send_now(queue, message->lines, message->fd)) {
                        evloop_timer_set(queue->timer, clock_now_ms() + RETRY_MS);
                        return;
                }
                remove_first(queue);
        }
}

static void enqueue(struct notify_queue *queue, const char *lines, int fd)
{
        size_t size = strlen(lines) + 1;
        struct message *message = malloc(sizeof(*message) + size);

        if (!message)
                return;
        message->fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;
        memcpy(message->lines, lines, size);
        if (STAILQ_EMPTY(&queue->messages))
                evloop_timer_set(queue->timer, clock_now_ms() + RETRY_MS);
        STAILQ_INSERT_TAIL(&queue->messages, message, entry);
}

void notify_queue_say(struct notify_queue *queue, int fd, const char *format, ...)
{
        _cleanup_(text_clear) struct text text = {0};
        va_list arguments;

        if (!notify_queue_is_heard(queue))
                return;
        va_start(arguments, format);
        int r = text_appendv(&text, format, arguments);
        va_end(arguments);
        if (r == 0 && (notify_queue_is_stuck(queue) || !send_now(queue, text_string(&text), fd)))
                enqueue(queue, text_string(&text), fd);
}

int notify_queue_new(struct evloop *loop, struct notify_queue **ret)
{
        struct notify_queue *queue = calloc(1, sizeof(*queue));
        int r = queue ? 0 : -ENOMEM;

        if (r == 0) {
                STAILQ_INIT(&queue->messages);
                r = notifier_new(&queue->notifier);
        }
        if (r == -EINVAL) { /* the variable is gone now: this one is a notifier without a manager */
                log_warning("NOTIFY_SOCKET is no UNIX socket's address: the service manager will hear nothing of us");
                r = notifier_new(&queue->notifier);
        }
        if (r == 0)
                r = evloop_timer_new(loop, send_waiting, queue, &queue->timer);
        if (r < 0) {
                notify_queue_free(queue);
                return r;
        }
        *ret = queue;
        return 0;
}

bool notify_queue_is_heard(const struct notify_queue *queue)
{
        return notifier_is_heard(queue->notifier);
}

uint64_t notify_queue_watchdog_ms(const struct notify_queue *queue)
{
        return notifier_watchdog_ms(queue->notifier);
}

bool notify_queue_is_stuck(const struct notify_queue *queue)
{
        return !STAILQ_EMPTY(&queue->messages);
}

int notify_queue_set_environment(const struct notify_queue *queue)
{
        return notifier_set_environment(queue->notifier);
}

void notify_queue_clear_environment(void)
{
        notifier_clear_environment();
}

static json_t *write_message(const struct message *message, struct document *document)
{
        json_t *object = json_object();
        int r = document_set(object, "lines", document_string(message->lines));

        if (r == 0 && message->fd >= 0)
                r = document_set(object, "fd", document_descriptor(document, message->fd));
        return document_finish(object, r);
}

json_t *notify_queue_write(const struct notify_queue *queue, struct document *document)
{
        json_t *array = json_array();
        const struct message *message;
        int r = 0;

        STAILQ_FOREACH(message, &queue->messages, entry)
                r = r == 0 ? document_append(array, write_message(message, document)) : r;
        return document_finish(array, r);
}

int notify_queue_read(struct notify_queue *queue, struct document *document, const json_t *array)
{
        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                _cleanup_(text_clear) struct text lines = {0};
                _cleanup_(fd_closep) int fd = -1;
                int r = document_read_bytes(document, object, "lines", &lines);
                if (r == 0 && json_object_get(object, "fd"))
                        r = document_take_descriptor(document, object, "fd", &fd);
                if (r < 0)
                        return r;
                enqueue(queue, text_string(&lines), fd);
        }
        return 0;
}

void notify_queue_free(struct notify_queue *queue)
{
        if (!queue)
                return;
        if (queue->timer)
                send_waiting(queue);
        while (!STAILQ_EMPTY(&queue->messages))
                remove_first(queue);
        evloop_timer_free(queue->timer);
        notifier_free(queue->notifier);
        free(queue);
}
