#include "master/config/config_messages.h"

#include <errno.h>

#include "base/cleanup.h"
#include "base/problem.h"
#include "base/text.h"
#include "logic/config/schema.h"
#include "master/config/config_file.h"

static int complete(const struct pool_config *pool, enum pool_option option, struct message *message,
                    struct problem_list *problems)
{
        const struct origin *origin = &pool->origins[option];
        const char *name = pool_options[option].name;
        _cleanup_(text_clear) struct text text = {0};

        if (!message->path)
                return 0;
        int r = config_file_load(message->path, CONFIG_FILE_REGULAR, &text, problems);
        if (r == -ENOMEM)
                return r;
        if (r < 0)
                problem_add(problems, origin->file, origin->line, "%s: cannot read \"%s\": %s", name, message->path,
                            config_file_error(r));
        else if (text.length > MESSAGE_MAX)
                problem_add(problems, origin->file, origin->line, "%s: \"%s\" has %zu bytes; expected at most %d", name,
                            message->path, text.length, MESSAGE_MAX);
        return message_set_bytes(message, text_string(&text), MIN_OF(text.length, (size_t)MESSAGE_MAX));
}

int config_messages_complete(struct config *config, struct problem_list *problems)
{
        int r = 0;

        for (size_t i = 0; i < config->pool_count && r == 0; i++) {
                struct pool_config *pool = config->pools[i];
                r = complete(pool, POOL_FULL_RESPONSE, &pool->full_response, problems);
                if (r == 0)
                        r = complete(pool, POOL_BANNER, &pool->banner, problems);
        }
        return r;
}
