/* long: the sockets of units and the stored ones are both what a service manager has passed */
#include "master/manager/fd_store.h"

#include <errno.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/number.h"
#include "base/text.h"
#include "logic/config/datagram_rules.h"
#include "logic/protocol/fd_store_name.h"
#include "master/manager/manager_link.h"
#include "os/activation.h"

struct fd_store {
        struct manager_link *manager;
        struct activation passed; /* sockets of socket units, which stay; stored ones until they are taken over */
        uint64_t store_max;       /* capacity of the store, in descriptors; 0: there is no store */
        uint64_t stored_count;
        bool is_full; /* the warning was logged */
};

/* systemd sets FDSTORE since version 254; for older versions the unit does (Environment=FDSTORE=…). Without FDSTORE,
 * assume no store: a listener wrongly believed to be stored would be lost with the connections in its queue. */
static uint64_t read_store_max(void)
{
        const char *text = getenv("FDSTORE");
        uint64_t max = 0;

        if (text && number_parse(text, &max) < 0)
                max = 0;
        unsetenv("FDSTORE");
        return max;
}

int fd_store_new(struct manager_link *manager, struct fd_store **ret)
{
        struct fd_store *store = calloc(1, sizeof(*store));

        if (!store)
                return -ENOMEM;
        *store = (struct fd_store){.manager = manager, .store_max = read_store_max()};
        int r = activation_receive(&store->passed);
        if (r == -EINVAL)
                log_warning("LISTEN_FDS, LISTEN_FDNAMES and the descriptors passed do not match: ignored");
        else if (r < 0) {
                fd_store_free(store);
                return r;
        }
        if (!manager_link_is_heard(manager))
                store->store_max = 0;
        *ret = store;
        return 0;
}

static void say_removed(struct fd_store *store, const char *name)
{
        manager_link_say(store->manager, -1, "FDSTOREREMOVE=1\nFDNAME=%s", name);
}

static const char *unusable_text(int error)
{
        switch (error) {
        case EINVAL:
                return "it does not listen, or not any more; restart its socket unit";
        case ENOTSOCK:
                return "it is no socket";
        case ESOCKTNOSUPPORT:
                return "it is no socket for connections or datagrams (ListenStream= or ListenDatagram=)";
        default:
                return strerror(error);
        }
}

static void append_names(const struct fd_store *store, struct text *text)
{
        const char *separator = "";

        for (size_t i = 0; i < store->passed.count; i++)
                if (!fd_store_name_is_ours(store->passed.sockets[i].name)) {
                        text_appendf(text, "%s%s", separator, store->passed.sockets[i].name);
                        separator = ", ";
                }
}

/* Why the pool cannot use a socket of a unit, for users; NULL: it can. */
static const char *find_fault(const struct pool_config *pool, const struct activation_socket *socket)
{
        if (socket->error != 0)
                return unusable_text(socket->error);
        return socket->address.datagram ? datagram_rules_reason(pool, &socket->address) : NULL;
}

/* The one socket of that name. NULL, with a problem added, if there is not exactly one usable socket. */
static const struct activation_socket *find_activated(const struct fd_store *store, const struct pool_config *pool,
                                                      const char *name, struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[POOL_LISTEN];
        const struct activation_socket *found = NULL;
        _cleanup_(text_clear) struct text names = {0};
        size_t count = 0;

        for (size_t i = 0; i < store->passed.count; i++)
                if (text_equal(store->passed.sockets[i].name, name)) {
                        found = &store->passed.sockets[i];
                        count++;
                }
        append_names(store, &names);
        if (count == 0)
                problem_add(problems, origin->file, origin->line,
                            "listen: no socket unit has passed a socket \"%s\" (FileDescriptorName=); passed: %s", name,
                            names.length > 0 ? text_string(&names) : "none");
        else if (count > 1)
                problem_add(problems, origin->file, origin->line,
                            "listen: %zu sockets are called \"%s\"; give each a socket unit and a FileDescriptorName= "
                            "of its "
                            "own",
                            count, name);
        const char *fault = count == 1 ? find_fault(pool, found) : NULL;
        if (fault)
                problem_add(problems, origin->file, origin->line, "listen: \"%s\" cannot be used: %s", name, fault);
        return count == 1 && !fault ? found : NULL;
}

/* The pool gets a duplicate: the socket stays available for later configurations. */
static int open_activated(const struct fd_store *store, const struct pool_config *pool, const char *name,
                          const struct listener_options *options, struct listener *ret, struct problem_list *problems)
{
        const struct activation_socket *socket = find_activated(store, pool, name, problems);

        if (!socket)
                return -ENOENT;
        _cleanup_(fd_closep) int fd = fcntl(socket->fd, F_DUPFD_CLOEXEC, 3);
        int r = fd < 0 ? -errno
                       : listener_adopt(fd, &socket->address, &socket->address, LISTENER_ACTIVATED, options, ret);
        if (r < 0) {
                const struct origin *origin = &pool->origins[POOL_LISTEN];
                problem_add(problems, origin->file, origin->line, "listen: cannot take over \"%s\": %s", name,
                            strerror(-r));
                return r;
        }
        TAKE_FD(fd);
        return 1;
}

/* Also one that does not listen any more: its address is known. */
static struct activation_socket *find_stored(const struct fd_store *store, const struct address *address)
{
        for (size_t i = 0; i < store->passed.count; i++) {
                struct activation_socket *socket = &store->passed.sockets[i];
                if (socket->fd >= 0 && (socket->error == 0 || socket->error == EINVAL) &&
                    fd_store_name_is_ours(socket->name) && listener_is_for(&socket->address, address))
                        return socket;
        }
        return NULL;
}

/* Shut the socket down for every process that has it, the manager included: nobody can connect to it any more, and the
 * address can be bound again at once. */
static void discard(struct fd_store *store, struct activation_socket *socket)
{
        say_removed(store, socket->name);
        shutdown(socket->fd, SHUT_RD);
        fd_closep(&socket->fd);
}

static int open_stored(struct fd_store *store, const struct pool_config *pool, const struct listen_address *address,
                       const struct listener_options *options, struct listener *ret)
{
        struct activation_socket *socket = find_stored(store, &address->address);
        const struct log_fields fields = {.pool = pool->name};
        char name[FD_STORE_NAME_MAX];

        if (!socket)
                return 0;
        int r = socket->error != 0 ? -socket->error
                                   : listener_adopt(socket->fd, &socket->address, &address->address, LISTENER_STORED,
                                                    options, ret);
        if (r < 0) {
                log_emit(LOG_NOTICE, &fields, "the stored listener %s cannot be taken over (%s): opening it anew",
                         address->text,
                         r == -ESTALE   ? "it has changed"
                         : r == -EINVAL ? "it does not listen any more"
                                        : strerror(-r));
                discard(store, socket);
                return 0;
        }
        log_emit(LOG_INFO, &fields, "taking over the stored listener %s", address->text);
        TAKE_FD(socket->fd);
        /* The manager removes a descriptor by its name. If the name has changed (`*:80` has become `0.0.0.0:80`), the
         * listener is stored again. */
        fd_store_name_format(address->text, name);
        if (text_equal(name, socket->name) && store->stored_count < store->store_max)
                store->stored_count++;
        else {
                say_removed(store, socket->name);
                ret->origin = LISTENER_OWN;
        }
        return 1;
}

int fd_store_open(struct fd_store *store, const struct pool_config *pool, const struct listen_address *address,
                  const struct listener_options *options, struct listener *ret, struct problem_list *problems)
{
        const char *name = listen_address_socket_name(address);

        return name ? open_activated(store, pool, name, options, ret, problems)
                    : open_stored(store, pool, address, options, ret);
}

int fd_store_try(const struct fd_store *store, const struct pool_config *pool, const struct listen_address *address,
                 struct problem_list *problems)
{
        const char *name = listen_address_socket_name(address);

        if (!name)
                return 0;
        return find_activated(store, pool, name, problems) ? 1 : -ENOENT;
}

static bool is_used(const struct config *config, const char *name)
{
        for (size_t p = 0; p < config->pool_count; p++)
                for (size_t i = 0; i < config->pools[p]->listen.count; i++) {
                        const char *used = listen_address_socket_name(&config->pools[p]->listen.items[i]);
                        if (used && text_equal(used, name))
                                return true;
                }
        return false;
}

void fd_store_check_unused(const struct fd_store *store, const struct config *config, bool is_start,
                           struct problem_list *problems)
{
        const char *file = config->file_count > 0 ? config->files[0] : NULL;

        for (size_t i = 0; i < store->passed.count; i++) {
                const struct activation_socket *socket = &store->passed.sockets[i];
                char address[ADDRESS_TEXT_MAX] = "no listening socket";
                if (fd_store_name_is_ours(socket->name) || is_used(config, socket->name))
                        continue;
                if (socket->error == 0)
                        address_format(&socket->address, address, sizeof(address));
                if (is_start)
                        problem_add(problems, file, 0,
                                    "no pool listens on the socket \"%s\" that a socket unit has passed (%s); add "
                                    "listen = " LISTEN_SYSTEMD_PREFIX "%s, or take the unit away",
                                    socket->name, address, socket->name);
                else
                        problem_warn(problems, file, 0,
                                     "no pool listens any more on the socket \"%s\" of a socket unit (%s): clients "
                                     "wait there, "
                                     "and the next start will be refused",
                                     socket->name, address);
        }
}

void fd_store_store(struct fd_store *store, const char *address, struct listener *listener)
{
        char name[FD_STORE_NAME_MAX];

        if (listener->origin != LISTENER_OWN || store->store_max == 0)
                return;
        if (store->stored_count >= store->store_max) {
                if (!store->is_full)
                        log_warning(
                                "the service manager's store has room for %llu listeners only: others do not outlive a "
                                "restart; raise FileDescriptorStoreMax=",
                                (unsigned long long)store->store_max);
                store->is_full = true;
                return;
        }
        fd_store_name_format(address, name);
        int r = manager_link_say(store->manager, listener->fd, "FDSTORE=1\nFDNAME=%s", name);
        if (r < 0) {
                log_warning("cannot give the listener %s to the service manager (%s): it does not outlive a restart",
                            address, strerror(-r));
                return;
        }
        listener->origin = LISTENER_STORED;
        store->stored_count++;
}

void fd_store_release(struct fd_store *store, const char *address, struct listener *listener)
{
        char name[FD_STORE_NAME_MAX];

        if (listener->origin != LISTENER_STORED)
                return;
        fd_store_name_format(address, name);
        say_removed(store, name);
        listener->origin = LISTENER_OWN;
        store->stored_count--;
}

/* Close a stored listener that the configuration does not mention. */
static void retire_stored(struct fd_store *store, struct activation_socket *socket)
{
        char text[ADDRESS_TEXT_MAX] = "";
        struct listener listener;
        const struct listener_options options = {
                .backlog = 1, .socket_mode = 0600, .socket_uid = (uid_t)-1, .socket_gid = (gid_t)-1};

        if (socket->error == 0)
                address_format(&socket->address, text, sizeof(text));
        log_notice("the stored listener %s is not configured any more: closed", text[0] != '\0' ? text : socket->name);
        /* Adopt it as if it were in service, so that closing also removes its path if the path still leads to it. */
        if (socket->error == 0 && socket->address.any.sa_family == AF_UNIX &&
            listener_adopt(socket->fd, &socket->address, &socket->address, LISTENER_STORED, &options, &listener) == 0) {
                say_removed(store, socket->name);
                listener.origin = LISTENER_OWN;
                listener_close(&listener);
                TAKE_FD(socket->fd);
                return;
        }
        discard(store, socket);
}

void fd_store_settle(struct fd_store *store)
{
        for (size_t i = 0; i < store->passed.count; i++) {
                struct activation_socket *socket = &store->passed.sockets[i];
                if (socket->fd >= 0 && fd_store_name_is_ours(socket->name))
                        retire_stored(store, socket);
        }
}

static const struct field fd_store_fields[] = {
        DERIVED(struct fd_store, manager, "set by the reader"),
        WRITTEN(struct fd_store, passed, "passed"),
        FIELD(struct fd_store, store_max, "store_max"),
        FIELD(struct fd_store, stored_count, "stored_count"),
        FIELD(struct fd_store, is_full, "is_full"),
};

static const struct field socket_fields[] = {
        WRITTEN(struct activation_socket, fd, "fd"),
        WRITTEN(struct activation_socket, name, "name"),
        DERIVED(struct activation_socket, address, "the socket knows it"),
        FIELD(struct activation_socket, error, "error"),
        WRITTEN(struct activation, sockets, "passed"),
        DERIVED(struct activation, count, "the number of sockets"),
};

static json_t *write_socket(const struct activation_socket *socket, struct state_file *file)
{
        json_t *object = state_file_fields(socket_fields, ELEMENTS(socket_fields), socket);
        int r = state_file_set(object, "name", state_file_string(socket->name));

        if (r == 0)
                r = state_file_set(object, "fd", state_file_descriptor(file, socket->fd));
        return state_file_finish(object, r);
}

static json_t *write_passed(const struct activation *passed, struct state_file *file)
{
        json_t *array = json_array();
        int r = 0;

        for (size_t i = 0; r == 0 && i < passed->count; i++)
                if (passed->sockets[i].fd >= 0)
                        r = state_file_append(array, write_socket(&passed->sockets[i], file));
        return state_file_finish(array, r);
}

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct fd_store *store = owner;
        json_t *object = state_file_fields(fd_store_fields, ELEMENTS(fd_store_fields), store);

        return state_file_finish(object, state_file_set(object, "passed", write_passed(&store->passed, file)));
}

static int read_part(void *owner, struct state_file *file, const json_t *value)
{
        struct fd_store *store = owner;
        const json_t *passed = state_file_array(value, "passed");
        int r = state_file_read_fields(file, fd_store_fields, ELEMENTS(fd_store_fields), value, store);

        activation_clear(&store->passed); /* normally empty: LISTEN_FDS was for the first program of this process */
        store->passed.sockets = calloc(json_array_size(passed) + 1, sizeof(*store->passed.sockets));
        if (!store->passed.sockets)
                return -ENOMEM;
        for (size_t i = 0; i < json_array_size(passed) && r == 0; i++) {
                struct activation_socket *socket = &store->passed.sockets[store->passed.count++];
                const json_t *entry = json_array_get(passed, i);
                socket->fd = -1;
                r = state_file_read_string(file, entry, "name", &socket->name);
                if (r == 0)
                        r = state_file_read_fields(file, socket_fields, ELEMENTS(socket_fields), entry, socket);
                if (r == 0)
                        r = state_file_take_descriptor(file, entry, "fd", &socket->fd);
                if (r == 0 && socket->error == 0)
                        socket->error = -activation_examine(socket->fd, &socket->address);
        }
        return r;
}

const struct state_part fd_store_part = {.name = "fd_store", .write = write_part, .read = read_part};

void fd_store_free(struct fd_store *store)
{
        if (!store)
                return;
        activation_clear(&store->passed);
        free(store);
}
