#include "logic/import/tcpserver.h"

#include <assert.h>
#include <errno.h>
#include <string.h>

#include "base/cleanup.h"
#include "base/words.h"
#include "logic/config/message.h"
#include "logic/import/service.h"

#define WITH_VALUE "cxbBugltI"

static const char names[] = "names are not looked up, and ident is not asked";

static IMPORT_TAKE(take_nodelay)
{
        draft_set(draft, pool, row->ours, directive->word[0] == 'D' ? "yes" : "no");
}

static IMPORT_TAKE(take_banner)
{
        _cleanup_(message_clear) struct message banner = {0};
        _cleanup_(text_clear) struct text text = {0};

        if (message_set_bytes(&banner, directive->value, strlen(directive->value)) < 0 ||
            message_print(&banner, &text) < 0)
                draft->out_of_memory = true;
        else if (text.length > 0)
                draft_set(draft, pool, row->ours, text_string(&text));
}

/* It says who has come, and how that has ended. */
static IMPORT_TAKE(take_verbose)
{
        (void)directive;
        draft_set(draft, pool, row->ours, "all");
}

/* clang-format off */
const struct import_row tcpserver_rows[] = {
        {"host", "listen", "names are not looked up; 0 is every IPv4 address", NULL},
        {"port", "listen", NULL, NULL},
        {"program", "handler", "and its arguments", NULL},
        {"c", "max_workers", NULL, import_take_same},
        {"b", "backlog", NULL, import_take_same},
        {"u", "user", NULL, NULL},
        {"g", "group", NULL, import_take_word},
        {"U", "user", "the user of envuidgid in front of it; name one", import_take_note},
        {"d", "tcp_nodelay", NULL, take_nodelay},
        {"D", "tcp_nodelay", NULL, take_nodelay},
        {"x", NULL, "make allow and deny of the text from which tcprules made the file: preforkctl import tcprules FILE",
         import_take_close},
        {"X", NULL, "-x decides", import_take_note},
        {"B", "banner", NULL, take_banner},
        {"v", "connection_log", "= all", take_verbose},
        {"q", "log_level", "in [preforkd]: err", import_take_note},
        {"Q", "log_level", "in [preforkd]: as it is", import_take_note},
        {"h", NULL, names, import_take_note},
        {"H", NULL, names, import_take_note},
        {"p", NULL, names, import_take_note},
        {"P", NULL, names, import_take_note},
        {"l", NULL, names, import_take_note},
        {"r", NULL, names, import_take_note},
        {"R", NULL, names, import_take_note},
        {"t", NULL, names, import_take_note},
        {"o", NULL, "IP options of a connection stay as they are", import_take_note},
        {"O", NULL, "IP options of a connection stay as they are", import_take_note},
        {"1", NULL, "no port is printed", import_take_note},
        {"4", NULL, "the address decides", import_take_note},
        {"6", NULL, "the address decides", import_take_note},
        {"I", "bind_to_device", "who may connect depends on it", import_take_restriction},
        {"environment", "clear_environment", "= no", NULL},
        {"stderr", "stderr", "= inherit", NULL},
};
/* clang-format on */
const size_t tcpserver_row_count = ELEMENTS(tcpserver_rows);

struct command {
        struct draft *draft;
        struct draft_pool *pool;
        const struct import_input *input;
        struct words words;
        size_t at;        /* the next word */
        const char *user; /* of -u, setuidgid or envuidgid; NULL: none */
};

/* Is the word a redirection of the shell, `2>&1`, `>>log`? Alone, `2>`, it goes with the word behind it. */
static bool is_redirection(const char *word, bool *ret_alone)
{
        size_t digits = strspn(word, "0123456789"), at = digits == 0 && word[0] == '&' ? 1 : digits;
        size_t marks = strspn(word + at, "<>");

        if (marks == 0 || marks > 3)
                return false;
        at += marks;
        at += strspn(word + at, "&|");
        *ret_alone = word[at] == '\0';
        return true;
}

/* What is for the shell that reads the line is no argument: it is left out, with all behind a pipe. */
static void take_shell(struct command *command)
{
        static const char *const ends[] = {"|", "|&", "||", "&&", "&", ";"};
        _cleanup_(words_clear) struct words left = {0};
        _cleanup_(text_clear) struct text gone = {0};
        bool ended = false, goes = false;
        int r = 0;

        for (size_t i = 0; i < command->words.count && r == 0; i++) {
                const char *word = command->words.list[i];
                bool goes_on = false;
                for (size_t e = 0; e < ELEMENTS(ends); e++)
                        ended = ended || text_equal(word, ends[e]);
                bool is_left = !goes && !ended && !is_redirection(word, &goes_on);
                r = is_left ? words_add(&left, word) : text_appendf(&gone, "%s%s", gone.length > 0 ? " " : "", word);
                goes = goes_on;
        }
        if (r < 0)
                command->draft->out_of_memory = true;
        if (ended)
                draft_ask(command->draft, command->pool,
                          "%s: for the shell, and no arguments: left out, with the command behind", text_string(&gone));
        else if (gone.length > 0)
                draft_note(command->draft, command->pool,
                           "%s: redirections are done by the shell, and are no arguments; see stderr and log_target",
                           text_string(&gone));
        words_clear(&command->words);
        command->words = left;
        left = (struct words){0};
}

/* The programs in front of tcpserver, of a chain: those that name a user are known. */
static void take_chain(struct command *command)
{
        size_t server = 0;

        while (server < command->words.count && !text_equal(text_base_name(command->words.list[server]), "tcpserver"))
                server++;
        if (server == command->words.count) /* only what follows tcpserver was given */
                return;
        _cleanup_(text_clear) struct text chain = {0};
        bool known = true;
        for (size_t i = 0; i < server; i++) {
                const char *name = text_base_name(command->words.list[i]);
                bool is_account = text_equal(name, "setuidgid") || text_equal(name, "envuidgid");
                known = known && (is_account || text_equal(name, "exec"));
                if (text_appendf(&chain, "%s ", command->words.list[i]) < 0)
                        command->draft->out_of_memory = true;
                if (is_account && i + 1 < server)
                        command->user = command->words.list[++i];
        }
        if (!known)
                draft_ask(
                        command->draft, command->pool,
                        "%stcpserver: what stands in front is left out; set limits by limit_as and such, variables by "
                        "environment",
                        text_string(&chain));
        command->at = server + 1;
}

static void take_option(struct command *command, char letter, const char *value)
{
        const char word[] = {letter, '\0'};
        const struct import_directive directive = {.word = word, .value = value, .file = "command line", .line = 1};

        if (letter == 'u')
                command->user = value;
        import_row_take(command->draft, command->pool,
                        import_row_find(tcpserver_rows, tcpserver_row_count, word, false), &directive);
}

/* The options, as getopt(3) would read them: letters together, values behind or in the next word. */
static void take_options(struct command *command)
{
        for (; command->at < command->words.count; command->at++) {
                const char *word = command->words.list[command->at];
                if (word[0] != '-' || word[1] == '\0')
                        return;
                if (text_equal(word, "--")) {
                        command->at++;
                        return;
                }
                for (const char *letter = word + 1; *letter != '\0'; letter++) {
                        if (!strchr(WITH_VALUE, *letter)) {
                                take_option(command, *letter, "yes");
                                continue;
                        }
                        bool is_behind = letter[1] != '\0', has_next = command->at + 1 < command->words.count;
                        const char *next = has_next ? command->words.list[command->at + 1] : "";
                        take_option(command, *letter, is_behind ? letter + 1 : next);
                        command->at += !is_behind && has_next;
                        break;
                }
        }
}

static void take_server(struct command *command)
{
        const size_t left = command->words.count - command->at;

        if (left < 3) {
                draft_leave_out(command->draft, command->pool, "expected a host, a port and a program");
                return;
        }
        assert(command->words.list);
        char *const *words = command->words.list + command->at;
        bool is_every = text_equal(words[0], "0");
        service_listen(command->draft, command->pool, command->input, is_every ? "0.0.0.0" : words[0], words[1], false);
        const struct words argv = {.list = command->words.list + command->at + 2, .count = left - 2};
        service_named_handler(command->draft, command->pool, words[2], &argv);
        service_user(command->draft, command->pool, command->user);
        if (!command->user)
                draft_ask(command->draft, command->pool, "no user was named; it ran as whoever started tcpserver");
}

int tcpserver_convert(struct draft *draft, const struct import_input *input)
{
        int r = 0;

        draft_note(draft, NULL,
                   "Rules of -x are compiled; preforkctl import tcprules takes the text that they were made from.");
        for (size_t i = 0; i < input->count && r == 0; i++) {
                struct command command = {.draft = draft, .input = input};
                r = words_split(input->sources[i].bytes, &command.words);
                if (r == -EINVAL)
                        draft_ask(draft, NULL, "not understood: %s: an unclosed quote", input->sources[i].name);
                if (r < 0) {
                        r = r == -EINVAL ? 0 : r;
                        continue;
                }
                command.pool = draft_add_pool(draft, "tcpserver", input->sources[i].name, 1);
                draft_set(draft, command.pool, "max_workers", "40"); /* what it is without -c */
                draft_set(draft, command.pool, "clear_environment", "no");
                draft_set(draft, command.pool, "stderr", "inherit");
                take_shell(&command);
                take_chain(&command);
                take_options(&command);
                take_server(&command);
                words_clear(&command.words);
        }
        return r;
}
