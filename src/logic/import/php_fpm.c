#include "logic/import/php_fpm.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "logic/import/sections.h"
#include "logic/import/service.h"

#define PROGRAM "/usr/bin/php-cgi"

static const char master[] = "a key of [preforkd], which is for all pools";
static const char shown[] = "a pool whose handler is the builtin status serves /status?json and /ping, of all pools";
static const char manager[] = "the service manager does that";
static const char logged[] = "what php writes to stderr is in preforkd's log";

static IMPORT_TAKE(take_listen)
{
        _cleanup_(text_clear) struct text address = {0};
        const char *value = directive->value;
        bool is_port = value[0] != '\0' && strspn(value, "0123456789") == strlen(value);

        if (text_appendf(&address, "%s%s", is_port ? "*:" : "", value) < 0)
                draft->out_of_memory = true;
        if (!draft_set_word(draft, pool, row->ours, text_string(&address)))
                draft_leave_out(draft, pool, "it has no address without");
}

static IMPORT_TAKE(take_positive)
{
        if (isdigit((unsigned char)directive->value[0]) && !text_equal(directive->value, "0"))
                draft_set(draft, pool, row->ours, directive->value);
        else
                draft_note(draft, pool, "%s is what it is unless you set it", row->ours);
}

/* The numbers of spare workers, which only pm = dynamic knows. */
static IMPORT_TAKE(take_spare)
{
        if (text_equal(draft_value(pool, "scaling"), "dynamic"))
                draft_set(draft, pool, row->ours, directive->value);
        else
                draft_note(draft, pool, "it says nothing without pm = dynamic");
}

static IMPORT_TAKE(take_idle_timeout)
{
        if (text_equal(draft_value(pool, "scaling"), "ondemand"))
                import_take_time(draft, pool, row, directive);
        else
                draft_note(draft, pool, "it says nothing without pm = ondemand");
}

/* The name in `php_value[NAME]`. */
static bool find_name(const char *word, struct text *name, struct draft *draft)
{
        const char *open = strchr(word, '['), *close = open ? strchr(open, ']') : NULL;

        if (!close || close == open + 1)
                return false;
        if (text_append_bytes(name, open + 1, (size_t)(close - open - 1)) < 0)
                draft->out_of_memory = true;
        return true;
}

/* `-d NAME="VALUE"`, which is read as a line of php.ini. */
static IMPORT_TAKE(take_php)
{
        _cleanup_(text_clear) struct text name = {0}, setting = {0};
        const char *value = directive->value;
        bool quotes = value[strspn(value, "0123456789abcdefghijklmnopqrstuvwxyzABCDEFGHIJKLMNOPQRSTUVWXYZ")] != '\0' &&
                      !strpbrk(value, "\"'");

        if (!find_name(directive->word, &name, draft)) {
                draft_ask(draft, pool, "no setting is named");
                return;
        }
        if (text_appendf(&setting, quotes ? "%s=\"%s\"" : "%s=%s", text_string(&name), value) < 0)
                draft->out_of_memory = true;
        draft_add_word(draft, pool, row->ours, "-d");
        if (!draft_add_word(draft, pool, row->ours, text_string(&setting)))
                draft_leave_out(draft, pool, "the setting cannot be given to php-cgi");
}

static IMPORT_TAKE(take_env)
{
        _cleanup_(text_clear) struct text name = {0}, variable = {0};

        if (!find_name(directive->word, &name, draft))
                draft_ask(draft, pool, "no variable is named");
        else if (directive->value[0] == '$')
                draft_set(draft, pool, "pass_environment", text_string(&name));
        else if (text_appendf(&variable, "%s=%s", text_string(&name), directive->value) < 0)
                draft->out_of_memory = true;
        else
                draft_add_word(draft, pool, row->ours, text_string(&variable));
}

/* php-cgi asks for itself who may connect. */
static IMPORT_TAKE(take_clients)
{
        _cleanup_(text_clear) struct text variable = {0};

        (void)row;
        if (text_appendf(&variable, "FCGI_WEB_SERVER_ADDRS=%s", directive->value) < 0)
                draft->out_of_memory = true;
        else if (!draft_add_word(draft, pool, "environment", text_string(&variable)))
                draft_close(draft, pool, "php-cgi cannot be told");
}

/* clang-format off */
const struct import_row php_fpm_rows[] = {
        {"listen", "listen", "a port alone is every address", take_listen},
        {"listen.backlog", "backlog", NULL, take_positive},
        {"listen.owner", "socket_user", NULL, import_take_word},
        {"listen.group", "socket_group", NULL, import_take_word},
        {"listen.mode", "socket_mode", NULL, import_take_same},
        {"listen.acl_*", NULL, "a socket has an owner and a group; or set the list by setfacl", import_take_ask},
        {"listen.allowed_clients", NULL, "php-cgi asks itself: FCGI_WEB_SERVER_ADDRS in environment", take_clients},
        {"listen.setfib", NULL, "for FreeBSD only", import_take_note},
        {"user", "user", NULL, NULL},
        {"group", "group", NULL, import_take_word},
        {"pm", "scaling", NULL, import_take_word},
        {"pm.max_children", "max_workers", NULL, import_take_same},
        {"pm.start_servers", "start_workers", NULL, take_spare},
        {"pm.min_spare_servers", "min_spare_workers", NULL, take_spare},
        {"pm.max_spare_servers", "max_spare_workers", NULL, take_spare},
        {"pm.max_spawn_rate", NULL, "missing workers are started at once", import_take_note},
        {"pm.process_idle_timeout", "spare_timeout", NULL, take_idle_timeout},
        {"pm.max_requests", "max_requests", NULL, import_take_same},
        {"pm.status*", NULL, shown, import_take_note},
        {"ping.*", NULL, shown, import_take_note},
        {"request_terminate_timeout", "request_timeout", NULL, import_take_time},
        {"request_terminate_timeout_track_finished", NULL, "a request ends when php-cgi has closed its connection",
         import_take_note},
        {"request_slowlog_timeout", "request_slowlog_timeout", NULL, import_take_time},
        {"request_slowlog_trace_depth", NULL, "there is no backtrace", import_take_note},
        {"slowlog", NULL, "what is slow is in the log", import_take_note},
        {"chroot", "root_directory", NULL, import_take_word},
        {"chdir", "directory", NULL, import_take_word},
        {"process.priority", "nice", NULL, import_take_same},
        {"process.dumpable", NULL, "limit_core decides about core dumps", import_take_note},
        {"process.max", "max_workers_total", "in [preforkd]", NULL},
        {"rlimit_files", "limit_nofile", NULL, import_take_limit},
        {"rlimit_core", "limit_core", NULL, import_take_limit},
        {"env*", "environment", NULL, take_env},
        {"clear_env", "clear_environment", NULL, import_take_yes_no},
        {"catch_workers_output", NULL, logged, import_take_note},
        {"decorate_workers_output", NULL, logged, import_take_note},
        {"access.*", NULL, "php-cgi writes no such log; the web server does", import_take_note},
        {"security.limit_extensions", NULL,
         "php-cgi executes whatever file the web server names; let that name only those that end so", import_take_note},
        {"php_value*", "handler", "-d NAME=VALUE", take_php},
        {"php_flag*", "handler", "-d NAME=VALUE", take_php},
        {"php_admin_value*", "handler", "-d NAME=VALUE; scripts can change what ini_set() may change", take_php},
        {"php_admin_flag*", "handler", "-d NAME=VALUE; scripts can change what ini_set() may change", take_php},
        {"apparmor_hat", NULL, "a profile for php-cgi", import_take_note},
        {"prefix", NULL, "write whole paths", import_take_ask},

        {"include", NULL, "those files are read, too", NULL},
        {"error_log", "log_target", master, NULL},
        {"log_level", "log_level", master, NULL},
        {"log_limit", NULL, "a line of the log has at most 2,048 bytes", NULL},
        {"log_buffering", NULL, logged, NULL},
        {"syslog.*", NULL, "log_target = syslog", NULL},
        {"pid", NULL, manager, NULL},
        {"daemonize", NULL, manager, NULL},
        {"systemd_interval", NULL, manager, NULL},
        {"emergency_restart_threshold", NULL, "restart_delay_min: pools that fail are delayed", NULL},
        {"emergency_restart_interval", NULL, "restart_delay_max: pools that fail are delayed", NULL},
        {"process_control_timeout", "shutdown_timeout", master, NULL},
        {"events.mechanism", NULL, "there is one", NULL},
};
/* clang-format on */
const size_t php_fpm_row_count = ELEMENTS(php_fpm_rows);

/* The value without its quotes, and with the pool's name for $pool. 0 or -ENOMEM. */
static int expand(const struct section_item *item, struct text *value)
{
        const char *at = item->value;
        size_t length = strlen(at);
        int r = 0;

        if (length >= 2 && (at[0] == '"' || at[0] == '\'') && at[length - 1] == at[0]) {
                at++;
                length -= 2;
        }
        for (const char *end = at + length; at < end && r == 0;)
                if (end - at >= 5 && strncmp(at, "$pool", 5) == 0) {
                        r = text_append(value, item->section);
                        at += 5;
                } else
                        r = text_append_bytes(value, at++, 1);
        return r;
}

/* A key of [global]: it is for all pools, or for none. `pool`: the one in which it stands nevertheless, or NULL. */
static void note_global(struct draft *draft, struct draft_pool *pool, const struct section_item *item)
{
        const struct import_row *row = import_row_find(php_fpm_rows, php_fpm_row_count, item->key, false);

        if (!row)
                draft_ask(draft, pool, "%s = %s: unknown here; look up what it means", item->key, item->value);
        else
                draft_note(draft, pool, "%s = %s: %s%s%s", item->key, item->value, row->ours ? row->ours : "",
                           row->ours && row->advice ? ", " : "", row->advice ? row->advice : "");
}

static void take(struct draft *draft, struct draft_pool *pool, const struct section_item *item)
{
        const struct import_row *row = import_row_find(php_fpm_rows, php_fpm_row_count, item->key, false);
        _cleanup_(text_clear) struct text value = {0};

        if (expand(item, &value) < 0)
                draft->out_of_memory = true;
        if (row && text_equal(row->word, "user"))
                service_user(draft, pool, text_string(&value));
        const struct import_directive directive = {item->key, text_string(&value), item->file, item->line};
        if (row && !row->take && !text_equal(row->word, "user"))
                note_global(draft, pool, item);
        else if (value.length > 0)
                import_row_take(draft, pool, row, &directive);
}

/* The items of one pool: those of `pm` first, on which others depend; of a key that is set twice the last. */
static void convert_pool(struct draft *draft, const struct sections *sections, const struct section_item *first)
{
        struct draft_pool *pool = draft_add_pool(draft, first->section, first->file, first->line);

        draft_set(draft, pool, "handler_type", "listener");
        draft_set(draft, pool, "listen_fd", "0");
        draft_set_word(draft, pool, "handler", PROGRAM);
        for (unsigned round = 0; round < 2; round++)
                for (size_t i = 0; i < sections->count; i++) {
                        const struct section_item *item = &sections->items[i];
                        bool counts = text_equal(item->section, first->section) &&
                                      text_equal(item->key, "pm") == (round == 0);
                        for (size_t later = i + 1; counts && later < sections->count; later++)
                                counts = !text_equal(sections->items[later].section, item->section) ||
                                         !text_equal(sections->items[later].key, item->key);
                        if (counts)
                                take(draft, pool, item);
                }
        if (draft_value(pool, "user")[0] == '\0')
                draft_leave_out(draft, pool, "it has no user");
}

int php_fpm_convert(struct draft *draft, const struct import_input *input)
{
        struct sections sections = {0};
        int r = 0;

        for (size_t i = 0; i < input->count && r == 0; i++)
                r = sections_read(&sections, &input->sources[i], ";#", false);
        service_unread(draft, NULL, &sections.unread);
        draft_note(draft, NULL,
                   "php-cgi serves the pools. It has a php.ini of its own (see php-cgi -i), and executes whatever "
                   "file the web server names: security.limit_extensions is not known to it.");
        for (size_t i = 0; i < sections.count && r == 0; i++) {
                const struct section_item *item = &sections.items[i];
                bool is_first = true;
                for (size_t before = 0; before < i && is_first; before++)
                        is_first = !text_equal(sections.items[before].section, item->section);
                if (item->section[0] == '\0' || text_equal(item->section, "global"))
                        note_global(draft, NULL, item);
                else if (is_first)
                        convert_pool(draft, &sections, item);
        }
        sections_clear(&sections);
        return r;
}

int php_fpm_includes(const struct import_source *source, struct words *patterns)
{
        struct sections sections = {0};
        int r = sections_read(&sections, source, ";#", false);

        for (size_t i = 0; i < sections.count && r == 0; i++)
                if (text_equal(sections.items[i].key, "include"))
                        r = words_add(patterns, sections.items[i].value);
        sections_clear(&sections);
        return r;
}
