#include "master/config/config_host.h"

#include <assert.h>
#include <errno.h>
#include <fcntl.h>
#include <grp.h>
#include <linux/capability.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/schema.h"
#include "logic/policy/listening.h"
#include "master/config/host_arguments.h"
#include "master/config/host_limits.h"
#include "master/config/host_private.h"
#include "master/config/module_check.h"
#include "master/config/preload_check.h"
#include "master/config/program_files.h"
#include "os/net/listener.h"
#include "os/process/capability.h"
#include "os/process/credentials.h"
#include "os/process/executable.h"
#include "os/process/file_rights.h"
#include "os/process/program.h"
#include "os/process/status_object.h"

void host_report(const struct host *host, bool warning, enum pool_option option, const char *format, ...)
{
        const struct pool_config *pool = host->pool;
        const struct origin *place = pool->origins[option].line > 0 ? &pool->origins[option] : &pool->section;
        _cleanup_(text_clear) struct text text = {0};
        va_list arguments;

        va_start(arguments, format);
        if (text_appendv(&text, format, arguments) < 0 ||
            (host->consequence && text_appendf(&text, "; %s", host->consequence) < 0))
                host->problems->out_of_memory = true;
        va_end(arguments);
        const char *name = place->of_defaults ? pool->name : NULL;
        (warning || host->consequence ? problem_warn : problem_add)(
                host->problems, place->file, place->line, "%s: %s%s%s%s", pool_options[option].name, text_string(&text),
                name ? " (pool \"" : "", name ? name : "", name ? "\")" : "");
}

static struct directory_id id_of(const struct stat *status)
{
        return (struct directory_id){.device = status->st_dev, .inode = status->st_ino};
}

/* The directory that workers change to; true if it can be looked into. */
static bool check_root_directory(const struct host *host)
{
        const char *root = host->pool->root_directory;
        struct stat status;

        if (!root)
                return true;
        if (!capability_is_effective(CAP_SYS_CHROOT)) {
                host_report(host, false, POOL_ROOT_DIRECTORY, "only root (CAP_SYS_CHROOT) can change it: %s",
                            strerror(EPERM));
                return false;
        }
        int error = stat(root, &status) < 0 ? errno : S_ISDIR(status.st_mode) ? 0 : ENOTDIR;
        if (error != 0)
                host_report(host, false, POOL_ROOT_DIRECTORY, "cannot use \"%s\": %s", root, strerror(error));
        else
                host->pool->root_directory_id = id_of(&status);
        return error == 0;
}

static void check_directory(const struct host *host)
{
        const char *root = host->pool->root_directory, *path = host->pool->directory;
        _cleanup_(text_clear) struct text why = {0};
        struct stat status;

        if (!path)
                return;
        if (executable_check_directory(&host->place, path, &why) < 0)
                host_report(host, false, POOL_DIRECTORY, "cannot use \"%s%s\"%s: %s", root ? root : "", path,
                            host->user, text_string(&why));
        else if (executable_stat(&host->place, path, &status) == 0)
                host->pool->directory_id = id_of(&status);
}

/* Loading it executes code of the module, as the pool's user. */
static int check_module(const struct host *host)
{
        const struct pool_config *pool = host->pool;
        _cleanup_(text_clear) struct text why = {0};

        int r = program_files_note(host->pool, &host->place, pool->handler.list[0], "");
        if (r == 0)
                r = module_check(pool, &host->place.user, &why);
        if (r == -ENOMEM || r == 0)
                return r;
        host_report(host, false, POOL_HANDLER, "cannot load \"%s%s\"%s: %s",
                    pool->root_directory ? pool->root_directory : "", pool->handler.list[0], host->user,
                    text_string(&why));
        return 0;
}

/* One of them is in an object of its own. */
static int check_builtin(const struct host *host)
{
        const struct pool_config *pool = host->pool;
        const char *path = status_object_path();
        _cleanup_(text_clear) struct text why = {0};

        if (!pool_config_is_status(pool))
                return 0;
        if (!path) {
                host_report(host, false, POOL_HANDLER,
                            "this preforkd was built without the builtin \"%s\" (meson setup -Dstatus=true)",
                            pool->handler.list[0]);
                return 0;
        }
        int r = module_check(pool, &host->place.user, &why);
        if (r == -ENOMEM || r == 0)
                return r;
        host_report(host, false, POOL_HANDLER, "cannot load \"%s%s\"%s: %s",
                    pool->root_directory ? pool->root_directory : "", path, host->user, text_string(&why));
        return 0;
}

/* Can the preload object be loaded into the program, as far as that is known? */
static int check_preload(const struct host *host, const char *path)
{
        _cleanup_(text_clear) struct text why = {0};
        enum pool_option option;

        int r = path ? preload_check(host->pool, &host->place, path, &option, &why) : 0;
        if (r == 0)
                r = preload_choose(host->pool, &host->place, path, &option, &why);
        if (r > 0)
                host_report(host, false, option, "%s", text_string(&why));
        return r < 0 ? r : 0;
}

/* Does the program at `path` count on rights that its file gives it? */
static int warn_rights(const struct host *host, const char *path)
{
        _cleanup_(freep) char *interpreter = NULL, *argument = NULL;
        const struct pool_config *pool = host->pool;

        if (!pool->no_new_privileges || pool_config_needs_privileges(pool))
                return 0;
        _cleanup_(fd_closep) int fd = executable_open(&host->place, path);
        int r = executable_interpreter(&host->place, path, &interpreter, &argument);
        const char *rights = r == 0 && fd >= 0 && !interpreter ? file_rights_of(fd, &host->place.user) : NULL;
        if (rights)
                host_report(host, true, POOL_HANDLER,
                            "\"%s%s\": %s, which no_new_privileges = yes makes void; set it to no if the handler fails",
                            pool->root_directory ? pool->root_directory : "", path, rights);
        return r;
}

static int check_program(const struct host *host)
{
        const struct pool_config *pool = host->pool;
        const char *search_path = pool->clear_environment ? NULL : getenv("PATH");
        _cleanup_(text_clear) struct text why = {0};
        _cleanup_(freep) char *path = NULL;

        if (!search_path)
                search_path = PROGRAM_DEFAULT_PATH;
        for (size_t i = 0; i < pool->environment.count; i++)
                if (text_starts_with(pool->environment.list[i], "PATH="))
                        search_path = pool->environment.list[i] + strlen("PATH=");
        int r = executable_find(&host->place, pool->handler.list[0], search_path, &path, &why);
        if (r == -ENOMEM)
                return r;
        if (r != 0)
                host_report(host, r > 0, POOL_HANDLER, "cannot execute \"%s%s\"%s: %s",
                            path && pool->root_directory ? pool->root_directory : "",
                            path ? path : pool->handler.list[0], host->user, text_string(&why));
        int checked = r == 0 ? host_arguments_check_script(host, path) : 0;
        if (checked == 0 && r == 0)
                checked = warn_rights(host, path);
        if (checked == 0)
                checked = check_preload(host, r == 0 ? path : NULL); /* decides who keeps the handler's files */
        return checked == 0 && r >= 0 ? program_files_note(host->pool, &host->place, path, search_path) : checked;
}

static int check_handler(const struct host *host)
{
        static int (*const checks[HANDLER_TYPE_COUNT])(const struct host *host) = {
                [HANDLER_INETD] = check_program,
                [HANDLER_LISTENER] = check_program,
                [HANDLER_MODULE] = check_module,
                [HANDLER_BUILTIN] = check_builtin,
        };

        int (*check)(const struct host *host) = checks[host->pool->handler_type];
        return check && host->pool->handler.count > 0 ? check(host) : 0;
}

/* What becoming another user takes. Nothing is asked for where nothing changes. */
static void check_ids(const struct host *host)
{
        const struct pool_config *pool = host->pool;
        const struct file_user *wanted = &host->place.user;
        bool has_other_user = pool->user.resolved && pool->user.id != geteuid();

        if (geteuid() != 0)
                return; /* logic/config/check has spoken */
        if (has_other_user && !capability_is_effective(CAP_SETUID))
                host_report(host, false, POOL_USER,
                            "preforkd is root without CAP_SETUID, and so cannot run workers as %s", pool->user.name);
        if (has_other_user && !capability_is_effective(CAP_KILL))
                host_report(host, false, POOL_USER,
                            "preforkd is root without CAP_KILL, and so can neither retire nor end workers of %s",
                            pool->user.name);
        if (capability_is_effective(CAP_SETGID))
                return;
        if (pool->group.resolved && pool->group.id != getegid())
                host_report(host, false, POOL_GROUP,
                            "preforkd is root without CAP_SETGID, and so cannot run workers in %s", pool->group.name);
        if (wanted->change && !credentials_has_groups(wanted->groups, wanted->group_count))
                host_report(host, false, POOL_SUPPLEMENTARY_GROUPS,
                            "preforkd is root without CAP_SETGID, and so cannot set the groups of workers; expected "
                            "its own "
                            "groups");
}

static bool is_own_group(gid_t group)
{
        return group == getegid() || group_member(group);
}

/* The owner of a UNIX socket; one that a socket unit passes has its owner already, so this cannot refuse. */
static void check_socket_owner(const struct host *host)
{
        const struct pool_config *pool = host->pool;

        if (capability_is_effective(CAP_CHOWN) || !pool_config_uses(pool, POOL_SOCKET_USER))
                return;
        if (pool->socket_user.resolved && pool->socket_user.id != geteuid())
                host_report(host, true, POOL_SOCKET_USER,
                            "preforkd has no CAP_CHOWN, and so cannot give its sockets to %s", pool->socket_user.name);
        if (pool->socket_group.resolved && !is_own_group(pool->socket_group.id))
                host_report(host, true, POOL_SOCKET_GROUP,
                            "preforkd has no CAP_CHOWN, and is no member of %s, to which its sockets shall belong",
                            pool->socket_group.name);
}

/* The kernel's word about an address, as far as it does not depend on who listens there now: probably ourselves. */
static void check_address(const struct host *host, const struct listen_address *listen)
{
        const struct listener_options options = {.ipv6_only = host->pool->ipv6_only,
                                                 .free_bind = host->pool->free_bind,
                                                 .device = host->pool->bind_to_device};
        bool is_unix = listen->address.any.sa_family == AF_UNIX;

        if (listen_address_socket_name(listen))
                return;
        int r = listener_try(&listen->address, &options);
        if (r == -ENODEV && options.device)
                host_report(host, false, POOL_BIND_TO_DEVICE, "there is no network interface \"%s\"", options.device);
        else if (r == -EPERM && options.device)
                host_report(host, false, POOL_BIND_TO_DEVICE, "preforkd needs CAP_NET_RAW for it here: %s",
                            strerror(EPERM));
        else if (r == -EADDRNOTAVAIL)
                host_report(host, false, POOL_LISTEN,
                            "%s: no interface of this machine has that address; free_bind = yes does not need one",
                            listen->text);
        else if (r == -EACCES && !is_unix)
                host_report(host, false, POOL_LISTEN, "%s: only root (CAP_NET_BIND_SERVICE) can use port %u: %s",
                            listen->text, address_port(&listen->address), strerror(EACCES));
        else if (r == -ENOTSOCK)
                host_report(host, false, POOL_LISTEN, "%s: the path exists and is not a socket", listen->text);
        else if (r == -EACCES)
                host_report(host, false, POOL_LISTEN, "%s: preforkd may not make a socket in that directory: %s",
                            listen->text, strerror(EACCES));
        else if ((r == -ENOENT || r == -ENOTDIR) && is_unix) /* the service manager may make it (RuntimeDirectory=) */
                host_report(host, true, POOL_LISTEN, "%s: the directory cannot be used now: %s", listen->text,
                            strerror(-r));
}

/* As a start would: with partial_start a pool waits for what cannot be opened. */
static void check_addresses(const struct host *host, bool partial_start)
{
        const struct pool_config *pool = host->pool;
        struct host looking = *host;

        looking.consequence = listening_may_wait(partial_start, false, 0) ? LISTENING_WAITS : NULL;
        for (size_t i = 0; i < pool->listen.count; i++)
                check_address(&looking, &pool->listen.items[i]);
}

static int check_pool(struct host *host)
{
        check_ids(host);
        check_socket_owner(host);
        host_limits_check(host);
        host_arguments_check(host);
        if (!check_root_directory(host))
                return 0;
        check_directory(host);
        return check_handler(host);
}

/* Prepare to look at files as the pool's user. */
static int prepare(struct host *host, gid_t **ret_groups, char **ret_user)
{
        const struct pool_config *pool = host->pool;
        const struct account_list *list = &pool->supplementary_groups;
        gid_t *groups = *ret_groups = calloc(list->count + 1, sizeof(*groups));
        size_t count = 0;

        if (!groups)
                return -ENOMEM;
        for (size_t i = 0; i < list->count; i++)
                if (list->items[i].resolved)
                        groups[count++] = list->items[i].id;
        host->place = (struct executable_place){
                .root = pool->root_directory,
                .directory = pool->directory ? pool->directory : "/",
                .user = {.change = pool->user.resolved,
                         .uid = pool->user.id,
                         .gid = pool->group.resolved ? pool->group.id : getegid(),
                         .groups = groups,
                         .group_count = count},
        };
        if (!pool->user.resolved)
                host->user = "";
        else if (asprintf(ret_user, " as user \"%s\"", pool->user.name) < 0)
                return -ENOMEM;
        else
                host->user = *ret_user;
        return 0;
}

int config_host_check(bool is_test, struct config *config, struct problem_list *problems)
{
        int r = 0;

        for (size_t i = 0; i < config->pool_count && r == 0; i++) {
                _cleanup_(freep) gid_t *groups = NULL;
                _cleanup_(freep) char *user = NULL;
                struct host host = {.pool = config->pools[i], .problems = problems};
                r = prepare(&host, &groups, &user);
                if (r == 0 && is_test)
                        check_addresses(&host, config->master.partial_start);
                if (r == 0)
                        r = check_pool(&host);
        }
        return r;
}
