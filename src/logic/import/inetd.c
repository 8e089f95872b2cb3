#include "logic/import/inetd.h"

#include <ctype.h>
#include <errno.h>
#include <stdio.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/words.h"
#include "logic/import/lines.h"
#include "logic/import/service.h"

/* A line: its fields, which are changed while they are read. */
struct entry {
        struct draft *draft;
        struct draft_pool *pool;
        const struct import_input *input;
        char *host; /* what stands in front of the service; or the default of the file */
        char *service, *type, *protocol, *wait, *user;
        struct words command; /* the program, and its argv */
        bool is_wait, is_udp, is_unix;
};

/* `nowait.NUMBER`, `nowait/CHILDREN/PER-MINUTE/CHILDREN-PER-SOURCE`: by the rows of that name. */
static IMPORT_TAKE(take_number)
{
        if (text_equal(directive->value, "0"))
                draft_note(draft, pool, "inetd had no limit; %s is what it is here unless you set it", row->ours);
        else
                draft_set(draft, pool, row->ours, directive->value);
}

static IMPORT_TAKE(take_per_minute)
{
        char rate[48];

        snprintf(rate, sizeof(rate), "%.30s/m", directive->value);
        if (text_equal(directive->value, "0"))
                take_number(draft, pool, row, directive);
        else
                draft_set(draft, pool, row->ours, rate);
}

/* clang-format off */
const struct import_row inetd_rows[] = {
        {"service", "listen", "ADDRESS:PORT; names of hosts are not looked up", NULL},
        {"socket-type", "listen", "udp:ADDRESS:PORT for dgram", NULL},
        {"protocol", "listen", "*:PORT, 0.0.0.0:PORT for tcp4, udp:*:PORT for udp; rpc and tcpmux are left out", NULL},
        {"wait", "handler_type", "listener, with listen_fd = 0, accounting = none, scaling = ondemand and max_workers = 1",
         NULL},
        {"nowait", "handler_type", "inetd", NULL},
        {"max", "rate_limit", "so many connections a minute; what is more waits, and no service is closed", take_per_minute},
        {"max-child", "max_workers", NULL, take_number},
        {"max-connections-per-ip-per-minute", "rate_limit_per_source", "what is more is refused", take_per_minute},
        {"max-child-per-ip", "max_connections_per_source", NULL, take_number},
        {"user", "user", NULL, import_take_word},
        {"group", "group", NULL, import_take_word},
        {"login-class", NULL, "write its limits as limit_nofile and so on", import_take_note},
        {"server", "handler", NULL, NULL},
        {"arguments", "handler", "the first of them, the name of the program, is argv0 if it is another", NULL},
        {"internal", "handler_type", "builtin", NULL},
        {"ipsec", NULL, "preforkd sets no IPsec policy; set it for the machine", import_take_close},
};
/* clang-format on */
const size_t inetd_row_count = ELEMENTS(inetd_rows);

static void take(const struct entry *entry, const char *word, const char *value)
{
        const struct import_directive directive = {.word = word, .value = value};

        import_row_take(entry->draft, entry->pool, import_row_find(inetd_rows, inetd_row_count, word, false),
                        &directive);
}

/* The next part of a list that `marks` separate; NULL at its end. */
static char *next_part(char **rest, const char *marks)
{
        char *part = *rest;

        if (!part)
                return NULL;
        char *mark = strpbrk(part, marks);
        *rest = mark ? mark + 1 : NULL;
        if (mark)
                *mark = '\0';
        return part;
}

static void convert_wait(struct entry *entry)
{
        static const char *const words[] = {"max-child", "max-connections-per-ip-per-minute", "max-child-per-ip"};
        char *rest = entry->wait + (entry->is_wait ? strlen("wait") : strlen("nowait"));
        bool is_rate = *rest == '.' || *rest == ':';

        if (*rest == '\0')
                return;
        rest++;
        for (size_t i = 0; rest; i++) {
                const char *value = next_part(&rest, "/.:");
                if (value[0] == '\0' || strspn(value, "0123456789") != strlen(value) || i >= ELEMENTS(words))
                        draft_ask(entry->draft, entry->pool, "%s: what stands behind wait or nowait is unknown", value);
                else if (!entry->is_wait)
                        take(entry, is_rate && i == 0 ? "max" : words[i], value);
                else
                        draft_note(entry->draft, entry->pool,
                                   "%s = %s: no effect on a service that waits: it is one process, and takes its "
                                   "connections itself",
                                   is_rate && i == 0 ? "max" : words[i], value);
        }
}

/* USER, USER:GROUP, USER.GROUP, each with /CLASS. */
static void convert_user(const struct entry *entry)
{
        char *rest = entry->user, *name = next_part(&rest, "/");

        if (rest)
                take(entry, "login-class", rest);
        char *group = name, *user = next_part(&group, strchr(name, ':') ? ":" : ".");
        /* inetd itself serves what is internal, whoever is named; here that need not be root. */
        bool needs_no_root = text_equal(entry->command.list[0], "internal") && text_equal(user, "root");
        if (needs_no_root)
                draft_note(entry->draft, entry->pool, "user = root: it needs no root, and gets nobody");
        service_user(entry->draft, entry->pool, needs_no_root ? "nobody" : user);
        if (group)
                take(entry, "group", group);
}

/* FreeBSD's `:USER:GROUP:MODE:/PATH`, or the path alone. */
static void convert_unix(const struct entry *entry)
{
        char *rest = entry->service;
        const bool datagrams = text_equal(entry->type, "dgram");
        _cleanup_(text_clear) struct text listen = {0};

        if (rest[0] == ':') {
                rest++;
                const char *user = next_part(&rest, ":"), *group = next_part(&rest, ":"), *mode = next_part(&rest, ":");
                if (user && user[0] != '\0')
                        draft_set_word(entry->draft, entry->pool, "socket_user", user);
                if (group && group[0] != '\0')
                        draft_set_word(entry->draft, entry->pool, "socket_group", group);
                if (mode && mode[0] != '\0')
                        draft_set_word(entry->draft, entry->pool, "socket_mode", mode);
        }
        if (text_appendf(&listen, "%s%s", datagrams ? "unixgram:" : "", rest ? rest : "") < 0)
                entry->draft->out_of_memory = true;
        if (!rest || !draft_add_word(entry->draft, entry->pool, "listen", text_string(&listen)))
                draft_leave_out(entry->draft, entry->pool, "it has no address");
}

static void convert_listen(const struct entry *entry)
{
        char *buffers = entry->protocol, *hosts = entry->host;

        next_part(&buffers, ",");
        if (buffers)
                draft_note(entry->draft, entry->pool, "%s: buffers have the size that the kernel gives them", buffers);

        if (entry->is_unix) {
                convert_unix(entry);
                return;
        }
        bool is_ip = strncmp(entry->protocol, entry->is_udp ? "udp" : "tcp", 3) == 0;
        if (!is_ip || strpbrk(entry->protocol, "/") || strchr(entry->service, '/')) {
                draft_leave_out(entry->draft, entry->pool, "%s %s: such services are not served here", entry->service,
                                entry->protocol);
                return;
        }
        const char *number = entry->protocol + strlen("tcp");
        bool everywhere = !hosts || hosts[0] == '\0' || text_equal(hosts, "*");
        if (number[0] == '6' && everywhere)
                draft_set(entry->draft, entry->pool, "ipv6_only", "yes");
        if (everywhere)
                service_listen(entry->draft, entry->pool, entry->input,
                               text_equal(number, "4") ? "0.0.0.0"
                               : number[0] == '6'      ? "::"
                                                       : "",
                               entry->service, entry->is_udp);
        while (!everywhere && hosts)
                service_listen(entry->draft, entry->pool, entry->input, next_part(&hosts, ","), entry->service,
                               entry->is_udp);
}

static void convert_command(const struct entry *entry)
{
        const char *program = entry->command.list[0], *slash = strrchr(program, '/');
        const struct words argv = {.list = entry->command.list + 1, .count = entry->command.count - 1};

        if (text_equal(program, "internal")) {
                service_builtin(entry->draft, entry->pool, entry->service);
                service_wrapped(entry->draft, entry->pool, entry->input);
                return;
        }
        service_named_handler(entry->draft, entry->pool, program, &argv);
        if (entry->is_wait)
                service_wait(entry->draft, entry->pool);
        if (!text_equal(slash ? slash + 1 : program, "tcpd"))
                service_wrapped(entry->draft, entry->pool, entry->input);
}

/* Split the first field into hosts and service. */
static void split_host(struct entry *entry, char *default_host)
{
        char *colon = strrchr(entry->service, ':');

        entry->host = default_host;
        if (entry->service[0] == ':' || entry->service[0] == '/' || !colon)
                return;
        *colon = '\0';
        entry->host = entry->service;
        entry->service = colon + 1;
}

/* Split a command at blanks. A quote in front of a word makes one of all up to the next, as for the inetds of FreeBSD
 * and inetutils; for OpenBSD's it is a byte like others. Backslashes are that for all. 0, -EINVAL (a quote is not
 * closed) or -ENOMEM. */
static int split_command(const char *string, struct words *ret)
{
        int r = 0;

        for (string += strspn(string, " \t"); *string != '\0' && r == 0; string += strspn(string, " \t")) {
                const char quote[] = {*string, '\0'};
                bool is_quoted = quote[0] == '"' || quote[0] == '\'';
                string += is_quoted;
                size_t length = strcspn(string, is_quoted ? quote : " \t");
                if (is_quoted && string[length] == '\0')
                        return -EINVAL;
                _cleanup_(freep) char *word = strndup(string, length);
                r = word ? words_add(ret, word) : -ENOMEM;
                string += length + is_quoted;
        }
        return r;
}

/* 0; -EINVAL: no such line; -ENOMEM. */
static int convert_line(struct entry *entry, char *line, const struct import_lines *lines, char *default_host)
{
        char *rest = line;

        entry->service = import_word(&rest);
        entry->type = import_word(&rest);
        entry->protocol = import_word(&rest);
        entry->wait = import_word(&rest);
        entry->user = import_word(&rest);
        entry->is_wait = strncmp(entry->wait, "wait", 4) == 0;
        if (!entry->is_wait && strncmp(entry->wait, "nowait", 6) != 0)
                return -EINVAL;
        int r = split_command(rest, &entry->command);
        bool has_quotes = strpbrk(rest, "\"'") != NULL;
        if (r < 0 || entry->command.count == 0)
                return r == -ENOMEM ? r : -EINVAL;
        split_host(entry, default_host);
        entry->is_udp = strncmp(entry->protocol, "udp", 3) == 0;
        entry->is_unix = text_equal(entry->protocol, "unix") || entry->service[0] == '/' || entry->service[0] == ':';
        const char *name = entry->is_unix ? text_base_name(entry->service) : entry->service;
        entry->pool = draft_add_pool(entry->draft, name, lines->source->name, lines->number);
        if (!entry->pool)
                return -ENOMEM;
        convert_listen(entry);
        convert_command(entry);
        if (has_quotes)
                draft_ask(entry->draft, entry->pool,
                          "quotes: read as the inetds of FreeBSD and inetutils do; OpenBSD's, which Debian has, takes "
                          "them for bytes of words");
        convert_user(entry);
        convert_wait(entry);
        bool is_datagram = text_equal(entry->type, "dgram");
        if ((!is_datagram && !text_equal(entry->type, "stream")) || (!entry->is_unix && is_datagram != entry->is_udp))
                draft_leave_out(entry->draft, entry->pool, "%s %s: no such sockets", entry->type, entry->protocol);
        return 0;
}

/* What stands in a file beside services: a default host, IPsec policies, comments. True: the line was such. */
static bool read_setting(char *line, struct text *host, struct text *policy, struct draft *draft)
{
        size_t length = strlen(line);
        int r = 0;

        if (line[0] == '#' && line[1] == '@') {
                text_truncate(policy);
                r = text_append(policy, import_trim(line + 2));
        } else if (line[0] != '#' && line[length - 1] == ':' && !strpbrk(line, " \t")) {
                text_truncate(host);
                r = text_append_bytes(host, line, length - 1);
        } else if (line[0] != '#')
                return false;
        draft->out_of_memory = draft->out_of_memory || r < 0;
        return true;
}

static int convert_file(struct draft *draft, const struct import_input *input, const struct import_source *source)
{
        struct import_lines lines = {.source = source, .folds = true};
        _cleanup_(text_clear) struct text host = {0}, policy = {0}, whole = {0};
        int r = 0;

        for (char *line; r == 0 && (line = import_lines_next(&lines, ""));) {
                struct entry entry = {.draft = draft, .input = input};
                if (read_setting(line, &host, &policy, draft))
                        continue;
                _cleanup_(freep) char *default_host = strdup(text_string(&host));
                text_truncate(&whole);
                r = default_host ? text_append(&whole, line) : -ENOMEM;
                if (r == 0)
                        r = convert_line(&entry, line, &lines, default_host);
                if (r == 0 && policy.length > 0)
                        take(&entry, "ipsec", text_string(&policy));
                words_clear(&entry.command);
                if (r == -EINVAL) {
                        draft_ask(draft, NULL, "not understood: %s:%u: %s", source->name, lines.number,
                                  text_string(&whole));
                        r = 0;
                }
        }
        import_lines_clear(&lines);
        return lines.out_of_memory ? -ENOMEM : r;
}

int inetd_convert(struct draft *draft, const struct import_input *input)
{
        int r = 0;

        draft_note(
                draft, NULL,
                "inetd closes a service for ten minutes that is asked too often; no limit does that here. tcp and "
                "udp are IPv6 and IPv4, as for OpenBSD's inetd, which Debian has; for those of FreeBSD and inetutils "
                "they are IPv4 alone (tcp4, 0.0.0.0:PORT), and for inetutils tcp6 is both (*:PORT).");
        for (size_t i = 0; i < input->count && r == 0; i++)
                r = convert_file(draft, input, &input->sources[i]);
        return r;
}
