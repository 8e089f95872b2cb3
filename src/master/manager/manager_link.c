#include "master/manager/manager_link.h"

#include <errno.h>
#include <fcntl.h>
#include <stdarg.h>
#include <stdio.h>
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
#define LINES_MAX 2048 /* a status is shorter */

struct message {
        STAILQ_ENTRY(message) entry;
        int fd; /* a duplicate of our own; -1: none */
        char lines[];
};

struct manager_link {
        struct notifier *notifier;
        STAILQ_HEAD(, message) messages;
        struct message *spare; /* of LINES_MAX, for a moment without memory; NULL: it is in use */
        struct evloop_timer *timer;
};

/* The socket has no room now, or the kernel no memory, or too many descriptors are on their way. */
static bool passes(int error)
{
        return error == -EAGAIN || error == -ENOBUFS || error == -ENOMEM || error == -EINTR || error == -ETOOMANYREFS;
}

/* False if it is worth trying again. After other failures (the manager is gone, or refuses us) a later try would fail
 * as well, so the message counts as sent. */
static bool send_now(struct manager_link *manager, const char *lines, int fd)
{
        int r = notifier_send(manager->notifier, lines, fd >= 0 ? &fd : NULL, fd >= 0 ? 1 : 0);

        if (r < 0 && !passes(r))
                log_debug("cannot notify the service manager: %s", strerror(-r));
        return !passes(r);
}

static void remove_first(struct manager_link *manager)
{
        struct message *message = STAILQ_FIRST(&manager->messages);

        STAILQ_REMOVE_HEAD(&manager->messages, entry);
        fd_closep(&message->fd);
        free(message);
}

static void send_waiting(void *context)
{
        struct manager_link *manager = context;

        while (!STAILQ_EMPTY(&manager->messages)) {
                const struct message *message = STAILQ_FIRST(&manager->messages);
                if (!send_now(manager, message->lines, message->fd)) {
                        evloop_timer_set(manager->timer, clock_now_ms() + RETRY_MS);
                        return;
                }
                remove_first(manager);
        }
}

static struct message *new_message(struct manager_link *manager, size_t size)
{
        struct message *message = malloc(sizeof(*message) + size);

        if (!message && size <= LINES_MAX) {
                message = manager->spare;
                manager->spare = NULL;
        }
        return message;
}

/* 0 or -errno: it is lost. */
static int enqueue(struct manager_link *manager, const char *lines, int fd)
{
        size_t size = strlen(lines) + 1;
        _cleanup_(fd_closep) int own_fd = fd >= 0 ? fcntl(fd, F_DUPFD_CLOEXEC, 3) : -1;

        if (fd >= 0 && own_fd < 0)
                return -errno;
        struct message *message = new_message(manager, size);
        if (!message)
                return -ENOMEM;
        message->fd = TAKE_FD(own_fd);
        memcpy(message->lines, lines, size);
        if (STAILQ_EMPTY(&manager->messages))
                evloop_timer_set(manager->timer, clock_now_ms() + RETRY_MS);
        STAILQ_INSERT_TAIL(&manager->messages, message, entry);
        if (!manager->spare)
                manager->spare = malloc(sizeof(*message) + LINES_MAX);
        return 0;
}

int manager_link_say(struct manager_link *manager, int fd, const char *format, ...)
{
        char lines[LINES_MAX];
        va_list arguments;

        if (!manager_link_is_heard(manager))
                return 0;
        va_start(arguments, format);
        vsnprintf(lines, sizeof(lines), format, arguments); /* no memory may be needed to say that we are ready */
        va_end(arguments);
        return !manager_link_is_stuck(manager) && send_now(manager, lines, fd) ? 0 : enqueue(manager, lines, fd);
}

int manager_link_new(struct evloop *loop, struct manager_link **ret)
{
        struct manager_link *manager = calloc(1, sizeof(*manager));
        int r = manager ? 0 : -ENOMEM;

        if (r == 0) {
                STAILQ_INIT(&manager->messages);
                manager->spare = malloc(sizeof(*manager->spare) + LINES_MAX);
                r = manager->spare ? notifier_new(&manager->notifier) : -ENOMEM;
        }
        if (r == -EINVAL) {
                log_warning("NOTIFY_SOCKET is not the address of a UNIX socket: the service manager is not notified");
                notifier_clear_environment();
                r = notifier_new(&manager->notifier);
        }
        if (r == 0)
                r = evloop_timer_new(loop, send_waiting, manager, &manager->timer);
        if (r < 0) {
                manager_link_free(manager);
                return r;
        }
        *ret = manager;
        return 0;
}

bool manager_link_is_heard(const struct manager_link *manager)
{
        return notifier_is_heard(manager->notifier);
}

uint64_t manager_link_watchdog_ms(const struct manager_link *manager)
{
        return notifier_watchdog_ms(manager->notifier);
}

bool manager_link_is_stuck(const struct manager_link *manager)
{
        return !STAILQ_EMPTY(&manager->messages);
}

int manager_link_set_environment(const struct manager_link *manager)
{
        return notifier_set_environment(manager->notifier);
}

void manager_link_clear_environment(void)
{
        notifier_clear_environment();
}

static const struct field message_fields[] = {
        WRITTEN(struct message, fd, "fd"),
        WRITTEN(struct message, lines, "lines"),
        DERIVED(struct message, entry, "the order of the list"),
        DERIVED(struct manager_link, notifier, "read from the environment variables, which are put back"),
        DERIVED(struct manager_link, spare, "made anew"),
        WRITTEN(struct manager_link, messages, "manager"),
        DERIVED(struct manager_link, timer, "made anew, and set if messages are queued"),
};

static json_t *write_message(const struct message *message, struct state_file *file)
{
        json_t *object = state_file_fields(message_fields, ELEMENTS(message_fields), message);
        int r = state_file_set(object, "lines", state_file_string(message->lines));

        if (r == 0 && message->fd >= 0)
                r = state_file_set(object, "fd", state_file_descriptor(file, message->fd));
        return state_file_finish(object, r);
}

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct manager_link *manager = owner;
        json_t *array = json_array();
        const struct message *message;
        int r = 0;

        STAILQ_FOREACH(message, &manager->messages, entry)
        r = r == 0 ? state_file_append(array, write_message(message, file)) : r;
        return state_file_finish(array, r);
}

static int read_part(void *owner, struct state_file *file, const json_t *array)
{
        struct manager_link *manager = owner;

        for (size_t i = 0; i < json_array_size(array); i++) {
                const json_t *object = json_array_get(array, i);
                _cleanup_(text_clear) struct text lines = {0};
                _cleanup_(fd_closep) int fd = -1;
                int r = state_file_read_bytes(file, object, "lines", &lines);
                if (r == 0 && json_object_get(object, "fd"))
                        r = state_file_take_descriptor(file, object, "fd", &fd);
                if (r < 0)
                        return r;
                r = enqueue(manager, text_string(&lines), fd);
                if (r < 0)
                        return r;
        }
        return 0;
}

const struct state_part manager_link_part = {.name = "manager", .write = write_part, .read = read_part};

void manager_link_free(struct manager_link *manager)
{
        if (!manager)
                return;
        if (manager->timer)
                send_waiting(manager);
        while (!STAILQ_EMPTY(&manager->messages))
                remove_first(manager);
        free(manager->spare);
        evloop_timer_free(manager->timer);
        notifier_free(manager->notifier);
        free(manager);
}
