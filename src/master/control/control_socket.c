#include "master/control/control_socket.h"

#include <errno.h>
#include <stdlib.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "logic/protocol/control_access.h"
#include "master/loop/evloop.h"
#include "os/clock.h"
#include "os/directory.h"
#include "os/net/peer.h"
#include "os/process/unwanted_fds.h"

#define BACKLOG 128

/* A client is not dropped in favour of a new one before we have waited for it this long. */
#define PATIENCE_MS 1000

/* How long to pause after accept(2) failed because descriptors or memory were short. */
#define ACCEPT_PAUSE_MS 1000

static void has_room(void *context)
{
        struct control *control = context;

        if (control->listening)
                evloop_watch_resume(control->watch);
}

int control_new(struct evloop *loop, const struct control_dispatch *dispatch, struct control **ret)
{
        struct control *control = calloc(1, sizeof(*control));

        if (!control)
                return -ENOMEM;
        *control = (struct control){
                .loop = loop,
                .clients = {.loop = loop, .dispatch = *dispatch, .has_room = has_room, .context = control}};
        *ret = control;
        return 0;
}

static void pause_until(struct control *control, uint64_t at_ms)
{
        evloop_watch_pause(control->watch);
        evloop_timer_set(control->pause, at_ms);
}

/* Make room for one more client, if necessary by dropping the one that we have waited for longest. False if none may be
 * dropped yet; accepting is paused then. */
static bool make_room(struct control *control)
{
        struct control_client *oldest;

        if (control->clients.count < CONTROL_CLIENTS_MAX)
                return true;
        oldest = control_client_find_slowest(&control->clients);
        if (!oldest) /* all clients wait for a reload or an upgrade, whose end makes room */
                evloop_watch_pause(control->watch);
        else if (clock_now_ms() < control_client_since_ms(oldest) + PATIENCE_MS)
                pause_until(control, control_client_since_ms(oldest) + PATIENCE_MS);
        else {
                control_client_free(oldest);
                return true;
        }
        return false;
}

static bool is_allowed(const struct control *control, const struct peer *peer)
{
        const struct control_client_ids ids = {
                .uid = peer->uid, .gid = peer->gid, .groups = peer->groups, .group_count = peer->group_count};

        return control_access_allowed(&ids, geteuid(), control->has_group ? &control->group : NULL);
}

static void on_connection(void *context)
{
        struct control *control = context;
        _cleanup_(peer_clear) struct peer peer = {0};
        _cleanup_(fd_closep) int fd = -1;

        if (!make_room(control))
                return;
        int r = peer_accept(control->listener.fd, &fd, &peer);
        if (r == -EAGAIN || r == -EINTR || r == -ECONNABORTED)
                return;
        if (r == 0)
                r = control_client_new(&control->clients, TAKE_FD(fd), &peer, is_allowed(control, &peer));
        if (r < 0) /* the connection stays in the queue and would wake us again at once */
                pause_until(control, clock_now_ms() + ACCEPT_PAUSE_MS);
}

static struct listener_options listener_options_of(const struct master_config *config)
{
        bool has_group = config->control_group.resolved;

        return (struct listener_options){
                .backlog = BACKLOG,
                .nonblocking = true,
                .socket_uid = (uid_t)-1,
                .socket_gid = has_group ? config->control_group.id : getegid(),
                .socket_mode = has_group ? 0660 : 0600,
        };
}

/* Create the watch, paused: no client is accepted before phase two. */
static int make_watch(struct control *control, int fd, struct evloop_watch **ret)
{
        int r = evloop_watch_new(control->loop, fd, on_connection, control, ret);

        if (r == 0)
                evloop_watch_pause(*ret);
        if (r == 0 && !control->pause)
                r = evloop_timer_new(control->loop, has_room, control, &control->pause);
        return r;
}

/* Close what phase one has opened. */
static void discard(struct control_change *change)
{
        evloop_watch_free(change->watch);
        listener_close(&change->opened);
        free(change->path);
        *change = (struct control_change){0};
}

static int open_new(struct control *control, const struct master_config *config, struct control_change *change)
{
        const struct listener_options options = listener_options_of(config);
        struct address address;

        int r = address_parse(config->control, &address);
        if (r == 0)
                r = directory_make_parent(config->control); /* /run is empty after a boot */
        if (r == 0)
                r = listener_open(&address, &options, &change->opened);
        if (r < 0)
                return r;
        unwanted_fds_refuse(change->opened.fd); /* nor to its clients' sockets */
        change->what = CONTROL_OPEN;
        change->path = strdup(config->control);
        r = change->path ? 0 : -ENOMEM;
        if (r == 0)
                r = make_watch(control, change->opened.fd, &change->watch);
        if (r < 0)
                discard(change);
        return r;
}

static const char *error_text(int error)
{
        return error == EADDRINUSE ? "another process listens there" : strerror(error);
}

/* Change the group of the open socket. undo() restores it if the reload fails. */
static int adjust(struct control *control, const struct master_config *config, struct control_change *change)
{
        const struct listener_options options = listener_options_of(config);

        if (control->has_group == config->control_group.resolved &&
            (!control->has_group || control->group == config->control_group.id))
                return 0;
        change->what = CONTROL_ADJUST;
        return listener_adjust(&control->listener, &options);
}

/* True if the open socket has the configured path. */
static bool is_same(const struct control *control, const struct master_config *config)
{
        return control->listening && text_equal(control->path, config->control) &&
               listener_is_in_place(&control->listener) /* /run may have been cleaned up */;
}

/* True if the configuration sets no control socket: preforkd does without the default one if it cannot be opened. */
static bool is_default(const struct master_config *config)
{
        return config->origins[MASTER_CONTROL].line == 0 && config->origins[MASTER_CONTROL_GROUP].line == 0;
}

/* Check what open_new() would do. For a directory that would be created, check whether a socket could be created in its
 * place. */
static int try_new(const struct master_config *config)
{
        const struct listener_options options = listener_options_of(config);
        _cleanup_(freep) char *directory = strdup(config->control);
        struct address address;

        if (!directory)
                return -ENOMEM;
        int r = address_parse(config->control, &address);
        if (r == 0)
                r = listener_try(&address, &options);
        *strrchr(directory, '/') = '\0';
        if (r == -ENOENT && directory[0] != '\0')
                r = address_parse(directory, &address) == 0 ? listener_try(&address, &options) : r;
        return r;
}

static void check(const void *owner, const struct reload_context *context)
{
        const struct control *control = owner;
        const struct master_config *config = &context->new_config->master;
        const struct origin *origin = &config->origins[MASTER_CONTROL];

        if (!config->control || is_same(control, config) || is_default(config))
                return;
        int r = try_new(config);
        if (r < 0)
                problem_add(context->problems, origin->file, origin->line, "control: cannot open %s: %s",
                            config->control, error_text(-r));
}

static void undo(void *owner, const struct reload_context *context)
{
        struct control *control = owner;
        struct control_change *change = &control->change;

        if (change->what == CONTROL_ADJUST && context->old_config) {
                const struct listener_options options = listener_options_of(&context->old_config->master);
                listener_adjust(&control->listener, &options);
        }
        if (change->what == CONTROL_OPEN)
                discard(change);
        *change = (struct control_change){0};
}

static int prepare(void *owner, const struct reload_context *context)
{
        struct control *control = owner;
        struct control_change *ret = &control->change;
        const struct master_config *config = &context->new_config->master;
        const struct origin *origin = &config->origins[MASTER_CONTROL];
        int r;

        *ret = (struct control_change){0};
        if (!config->control) {
                ret->what = control->listening ? CONTROL_CLOSE : CONTROL_KEEP;
                return 0;
        }
        bool same = is_same(control, config);
        if (same) {
                r = adjust(control, config, ret);
                origin = &config->origins[MASTER_CONTROL_GROUP];
        } else
                r = open_new(control, config, ret);
        if (r == 0)
                return 0;
        if (!same && is_default(config)) {
                log_notice("no control socket: cannot open %s: %s", config->control, error_text(-r));
                return 0;
        }
        if (same)
                undo(control, context);
        problem_add(context->problems, origin->file, origin->line, "%s: cannot %s %s: %s",
                    same ? "control_group" : "control", same ? "change" : "open", config->control, error_text(-r));
        return r;
}

static void stop_listening(struct control *control)
{
        if (!control->listening)
                return;
        evloop_timer_unset(control->pause);
        evloop_watch_free(TAKE_PTR(control->watch));
        listener_close(&control->listener);
        freep(&control->path);
        control->listening = false;
}

static void commit(void *owner, const struct reload_context *context)
{
        struct control *control = owner;
        struct control_change *change = &control->change;
        const struct master_config *config = &context->new_config->master;

        if (change->what == CONTROL_CLOSE || change->what == CONTROL_OPEN)
                stop_listening(control);
        control->has_group = config->control_group.resolved;
        control->group = config->control_group.id;
        if (change->what != CONTROL_OPEN)
                return;
        control->listener = change->opened;
        control->path = TAKE_PTR(change->path);
        control->watch = TAKE_PTR(change->watch);
        control->listening = true;
        has_room(control);
        log_info("control socket %s", control->path);
}

const struct reload_participant control_participant = {
        .name = "control socket", .check = check, .prepare = prepare, .commit = commit, .undo = undo};

static const struct field control_fields[] = {
        DERIVED(struct control, loop, "made anew"),
        DERIVED(struct control, change, "a reload is finished before anything else begins"),
        DERIVED(struct control, listening, "there is a descriptor"),
        WRITTEN(struct control, path, "path"),
        WRITTEN(struct control, listener.fd, "fd"),
        DERIVED(struct control, listener.origin, "always LISTENER_OWN"),
        DERIVED(struct control, listener.address, "the path"),
        FIELD(struct control, listener.file.device, "device"),
        FIELD(struct control, listener.file.inode, "inode"),
        DERIVED(struct control, listener.replaced, "it never drains"),
        DERIVED(struct control, listener.filtered, "it never drains"),
        DERIVED(struct control, listener.decoy_fd, "it never drains"),
        FIELD(struct control, listener.effective_backlog, "effective_backlog"),
        DERIVED(struct control, watch, "made anew"),
        DERIVED(struct control, pause, "connections are accepted at once"),
        FIELD(struct control, has_group, "has_group"),
        FIELD(struct control, group, "group"),
        WRITTEN(struct control, clients.first, "clients"),
        DERIVED(struct control, clients.loop, "made anew"),
        DERIVED(struct control, clients.dispatch, "made anew"),
        DERIVED(struct control, clients.has_room, "made anew"),
        DERIVED(struct control, clients.context, "made anew"),
        DERIVED(struct control, clients.count, "the number of clients"),
        DERIVED(struct control, clients.output_bytes, "the sum over the clients"),
};

static json_t *write_part(const void *owner, struct state_file *file)
{
        const struct control *control = owner;
        json_t *object = state_file_fields(control_fields, ELEMENTS(control_fields), control);
        int r = state_file_set(object, "clients", control_clients_write(&control->clients, file));

        if (r == 0 && control->listening)
                r = state_file_set(object, "path", state_file_string(control->path));
        if (r == 0 && control->listening)
                r = state_file_set(object, "fd", state_file_descriptor(file, control->listener.fd));
        return state_file_finish(object, r);
}

static int read_socket(struct control *control, struct state_file *file, const json_t *object)
{
        int r = state_file_read_fields(file, control_fields, ELEMENTS(control_fields), object, control);

        control->listener.decoy_fd = -1;
        if (r < 0 || !json_object_get(object, "fd"))
                return r;
        r = state_file_read_string(file, object, "path", &control->path);
        if (r == 0)
                r = state_file_take_descriptor(file, object, "fd", &control->listener.fd);
        if (r == 0 && address_parse(control->path, &control->listener.address) < 0)
                r = state_file_fail(file, "control: %s is not the path of a socket", control->path);
        if (r == 0)
                r = make_watch(control, control->listener.fd, &control->watch);
        control->listening = r == 0;
        return r;
}

static int read_part(void *owner, struct state_file *file, const json_t *value)
{
        struct control *control = owner;
        int r = read_socket(control, file, value);

        if (r == 0)
                r = control_clients_read(&control->clients, file, state_file_array(value, "clients"));
        has_room(control);
        return r;
}

const struct state_part control_part = {.name = "control", .write = write_part, .read = read_part};

void control_free(struct control *control)
{
        if (!control)
                return;
        stop_listening(control);
        while (control->clients.first)
                control_client_free(control->clients.first);
        evloop_timer_free(control->pause);
        free(control);
}
