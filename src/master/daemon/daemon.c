#include "master/daemon/daemon.h"

#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "master/daemon/log_host.h"
#include "master/daemon/private.h"
#include "master/daemon/startup.h"
#include "master/daemon/upgrade_host.h"
#include "master/loop/evloop.h"
#include "master/manager/manager_link.h"
#include "master/reload/reload_queue.h"
#include "master/upgrade/preflight.h"
#include "os/process/title.h"

/* Several masters may run on one machine; the file tells them apart. */
static void set_title(const struct daemon_setup *setup)
{
        if (setup->take_over.is_preflight)
                process_title_set(PREFLIGHT_TITLE);
        else if (setup->source.file)
                process_title_set("master (%s)", setup->source.file);
        else
                process_title_set("master");
}

/* What workers and handlers have written is a part of it. */
static void end_log(struct daemon *daemon)
{
        worker_output_finish_all(&daemon->outputs);
        log_host_end(daemon);
}

/* Not even the log could be opened; or it needs memory, which is what has failed. */
static void tell_failure(const struct daemon *daemon, int r)
{
        if (daemon->log_sink && r != -ENOMEM)
                log_error("cannot start: %s", strerror(-r));
        else if (!daemon->setup->take_over.is_preflight)
                fprintf(stderr, "preforkd: error: cannot start: %s\n", strerror(-r));
}

int daemon_run(struct daemon_setup *setup)
{
        struct daemon daemon;

        set_title(setup);
        int r = startup_open(&daemon, setup);
        if (r < 0 && setup->take_over.is_preflight)
                preflight_answer(r, &(struct problem_list){0});
        if (r < 0 && setup->take_over.wanted)
                upgrade_host_go_back(&daemon);
        if (r == 0 && setup->take_over.wanted)
                upgrade_host_take_over(&daemon); /* returns if it has */
        manager_link_clear_environment();        /* before the first child */
        if (r == 0 && !setup->take_over.wanted)
                r = reload_queue_first(daemon.reloads);
        if (r == 0)
                evloop_run(daemon.loop);
        else {
                tell_failure(&daemon, r);
                daemon.exit_code = MASTER_EXIT_FAILURE;
        }
        if (r == 0 && daemon.config)
                log_event(MESSAGE_ID_STOPPED, LOG_NOTICE, "stopped");
        end_log(&daemon);
        int exit_code = daemon.exit_code;
        startup_close(&daemon);
        return exit_code;
}
