#include "master/upgrade/upgrade.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/log.h"
#include "base/text.h"
#include "master/loop/evloop.h"
#include "master/loop/reaper.h"
#include "master/upgrade/preflight.h"
#include "master/upgrade/way_back.h"
#include "os/process/image.h"

/* All that is needed to execute a program; what it refers to is not closed by the execution. */
struct execution {
        struct state_file file; /* the descriptors that stay open */
        int state_fd, own_fd;
        char option[48], *way_back;
        char **arguments;
};

struct upgrade {
        struct upgrade_setup setup;
        struct evloop_timer *timer; /* continues the upgrade in a turn of its own */
        char *path;                 /* NULL: no upgrade is in progress */
        char by[48];
        struct image_file file;      /* the file at the preflight */
        uint64_t version;            /* the version of the configuration at the preflight */
        struct preflight *preflight; /* NULL: passed */
        struct execution execution;  /* of the preflight, while it is started */
        bool cancelled;
};

static void forget(struct upgrade *upgrade)
{
        preflight_free(TAKE_PTR(upgrade->preflight));
        evloop_timer_unset(upgrade->timer);
        freep(&upgrade->path);
        upgrade->cancelled = false;
}

/* The upgrade has failed. */
static void fail(struct upgrade *upgrade, const struct problem_list *problems)
{
        forget(upgrade);
        upgrade->setup.host.failed(upgrade->setup.host.context, problems);
}

static void fail_to_execute(struct upgrade *upgrade, const char *path, int r)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};

        problem_add(&problems, path, 0, "cannot execute it: %s", strerror(-r));
        fail(upgrade, &problems);
}

/* `PATH --take-over=FD --way-back=…` followed by the arguments of this program; `way_back` may be NULL. NULL: out of
 * memory. */
static char **make_arguments(const struct upgrade *upgrade, const char *option, const char *way_back)
{
        char *const *old = upgrade->setup.arguments;
        size_t count = 0;

        while (old[count])
                count++;
        char **arguments = calloc(count + 4, sizeof(*arguments)), **at = arguments;
        if (!arguments)
                return NULL;
        *at++ = upgrade->path;
        *at++ = (char *)(uintptr_t)option;
        if (way_back)
                *at++ = (char *)(uintptr_t)way_back;
        memcpy(at, old, count * sizeof(*arguments));
        return arguments;
}

static void execution_clear(struct execution *execution)
{
        fd_closep(&execution->state_fd);
        fd_closep(&execution->own_fd);
        free(execution->arguments);
        free(execution->way_back);
        state_file_forget(&execution->file);
}

/* Write the state, and the arguments by which the program finds it. 0 or -errno. */
static int execution_prepare(const struct upgrade *upgrade, bool is_preflight, struct execution *execution)
{
        struct state_file *file = &execution->file;

        *execution = (struct execution){.state_fd = -1, .own_fd = -1};
        int r = handover_write(upgrade->setup.parts, file);
        if (r == 0)
                r = state_file_save(file, &execution->state_fd);
        if (r == 0 && !is_preflight)
                r = way_back_open(upgrade->setup.program, &execution->way_back, &execution->own_fd);
        snprintf(execution->option, sizeof(execution->option), "%s%d",
                 is_preflight ? TAKE_OVER_PREFLIGHT_OPTION : TAKE_OVER_OPTION, execution->state_fd);
        if (r == 0 && !(execution->arguments = make_arguments(upgrade, execution->option, execution->way_back)))
                r = -ENOMEM;
        if (r == 0 && (!state_file_keep(file, execution->state_fd) ||
                       (execution->own_fd >= 0 && !state_file_keep(file, execution->own_fd))))
                r = -ENOMEM;
        return r;
}

/* Execute the program in this process. Does not return on success; -errno, with nothing changed. */
static int execute(const struct upgrade *upgrade, const struct execution *execution)
{
        return image_execute(upgrade->path, execution->arguments, execution->file.descriptors,
                             execution->file.descriptor_count);
}

static int write_and_execute(const struct upgrade *upgrade)
{
        _cleanup_(execution_clear) struct execution execution;

        int r = execution_prepare(upgrade, false, &execution);
        return r == 0 ? execute(upgrade, &execution) : r;
}

static void replace_ourselves(struct upgrade *upgrade)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        const struct upgrade_host *host = &upgrade->setup.host;
        struct image_file file;

        int r = image_look(upgrade->path, &file);
        if (r == 0 && !image_is_same(&file, &upgrade->file)) {
                problem_add(&problems, upgrade->path, 0, "it has changed since its preflight");
                fail(upgrade, &problems);
                return;
        }
        if (r == 0) {
                log_notice("executing %s (%s)", upgrade->path, upgrade->by);
                /* Otherwise a worker whose end is known but not delivered would be handed over as running. */
                reaper_collect(upgrade->setup.reaper);
                r = host->set_environment(host->context);
                if (r == 0)
                        r = write_and_execute(upgrade);
                host->clear_environment(host->context);
        }
        fail_to_execute(upgrade, upgrade->path, r);
}

static int execute_preflight(void *context)
{
        const struct upgrade *upgrade = context;

        return execute(upgrade, &upgrade->execution);
}

static void on_preflight_end(void *context, const struct problem_list *problems)
{
        struct upgrade *upgrade = context;

        preflight_free(TAKE_PTR(upgrade->preflight));
        if (upgrade->cancelled)
                forget(upgrade);
        else if (problem_list_refuses(problems))
                fail(upgrade, problems);
        else
                evloop_timer_set(upgrade->timer, 0); /* in a turn of its own: the reaper is still collecting */
}

static void on_timer(void *context)
{
        upgrade_continue(context);
}

static int start_preflight(struct upgrade *upgrade)
{
        const struct preflight_setup setup = {.loop = upgrade->setup.loop,
                                              .reaper = upgrade->setup.reaper,
                                              .path = upgrade->path,
                                              .context = upgrade,
                                              .execute = execute_preflight,
                                              .ended = on_preflight_end};

        upgrade->version = *upgrade->setup.version;
        /* The state is written here, because a child does not have the secrets in it. */
        int r = execution_prepare(upgrade, true, &upgrade->execution);
        if (r == 0)
                r = preflight_start(&setup, &upgrade->preflight);
        execution_clear(&upgrade->execution); /* the child has its copy */
        return r;
}

void upgrade_continue(struct upgrade *upgrade)
{
        const struct upgrade_host *host = &upgrade->setup.host;

        if (!upgrade->path || upgrade->preflight || host->is_busy(host->context))
                return;
        if (upgrade->version == *upgrade->setup.version) {
                replace_ourselves(upgrade);
                return;
        }
        log_notice("upgrading: another preflight of %s, for the configuration has changed", upgrade->path);
        evloop_timer_unset(upgrade->timer);
        int r = start_preflight(upgrade);
        if (r < 0)
                fail_to_execute(upgrade, upgrade->path, r);
}

void upgrade_look_again(struct upgrade *upgrade)
{
        if (upgrade->path && !upgrade->preflight)
                evloop_timer_set(upgrade->timer, 0);
}

/* A program that others can write would run with our privileges. 0, -EPERM (the upgrade has failed, and it was said
 * why), or -errno. */
static int check_writers(struct upgrade *upgrade)
{
        _cleanup_(problem_list_clear) struct problem_list problems = {0};
        _cleanup_(text_clear) struct text why = {0};

        int r = image_check_writers(upgrade->path, &why);
        if (r == -EPERM) {
                problem_add(&problems, upgrade->path, 0, "%s", text_string(&why));
                fail(upgrade, &problems);
        }
        return r;
}

/* 0 or -errno. */
static int begin(struct upgrade *upgrade, const char *path, const char *by)
{
        int r = path ? image_look(path, &upgrade->file) : -ENOENT;

        if (r < 0)
                return r;
        upgrade->path = strdup(path);
        if (!upgrade->path)
                return -ENOMEM;
        snprintf(upgrade->by, sizeof(upgrade->by), "%s", by);
        r = check_writers(upgrade);
        if (r < 0)
                return r == -EPERM ? 0 : r;
        log_notice("upgrading: preflight of %s (%s)", path, by);
        return start_preflight(upgrade);
}

void upgrade_begin(struct upgrade *upgrade, const char *path, const char *by)
{
        if (upgrade->path) {
                log_notice("not upgrading (%s): an upgrade is under way", by);
                return;
        }
        path = path ? path : upgrade->setup.program;
        int r = begin(upgrade, path, by);
        if (r < 0)
                fail_to_execute(upgrade, path, r);
}

bool upgrade_is_under_way(const struct upgrade *upgrade)
{
        return upgrade->path;
}

void upgrade_cancel(struct upgrade *upgrade)
{
        upgrade->cancelled = upgrade->preflight;
        if (upgrade->preflight)
                preflight_kill(upgrade->preflight);
        else
                forget(upgrade);
}

int upgrade_new(const struct upgrade_setup *setup, struct upgrade **ret)
{
        struct upgrade *upgrade = calloc(1, sizeof(*upgrade));

        if (!upgrade)
                return -ENOMEM;
        upgrade->setup = *setup;
        int r = evloop_timer_new(setup->loop, on_timer, upgrade, &upgrade->timer);
        if (r < 0) {
                free(upgrade);
                return r;
        }
        *ret = upgrade;
        return 0;
}

void upgrade_free(struct upgrade *upgrade)
{
        if (!upgrade)
                return;
        forget(upgrade);
        evloop_timer_free(upgrade->timer);
        free(upgrade);
}

int upgrade_take_over(const struct state_parts *parts, const struct take_over *take_over, struct problem_list *problems)
{
        int r = handover_read(parts, take_over->fd, problems);

        if (take_over->is_preflight)
                preflight_answer(r, problems);
        if (r == 0) {
                close(take_over->fd);
                if (take_over->previous_fd >= 0)
                        close(take_over->previous_fd);
        }
        return r;
}
