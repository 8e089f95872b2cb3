#include "master/config/config_reader.h"

#include <errno.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/cleanup.h"
#include "base/text.h"
#include "logic/config/config_options.h"
#include "logic/config/parse.h"
#include "master/config/config_access.h"
#include "master/config/config_accounts.h"
#include "master/config/config_environment.h"
#include "master/config/config_files.h"
#include "master/config/config_host.h"
#include "master/config/config_log.h"
#include "master/config/config_messages.h"

static int read_options(const struct config_source *source, struct config *config, struct problem_list *problems)
{
        int r = 0;

        for (const char *const *option = source->options; *option && r == 0; option += 2)
                r = config_parse_option(config, option[0], option[1], problems);
        /* A pool that was started by hand must not take over the control socket of the service. */
        if (r == 0 && config->master.origins[MASTER_CONTROL].line == 0)
                r = config_parse_option(config, "control", "", problems);
        return r;
}

struct config_context config_reader_context(void)
{
        return (struct config_context){.is_root = geteuid() == 0, .uid = geteuid(), .gid = getegid()};
}

int config_read(const struct config_source *source, struct config *ret, struct problem_list *problems)
{
        struct config_context context = config_reader_context();
        int r;

        context.from_command_line = source->file == NULL;
        r = source->file ? config_files_read(ret, source->file, problems) : read_options(source, ret, problems);
        if (r == 0)
                r = config_set_defaults(ret);
        if (r == 0)
                r = config_environment_complete(ret, problems);
        if (r == 0)
                r = config_accounts_resolve(ret, problems);
        if (r == 0)
                r = config_access_resolve(ret, problems);
        if (r == 0)
                r = config_messages_complete(ret, problems);
        if (r == 0)
                r = config_finish(ret, &context, problems);
        if (r == 0)
                r = config_log_check(ret, problems);
        return r == 0 ? config_host_check(source->is_test, ret, problems) : r;
}
